package temporal_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	common "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/temporal"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// sealing is a codec that encrypts, as one that keeps what is in histories secret.
type sealing struct {
	aead  cipher.AEAD
	mu    sync.Mutex
	plain []string
}

func newSealing(t testing.TB) *sealing {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return &sealing{aead: aead}
}

func (s *sealing) Encode(payloads []*common.Payload) (sealed []*common.Payload, err error) {
	for _, p := range payloads {
		data, err := proto.Marshal(p)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.plain = append(s.plain, string(p.GetData()))
		s.mu.Unlock()
		nonce := make([]byte, s.aead.NonceSize())
		_, _ = rand.Read(nonce)
		sealed = append(sealed, &common.Payload{Metadata: map[string][]byte{converter.MetadataEncoding: []byte("binary/sealed")}, Data: s.aead.Seal(nonce, nonce, data, nil)})
	}
	return sealed, nil
}

func (s *sealing) Decode(payloads []*common.Payload) (plain []*common.Payload, err error) {
	for _, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != "binary/sealed" {
			return nil, fmt.Errorf("a payload that was not sealed: %.60q", p.GetData())
		}
		n := s.aead.NonceSize()
		data, err := s.aead.Open(nil, p.Data[:n], p.Data[n:], nil)
		if err != nil {
			return nil, err
		}
		open := new(common.Payload)
		if err := proto.Unmarshal(data, open); err != nil {
			return nil, err
		}
		plain = append(plain, open)
	}
	return plain, nil
}

// Converters and codecs of the client's: one that encrypts, one that compresses, and one
// that knows JSON alone.
func TestConverters(t *testing.T) {
	seal := newSealing(t)
	for _, tt := range []struct {
		name      string
		converter converter.DataConverter
	}{
		{"sealed", converter.NewCodecDataConverter(dataConverter, seal)},
		{"zlib", converter.NewCodecDataConverter(dataConverter, converter.NewZlibCodec(converter.ZlibCodecOptions{AlwaysEncode: true}))},
		{"json", converter.NewCompositeDataConverter(converter.NewJSONPayloadConverter())},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: calls(1)})
			s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
			s.submit("ann", "confidential")
			env := s.env(s.options())
			env.SetDataConverter(tt.converter)
			var denied error
			env.RegisterDelayedCallback(func() {
				env.UpdateWorkflow(temporal.Deny, "1", result(&denied), temporal.Request{Call: agent.Pending(s.log("ann"))[0].CallID, Reason: "not today"})
			}, time.Hour)
			if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done || denied != nil {
				t.Fatalf("%+v, %v, %v", out, err, denied)
			}
		})
	}
	if len(seal.plain) < 6 {
		t.Errorf("%d payloads were sealed: %q", len(seal.plain), seal.plain)
	}
	for _, p := range seal.plain {
		if strings.Contains(p, "confidential") {
			t.Errorf("a payload has the conversation: %s", p)
		}
	}
}

// A tenancy is a context propagator: a header of the workflow reaches tools.
type tenancy struct{}

type tenant struct{}

func (tenancy) Inject(ctx context.Context, w workflow.HeaderWriter) error {
	return tenancy{}.set(ctx.Value(tenant{}), w)
}

func (tenancy) InjectFromWorkflow(ctx workflow.Context, w workflow.HeaderWriter) error {
	return tenancy{}.set(ctx.Value(tenant{}), w)
}

func (tenancy) set(v any, w workflow.HeaderWriter) error {
	p, err := dataConverter.ToPayload(fmt.Sprint(v))
	if err == nil {
		w.Set("tenant", p)
	}
	return err
}

func (tenancy) get(r workflow.HeaderReader) (name string) {
	if p, ok := r.Get("tenant"); ok {
		_ = dataConverter.FromPayload(p, &name)
	}
	return name
}

func (tenancy) Extract(ctx context.Context, r workflow.HeaderReader) (context.Context, error) {
	return context.WithValue(ctx, tenant{}, tenancy{}.get(r)), nil
}

func (tenancy) ExtractToWorkflow(ctx workflow.Context, r workflow.HeaderReader) (workflow.Context, error) {
	return workflow.WithValue(ctx, tenant{}, tenancy{}.get(r)), nil
}

func TestContextPropagators(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.tool = func(ctx context.Context, _ in) (string, error) { return fmt.Sprint(ctx.Value(tenant{})), nil }
	s.submit("ann", "go")
	acme, err := dataConverter.ToPayload("acme")
	if err != nil {
		t.Fatal(err)
	}
	env := s.env(s.options())
	env.SetContextPropagators([]workflow.ContextPropagator{tenancy{}})
	env.SetHeader(&common.Header{Fields: map[string]*common.Payload{"tenant": acme}})
	if _, err := s.execute(env, "ann"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(texts(s.log("ann")), ", "); got != "result acme, done" {
		t.Error(got)
	}
}

// A recorder is a client that keeps what it is asked to start.
type recorder struct {
	client.Client
	options  client.StartWorkflowOptions
	args     []any
	signal   string
	signaled []string // workflows that were signalled, and not started
	err      error
}

func (r *recorder) SignalWorkflow(_ context.Context, id, _, signal string, _ any) error {
	r.signaled = append(r.signaled, id+" "+signal)
	return serviceerror.NewNotFound("no such workflow")
}

func (r *recorder) SignalWithStartWorkflow(_ context.Context, id, signal string, _ any, o client.StartWorkflowOptions, _ any, args ...any) (client.WorkflowRun, error) {
	r.options, r.args, r.signal = o, args, signal
	if id != o.ID {
		return nil, fmt.Errorf("the ids %q and %q", id, o.ID)
	}
	return nil, r.err
}

// UpdateWorkflow finds a workflow once one was started.
func (r *recorder) UpdateWorkflow(_ context.Context, o client.UpdateWorkflowOptions) (client.WorkflowUpdateHandle, error) {
	if r.args == nil {
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	r.signaled = append(r.signaled, o.WorkflowID+" "+o.UpdateName)
	return accepted{}, nil
}

type accepted struct{ client.WorkflowUpdateHandle }

func (accepted) Get(context.Context, any) error { return nil }

// A decision about a call that waits starts a workflow if none runs; one about a call that
// doesn't is refused.
func TestClientUpdate(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
	if _, err := s.agent().Run(t.Context(), agent.Input{Store: s.store, Session: "ann", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	rec := new(recorder)
	c := &temporal.Client{Temporal: rec, Store: s.store, TaskQueue: "agents"}
	var wrong *agent.DecisionError
	if err := c.Update(t.Context(), "ann", temporal.Approve, temporal.Request{Call: "toolu_none"}); !errors.As(err, &wrong) || wrong.Why != "not_pending" || rec.args != nil {
		t.Errorf("a call that doesn't wait: %v, started with %v", err, rec.args)
	}
	if err := c.Update(t.Context(), "nobody", temporal.Approve, temporal.Request{Call: "toolu_none"}); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a session that isn't there: %v", err)
	}
	if err := c.Update(t.Context(), "ann", temporal.Approve, temporal.Request{Call: agent.Pending(s.log("ann"))[0].CallID}); err != nil || fmt.Sprint(rec.signaled) != "[whorl/ann approve]" {
		t.Errorf("%v, %v", err, rec.signaled)
	}
}

var tenantKey = sdk.NewSearchAttributeKeyKeyword("Tenant")

func TestClientStart(t *testing.T) {
	store, rec := new(memory.RAM), new(recorder)
	c := &temporal.Client{Temporal: rec, Store: store, TaskQueue: "agents", Start: func(s memory.Info) client.StartWorkflowOptions {
		return client.StartWorkflowOptions{
			ID: "another", TaskQueue: "another", WorkflowExecutionTimeout: time.Hour, Memo: map[string]any{"plan": "free"},
			TypedSearchAttributes: sdk.NewSearchAttributes(tenantKey.ValueSet(s.Meta["tenant"])),
		}
	}}
	if _, err := c.Say(t.Context(), "ann", transport.UserText("confidential"), map[string]string{"tenant": "acme"}); err != nil {
		t.Fatal(err)
	}
	o := rec.options
	if name, _ := o.TypedSearchAttributes.GetKeyword(tenantKey); o.ID != "whorl/ann" || o.TaskQueue != "agents" || name != "acme" || o.Memo["plan"] != "free" || o.WorkflowExecutionTimeout != time.Hour || rec.signal != temporal.Wake {
		t.Errorf("%+v, signal %s", o, rec.signal)
	}
	if p, ok := rec.args[0].(temporal.Payload); !ok || p.Session != "ann" || len(rec.args) != 1 {
		t.Errorf("the workflow gets %+v", rec.args)
	}
	// The message is there, and Wake starts the workflow.
	rec.err = errors.New("nobody listens")
	if _, err := c.Say(t.Context(), "ann", transport.UserText("again"), nil); !errors.Is(err, temporal.ErrNotWoken) || !errors.Is(err, rec.err) {
		t.Errorf("without Temporal: %v", err)
	}
	rec.err = nil
	if _, err := c.Wake(t.Context(), "ann"); err != nil {
		t.Error(err)
	}
	if _, err := c.Wake(t.Context(), "nobody"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("for a session that isn't there: %v", err)
	}
	if got := fmt.Sprint(rec.signaled); got != "[whorl/nobody wake]" { // one that waits is told
		t.Error(got)
	}
}

// registered keeps the names that are registered.
type registered struct {
	replayer
	names *[]string
}

func (r registered) RegisterWorkflowWithOptions(_ any, o workflow.RegisterOptions) {
	*r.names = append(*r.names, o.Name)
}

func (r registered) RegisterActivityWithOptions(_ any, o activity.RegisterOptions) {
	*r.names = append(*r.names, o.Name)
}

// The names are in the histories of workflows that run, so they do not change.
func TestRegister(t *testing.T) {
	var names []string
	if err := temporal.Register(registered{names: &names}, temporal.Options{Store: new(memory.RAM), Run: nobody}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(names); got != "[whorl step decide say]" {
		t.Error(got)
	}
}

// What can't work is refused when a worker is made, and not when it has a session.
func TestNewWorker(t *testing.T) {
	c, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1", Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	store := new(memory.RAM)
	for _, o := range []temporal.Options{{Run: nobody}, {Store: store}, {Store: store, Run: nobody, Failures: -1}} {
		if _, err := temporal.NewWorker(c, "test", o, sdkworker.Options{}); err == nil || !strings.Contains(err.Error(), "temporal: Options.") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	w, err := temporal.NewWorker(c, "test", temporal.Options{Store: store, Run: nobody}, sdkworker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// The names are taken: the program that registers twice is told so.
	defer func() {
		if v := recover(); !strings.Contains(fmt.Sprint(v), temporal.Workflow) {
			t.Errorf("registered twice: %v", v)
		}
	}()
	_ = temporal.Register(w, temporal.Options{Store: store, Run: nobody})
	t.Error("registered twice")
}

// children is a workflow of the program's own, which has sessions run.
func children(ctx workflow.Context, ids []string) (done int, err error) {
	var running []workflow.ChildWorkflowFuture
	for i, id := range ids {
		o := workflow.ChildWorkflowOptions{WorkflowID: temporal.ID(id)}
		if i > 0 {
			o.WorkflowID = fmt.Sprint("child-", i) // any id will do
		}
		running = append(running, workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, o), temporal.Workflow, temporal.Payload{Session: id}))
	}
	for _, f := range running {
		var out temporal.Outcome
		if err := f.Get(ctx, &out); err != nil {
			return done, err
		}
		if out.Do == temporal.Done {
			done++
		}
	}
	return done, nil
}

// patience is a workflow that gives a session some time.
func patience(ctx workflow.Context, id string) (string, error) {
	ctx, cancel := workflow.WithCancel(ctx)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: temporal.ID(id), WaitForCancellation: true}), temporal.Workflow, temporal.Payload{Session: id})
	if ok, err := workflow.AwaitWithTimeout(ctx, 200*time.Millisecond, child.IsReady); ok || err != nil {
		return fmt.Sprint(ok), err
	}
	cancel()
	err := child.Get(ctx, nil)
	if sdk.IsCanceledError(err) {
		return "too slow", nil
	}
	return "", fmt.Errorf("not cancelled: %w", err)
}

func TestAsChildWorkflows(t *testing.T) {
	t.Run("several", func(t *testing.T) {
		s := newStage(t, simulator.Options{Model: calls(1)})
		ids := []string{"ann", "bob", "cid"}
		for _, id := range ids {
			s.submit(id, "go")
		}
		env := s.env(s.options())
		env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "parent", TaskQueue: "test"})
		env.RegisterWorkflow(children)
		env.ExecuteWorkflow(children, ids)
		var done int
		if err := env.GetWorkflowResult(&done); err != nil || done != 3 || s.ran.Load() != 3 {
			t.Errorf("%d done, %v, %d calls", done, err, s.ran.Load())
		}
	})
	t.Run("failure", func(t *testing.T) {
		s := newStage(t, simulator.Options{})
		env := s.env(s.options())
		env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "parent", TaskQueue: "test"})
		env.RegisterWorkflow(children)
		env.ExecuteWorkflow(children, []string{"nobody"})
		if err := env.GetWorkflowError(); !errors.Is(temporal.Error(err), memory.ErrNoSession) {
			t.Errorf("the caller is told: %v", err)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		temporal.SetHeartbeat(t, time.Second)
		s := newStage(t, simulator.Options{Model: calls(1)})
		s.tool = func(ctx context.Context, _ in) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		s.submit("ann", "go")
		env := s.env(s.options())
		env.SetWorkerOptions(sdkworker.Options{MaxHeartbeatThrottleInterval: 10 * time.Millisecond, DeadlockDetectionTimeout: patient})
		env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: "parent", TaskQueue: "test"})
		env.RegisterWorkflow(patience)
		env.ExecuteWorkflow(patience, "ann")
		var got string
		if err := env.GetWorkflowResult(&got); err != nil || got != "too slow" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// Signals and updates that nobody knows change nothing, nor does a wake signal too many.
func TestNamesThatNobodyKnows(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
	s.submit("ann", "go")
	env := s.env(s.options())
	var unknown, approved error
	env.RegisterDelayedCallback(func() {
		env.SignalWorkflow("approval", temporal.Request{Call: "toolu_none"})
		env.SignalWorkflow(temporal.Wake, "with an argument")
		for range 3 {
			env.SignalWorkflow(temporal.Wake, nil)
		}
		env.UpdateWorkflow("permit", "1", result(&unknown), temporal.Request{Call: "toolu_none"})
		if _, err := env.QueryWorkflow("conversation"); err == nil {
			t.Error("a query that nobody knows was answered")
		}
	}, time.Minute)
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(temporal.Approve, "2", result(&approved), temporal.Request{Call: agent.Pending(s.log("ann"))[0].CallID})
	}, time.Hour)
	if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done || approved != nil || unknown == nil {
		t.Errorf("%+v, %v; the update: %v, the unknown one: %v", out, err, approved, unknown)
	}
	if s.ran.Load() != 1 {
		t.Errorf("%d calls", s.ran.Load())
	}
}

// givenBack is a store that tells when a session is given back.
type givenBack struct {
	*memory.RAM
	then func()
}

func (s *givenBack) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	err := s.RAM.Lease(ctx, id, owner, d)
	if d == 0 && err == nil {
		s.then()
	}
	return err
}

// A message that comes when the last action has looked for messages, and isn't reported to
// the workflow yet, is answered.
func TestAMessageBehindTheLastAction(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(0)})
	store := &givenBack{RAM: new(memory.RAM)}
	s.store = store
	s.submit("ann", "go")
	env, said := s.env(s.options()), false
	store.then = func() {
		if log := s.log("ann"); !said && agent.Next(log).Done() && log.State().Response != nil {
			said = true
			s.submit("ann", "and please")
			env.SignalWorkflow(temporal.Wake, nil)
		}
	}
	if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done || !said {
		t.Errorf("%+v, %v; said: %v", out, err, said)
	}
	var heard []string
	for _, m := range s.log("ann").Messages() {
		heard = append(heard, m.Text())
	}
	if got := strings.Join(heard, ", "); got != "go, done, and please, done" {
		t.Errorf("the session has %s", got)
	}
}

// What comes while the history is continued as a new one is not lost: a signal, a message,
// an update that is being handled.
func TestContinueAsNewWithNews(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.submit("ann", "go")
	env := s.env(s.options())
	env.SetContinueAsNewSuggested(true)
	var said error
	s.tool = func(context.Context, in) (string, error) { return "ok", nil }
	env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) {
		env.SignalWorkflow(temporal.Wake, nil)
		env.UpdateWorkflow(temporal.Say, "1", result(&said), temporal.Message{Text: "and please"})
	})
	var more *workflow.ContinueAsNewError
	env.ExecuteWorkflow(temporal.Workflow, temporal.Payload{Session: "ann"})
	if err := env.GetWorkflowError(); !errors.As(err, &more) || said != nil {
		t.Fatalf("%v; the message: %v", err, said)
	}
	var p temporal.Payload
	if err := dataConverter.FromPayloads(more.Input, &p); err != nil || p.Session != "ann" || p.Records == 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	env = s.env(s.options())
	env.ExecuteWorkflow(temporal.Workflow, p)
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range s.log("ann").Records(0) {
		if r.Kind == memory.KindInput && r.Message.Text() == "and please" {
			n++
		}
	}
	if next := agent.Next(s.log("ann")); n != 1 || !next.Done() {
		t.Errorf("the message is there %d times; next: %+v", n, next)
	}
}

// A cancelled workflow ends as cancelled, whatever it was doing, and the session goes on
// with the next message.
func TestCancelled(t *testing.T) {
	temporal.SetHeartbeat(t, time.Second)
	for _, tt := range []struct {
		name string
		set  func(s *stage, at chan<- struct{})
	}{
		{"request", func(s *stage, at chan<- struct{}) {
			inner, first := calls(0), true
			s.url = simulator.StartTest(s.t, simulator.Options{Model: simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
				if first {
					first = false
					close(at)
					<-ctx.Done()
				}
				return inner.Respond(ctx, turn)
			})}).URL()
		}},
		{"absorbed", func(s *stage, at chan<- struct{}) { // the tool takes no notice
			s.tool = func(ctx context.Context, _ in) (string, error) { close(at); <-ctx.Done(); return "all the same", nil }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: calls(1)})
			at := make(chan struct{})
			tt.set(s, at)
			s.submit("ann", "go")
			env := s.env(s.options())
			env.SetWorkerOptions(sdkworker.Options{MaxHeartbeatThrottleInterval: 10 * time.Millisecond, DeadlockDetectionTimeout: patient})
			go func() { <-at; env.CancelWorkflow() }()
			if _, err := s.execute(env, "ann"); !sdk.IsCanceledError(err) {
				t.Errorf("the workflow: %v", err)
			}
			for leaser := s.store.(memory.Leaser); leaser.Lease(t.Context(), "ann", "test", time.Minute) != nil; {
				time.Sleep(5 * time.Millisecond) // until the activity has ended
			}
			if err := s.store.(memory.Leaser).Lease(t.Context(), "ann", "test", 0); err != nil {
				t.Fatal(err)
			}
			s.tool = nil
			s.submit("ann", "again")
			if out, err := s.execute(s.env(s.options()), "ann"); err != nil || out.Do != temporal.Done {
				t.Errorf("after it: %+v, %v", out, err)
			}
		})
	}
}
