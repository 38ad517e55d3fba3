package temporal_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	common "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// calls is a model that calls the tool "t" n times in a turn and is done.
func calls(n int) simulator.Model {
	return simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		made := 0
		for _, m := range turn.Messages {
			for _, b := range m.Content {
				if b.ToolUseID() != "" {
					made++
				} else if m.Role == "user" && b.Type() == "text" {
					made = 0
				}
			}
		}
		r := simulator.Say("done")
		if made < n {
			r = simulator.Do(simulator.Call("t", map[string]any{"n": made}))
		}
		return &r, nil
	})
}

type in struct {
	N int `json:"n"`
}

// A stage is a store, a service and an agent with the tool "t".
type stage struct {
	t     testing.TB
	store memory.Store
	url   string // of the service
	tool  func(context.Context, in) (string, error)
	opts  agent.Options
	ran   atomic.Int64 // how often the tool has run
}

func newStage(t testing.TB, o simulator.Options) *stage {
	t.Helper()
	return &stage{t: t, store: new(memory.RAM), url: simulator.StartTest(t, o).URL()}
}

func (s *stage) agent() *agent.Agent {
	s.t.Helper()
	// The client's own retries are left on: the engine's take their place.
	c, err := anthropic.New(anthropic.Options{BaseURL: s.url, APIKey: secret.New("any")})
	if err != nil {
		s.t.Fatal(err)
	}
	o := s.opts
	o.Client, o.Model = c, cmp.Or(o.Model, "claude-haiku-4-5")
	o.Tools = append(o.Tools, tools.Func("t", "Does it once.", func(ctx context.Context, in in) (string, error) {
		s.ran.Add(1)
		if s.tool != nil {
			return s.tool(ctx, in)
		}
		return "ok", nil
	}))
	a, err := agent.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *stage) options() temporal.Options {
	a := s.agent()
	return temporal.Options{Store: s.store, Logger: slog.New(slog.NewTextHandler(s.t.Output(), nil)), Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return a, agent.Input{}, nil
	}}
}

func (s *stage) submit(id, text string) {
	s.t.Helper()
	if err := worker.Submit(s.t.Context(), s.store, id, transport.UserText(text), nil); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) log(id string) *memory.Log {
	s.t.Helper()
	log, err := memory.Open(s.t.Context(), s.store, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return log
}

// patient is how long the engine of the tests waits for a workflow that does not yield: the
// machine may be busy.
const patient = 20 * time.Second

// env is the engine of the tests, with this stage's worker.
func (s *stage) env(o temporal.Options) *testsuite.TestWorkflowEnvironment {
	s.t.Helper()
	return s.envOf(new(testsuite.WorkflowTestSuite), o)
}

func (s *stage) envOf(suite *testsuite.WorkflowTestSuite, o temporal.Options) *testsuite.TestWorkflowEnvironment {
	s.t.Helper()
	suite.SetLogger(quiet{})
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(30 * time.Second)
	env.SetWorkerOptions(sdkworker.Options{DeadlockDetectionTimeout: patient})
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: temporal.ID("ann"), TaskQueue: "test"})
	if err := temporal.Register(registry{env}, o); err != nil {
		s.t.Fatal(err)
	}
	return env
}

// execute runs a session's workflow to its end.
func (s *stage) execute(env *testsuite.TestWorkflowEnvironment, id string) (temporal.Outcome, error) {
	s.t.Helper()
	info, err := s.store.Info(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	env.ExecuteWorkflow(temporal.Workflow, temporal.Payload{Session: id, Records: info.Records})
	var out temporal.Outcome
	if !env.IsWorkflowCompleted() {
		s.t.Fatal("the workflow has not ended")
	}
	if err := env.GetWorkflowError(); err != nil {
		return out, err
	}
	if err := env.GetWorkflowResult(&out); err != nil {
		s.t.Fatal(err)
	}
	return out, nil
}

func resultText(b transport.Block) string {
	var text string
	content := rawjson.Get(b.Raw(), "content")
	if content[0] == '"' {
		return rawjson.Unquote(content)
	}
	for part := range rawjson.Elements(content) {
		text += rawjson.GetString(part, "text")
	}
	return text
}

// texts are the results of tools, and the answers.
func texts(log *memory.Log) (list []string) {
	for _, r := range log.Records(0) {
		switch r.Kind {
		case memory.KindResult:
			list = append(list, "result "+resultText(r.Block))
		case memory.KindResponse:
			if text := r.Response.Text(); text != "" {
				list = append(list, text)
			}
		}
	}
	return list
}

func TestATurn(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(2)})
	s.submit("ann", "go")
	env := s.env(s.options())
	var actions atomic.Int64
	env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) { actions.Add(1) })
	out, err := s.execute(env, "ann")
	if err != nil {
		t.Fatal(err)
	}
	log := s.log("ann")
	if out.Do != temporal.Done || out.Records != log.Len() {
		t.Errorf("the outcome is %+v, the log has %d records", out, log.Len())
	}
	if got := strings.Join(texts(log), ", "); got != "result ok, result ok, done" {
		t.Error(got)
	}
	if n := actions.Load(); n != 5 {
		t.Errorf("%d activities for three requests and two calls", n)
	}
	// The log is the one that a single run gives.
	alone := memory.NewLog()
	if _, err := s.agent().Run(t.Context(), agent.Input{Log: alone, Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	kinds := func(l *memory.Log) (list []string) {
		for _, r := range l.Records(0) {
			if r.Kind != memory.KindNote {
				list = append(list, string(r.Kind))
			}
		}
		return list
	}
	if a, b := fmt.Sprint(kinds(alone)), fmt.Sprint(kinds(log)); a != b {
		t.Errorf("one run: %s\nby activities: %s", a, b)
	}
}

func TestTheEngineGetsNothingOfTheConversation(t *testing.T) {
	const word = "confidential"
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.tool = func(context.Context, in) (string, error) { return word, nil }
	s.submit("ann", word)
	env := s.env(s.options())
	var mu sync.Mutex
	var seen []string
	env.SetOnActivityStartedListener(func(_ *activityInfo, _ context.Context, args encodedValues) {
		var p converter.RawValue
		if err := args.Get(&p); err != nil {
			t.Error(err)
		}
		mu.Lock()
		seen = append(seen, string(p.Payload().GetData()))
		mu.Unlock()
	})
	env.SetOnActivityCompletedListener(func(_ *activityInfo, result encodedValue, err error) {
		var p converter.RawValue
		if err := result.Get(&p); err != nil {
			t.Error(err)
		}
		mu.Lock()
		seen = append(seen, string(p.Payload().GetData()))
		mu.Unlock()
	})
	if _, err := s.execute(env, "ann"); err != nil {
		t.Fatal(err)
	}
	for _, p := range seen {
		if strings.Contains(p, word) || len(p) > 60 {
			t.Errorf("a payload is %s", p)
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d payloads: %v", len(seen), seen)
	}
}

func TestADoubledAttemptChangesNothing(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.submit("ann", "go")
	info, err := s.store.Info(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	env := suite.NewTestActivityEnvironment()
	if err := temporal.Register(activities{env}, s.options()); err != nil {
		t.Fatal(err)
	}
	step := func(n int) string {
		t.Helper()
		v, err := env.ExecuteActivity("step", converter.NewRawValue(&common.Payload{Data: fmt.Appendf(nil, `{"session":"ann","records":%d}`, n)}))
		var out converter.RawValue
		if err == nil {
			err = v.Get(&out)
		}
		if err != nil {
			t.Fatal(err)
		}
		return string(out.Payload().GetData())
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := step(info.Records)
	if again := step(info.Records); again != first || s.ran.Load() != 0 {
		t.Errorf("the first attempt: %s, the second: %s, %d calls", first, again, s.ran.Load())
	}
	// Of a payload that has no number, too.
	if again := step(0); again != first {
		t.Errorf("without a number: %s", again)
	}
	second := step(number(first))
	for range 2 {
		if again := step(number(first)); again != second || s.ran.Load() != 1 {
			t.Errorf("after the call: %s, then %s, %d calls", second, again, s.ran.Load())
		}
	}
}

func TestApproval(t *testing.T) {
	for _, tt := range []struct {
		name, update string
		request      temporal.Request
		want         string
	}{
		{"approve", temporal.Approve, temporal.Request{}, "result ok, done"},
		{"edit", temporal.Approve, temporal.Request{Input: []byte(`{"n":7}`)}, "result ok 7, done"},
		{"deny", temporal.Deny, temporal.Request{Reason: "not on Sundays"}, "not on Sundays"},
		{"cancel", temporal.Cancel, temporal.Request{Reason: "nobody is there"}, "nobody is there"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: calls(1)})
			s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
			s.tool = func(_ context.Context, in in) (string, error) {
				if in.N == 7 {
					return "ok 7", nil
				}
				return "ok", nil
			}
			s.submit("ann", "go")
			env := s.env(s.options())
			var wrong, right, twice error
			env.RegisterDelayedCallback(func() {
				v, err := env.QueryWorkflow(temporal.State)
				var out temporal.Outcome
				if err == nil {
					err = v.Get(&out)
				}
				if err != nil || out.Do != temporal.Waits || out.Wait != 0 {
					t.Errorf("the state is %+v, %v", out, err)
				}
				env.UpdateWorkflow(tt.update, "1", result(&wrong), temporal.Request{Call: "toolu_none"})
				tt.request.Call = agent.Pending(s.log("ann"))[0].CallID
				env.UpdateWorkflow(tt.update, "2", then(&right, func() {
					env.UpdateWorkflow(tt.update, "3", result(&twice), tt.request)
				}), tt.request)
			}, time.Hour)
			out, err := s.execute(env, "ann")
			if err != nil || out.Do != temporal.Done {
				t.Fatalf("%+v, %v", out, err)
			}
			if right != nil {
				t.Error(right)
			}
			var decision *agent.DecisionError
			if err := temporal.Error(wrong); !errors.As(err, &decision) || decision.Why != "not_pending" || decision.Call.CallID != "toolu_none" {
				t.Errorf("for a call that is not there: %v", err)
			}
			if err := temporal.Error(twice); !errors.As(err, &decision) || decision.Call.CallID != tt.request.Call {
				t.Errorf("for the second decision: %v", err)
			}
			if got := strings.Join(texts(s.log("ann")), ", "); !strings.Contains(got, tt.want) {
				t.Error(got)
			}
		})
	}
}

func TestUpdatesThatCanNotBeUsed(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
	s.submit("ann", "go")
	env := s.env(s.options())
	var noCall, noText, badInput, badAnswer, hash error
	env.RegisterDelayedCallback(func() {
		call := agent.Pending(s.log("ann"))[0].CallID
		env.UpdateWorkflow(temporal.Approve, "1", result(&noCall), temporal.Request{})
		env.UpdateWorkflow(temporal.Say, "2", result(&noText), temporal.Message{})
		env.UpdateWorkflow(temporal.Approve, "3", result(&badInput), temporal.Request{Call: call, Input: []byte(`[]`)})
		env.UpdateWorkflow(temporal.Answer, "4", result(&badAnswer), temporal.Request{Call: call, Value: []byte(`true`)})
		env.UpdateWorkflow(temporal.Approve, "5", result(&hash), temporal.Request{Call: call, Hash: "another"})
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
	}, time.Minute)
	if _, err := s.execute(env, "ann"); !sdk.IsCanceledError(err) {
		t.Errorf("the workflow: %v", err)
	}
	for _, tt := range []struct {
		name string
		err  error
		typ  string
	}{
		{"no call", noCall, temporal.TypePayload}, {"no text", noText, temporal.TypePayload}, {"new arguments", badInput, temporal.TypePayload},
		{"an answer", badAnswer, temporal.TypeDecision}, {"another hash", hash, temporal.TypeDecision},
	} {
		var app *sdk.ApplicationError
		if !errors.As(tt.err, &app) || app.Type() != tt.typ {
			t.Errorf("%s: %v", tt.name, tt.err)
		}
	}
	if n := len(agent.Pending(s.log("ann"))); n != 1 || s.ran.Load() != 0 {
		t.Errorf("%d calls wait, %d have run", n, s.ran.Load())
	}
}

// askTool asks for a size.
func askTool(deadline time.Duration) func(context.Context, in) (string, error) {
	return func(ctx context.Context, _ in) (string, error) {
		host, ok := tools.HostOf(ctx)
		if !ok {
			return "", errors.New("no host")
		}
		q := tools.Question{Key: "size", Kind: "user", Prompt: "Which size?", Schema: []byte(`{"type":"integer"}`)}
		if notes, err := host.Notes(ctx, "until"); err != nil {
			return "", err
		} else if len(notes) > 0 {
			if err := q.Deadline.UnmarshalJSON(notes[0]); err != nil {
				return "", err
			}
		} else if deadline != 0 {
			q.Deadline = time.Now().UTC().Add(deadline).Truncate(time.Millisecond)
			data, _ := q.Deadline.MarshalJSON()
			if err := host.Note(ctx, "until", data); err != nil {
				return "", err
			}
		}
		if deadline != 0 {
			q.Default = []byte(`3`)
		}
		a, err := host.Ask(ctx, q)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("size %s by %s, expired %t", a.Value, a.By, a.Expired), nil
	}
}

func TestAnswersAndTimes(t *testing.T) {
	t.Run("answer", func(t *testing.T) {
		s := newStage(t, simulator.Options{Model: calls(1)})
		s.tool = askTool(0)
		s.submit("ann", "go")
		env := s.env(s.options())
		var wrong, right error
		env.RegisterDelayedCallback(func() {
			call := agent.Questions(s.log("ann"))[0].Call
			env.UpdateWorkflow(temporal.Answer, "1", then(&wrong, func() {
				env.UpdateWorkflow(temporal.Answer, "2", result(&right), temporal.Request{Call: call, Value: []byte(`44`), By: "bob"})
			}), temporal.Request{Call: call, Value: []byte(`"big"`)})
		}, 24*time.Hour)
		if _, err := s.execute(env, "ann"); err != nil {
			t.Fatal(err)
		}
		var app *sdk.ApplicationError
		if !errors.As(wrong, &app) || app.Type() != temporal.TypeAnswer || right != nil {
			t.Errorf("wrong: %v; right: %v", wrong, right)
		}
		if got := strings.Join(texts(s.log("ann")), ", "); got != "result size 44 by bob, expired false, done" {
			t.Error(got)
		}
	})
	t.Run("timer", func(t *testing.T) {
		s := newStage(t, simulator.Options{Model: calls(1)})
		s.tool = askTool(300 * time.Millisecond)
		s.submit("ann", "go")
		env := s.env(s.options())
		var timers atomic.Int64
		env.SetOnTimerScheduledListener(func(_ string, d time.Duration) {
			if timers.Add(1) == 1 && (d <= 0 || d > time.Second) {
				t.Errorf("a timer of %v", d)
			}
			time.Sleep(400 * time.Millisecond) // the test's clock jumps, the tool's doesn't
		})
		if _, err := s.execute(env, "ann"); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(texts(s.log("ann")), ", "); timers.Load() == 0 || got != "result size 3 by , expired true, done" {
			t.Errorf("%d timers: %s", timers.Load(), got)
		}
	})
	t.Run("2099", func(t *testing.T) {
		s := newStage(t, simulator.Options{Model: calls(1)})
		s.tool = askTool(time.Until(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)))
		s.submit("ann", "go")
		env := s.env(s.options())
		var longest atomic.Int64
		env.SetOnTimerScheduledListener(func(_ string, d time.Duration) { longest.Store(max(longest.Load(), int64(d))) })
		env.RegisterDelayedCallback(func() {
			var err error
			env.UpdateWorkflow(temporal.Answer, "1", result(&err), temporal.Request{Call: agent.Questions(s.log("ann"))[0].Call, Value: []byte(`1`)})
		}, time.Hour)
		if _, err := s.execute(env, "ann"); err != nil {
			t.Fatal(err)
		}
		if d := time.Duration(longest.Load()); d < 70*365*24*time.Hour {
			t.Errorf("the longest timer was one of %v", d)
		}
	})
}

func TestSay(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
	s.submit("ann", "go")
	env := s.env(s.options())
	var one, two, approved error
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(temporal.Say, "1", result(&one), temporal.Message{Text: "quick"})
		env.UpdateWorkflow(temporal.Say, "2", result(&two), temporal.Message{Text: "please"})
		env.UpdateWorkflow(temporal.Approve, "3", result(&approved), temporal.Request{Call: agent.Pending(s.log("ann"))[0].CallID})
		env.SignalWorkflow(temporal.Wake, nil)
	}, time.Hour)
	// Whether the messages land together or not, and so how many calls there are, is open.
	again := make([]error, 3)
	for i := range again {
		env.RegisterDelayedCallback(func() {
			if p := agent.Pending(s.log("ann")); len(p) == 1 {
				env.UpdateWorkflow(temporal.Approve, fmt.Sprint(4+i), result(&again[i]), temporal.Request{Call: p[0].CallID})
			}
		}, time.Duration(2+i)*time.Hour)
	}
	if _, err := s.execute(env, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(append(again, one, two, approved)...); err != nil {
		t.Fatal(err)
	}
	said := make(map[string]int)
	for _, r := range s.log("ann").Records(0) {
		if r.Kind == memory.KindInput {
			said[r.Message.Text()]++
		}
	}
	if fmt.Sprint(said) != "map[go:1 please:1 quick:1]" {
		t.Error(said)
	}
}

func TestCancelReachesTheTool(t *testing.T) {
	temporal.SetHeartbeat(t, time.Second)
	s := newStage(t, simulator.Options{Model: calls(1)})
	running, told := make(chan struct{}), make(chan error, 1)
	s.tool = func(ctx context.Context, _ in) (string, error) {
		close(running)
		select {
		case <-ctx.Done():
			told <- context.Cause(ctx)
			return "", ctx.Err()
		case <-time.After(20 * time.Second):
			told <- nil
			return "ok", nil
		}
	}
	s.submit("ann", "go")
	env := s.env(s.options())
	env.SetWorkerOptions(sdkworker.Options{MaxHeartbeatThrottleInterval: 10 * time.Millisecond, DeadlockDetectionTimeout: patient})
	go func() {
		<-running
		env.CancelWorkflow()
	}()
	if _, err := s.execute(env, "ann"); !sdk.IsCanceledError(err) {
		t.Errorf("the workflow: %v", err)
	}
	if err := <-told; err == nil {
		t.Error("the tool was not told")
	}
	// The log goes on from there, once the activity has ended, which this engine of tests
	// doesn't wait for.
	for leaser := s.store.(memory.Leaser); leaser.Lease(t.Context(), "ann", "test", time.Minute) != nil; {
		time.Sleep(5 * time.Millisecond)
	}
	if err := s.store.(memory.Leaser).Lease(t.Context(), "ann", "test", 0); err != nil {
		t.Fatal(err)
	}
	s.tool = nil
	s.submit("ann", "again")
	if out, err := s.execute(s.env(s.options()), "ann"); err != nil || out.Do != temporal.Done {
		t.Errorf("after it: %+v, %v", out, err)
	}
}

func TestRetriesAreMadeOnce(t *testing.T) {
	var mu sync.Mutex
	failing, requests := 3, 0
	inner := calls(0)
	s := newStage(t, simulator.Options{Model: simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		if requests <= failing {
			return nil, &simulator.Refusal{Status: 529, Type: "overloaded_error", Message: "Overloaded"}
		}
		return inner.Respond(ctx, turn)
	})})
	s.submit("ann", "go")
	env := s.env(s.options())
	var attempts atomic.Int64
	env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) { attempts.Add(1) })
	if _, err := s.execute(env, "ann"); err != nil {
		t.Fatal(err)
	}
	if requests != failing+1 || int(attempts.Load()) != failing+1 {
		t.Errorf("%d requests in %d attempts, for %d failures", requests, attempts.Load(), failing)
	}
}

func TestErrorsHaveTypes(t *testing.T) {
	turn := func(r simulator.Reply) simulator.Model { return simulator.Script(r) }
	for _, tt := range []struct {
		name  string
		model simulator.Model
		opts  func(*agent.Options)
		run   error
		typ   string
		is    func(error) bool
	}{
		{"steps", calls(9), func(o *agent.Options) { o.Limits.Steps = 2 }, nil, temporal.TypeLimit, func(err error) bool {
			var e *agent.LimitError
			return errors.As(err, &e) && e.Limit == "steps" && e.Max == 2
		}},
		{"request", simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
			return nil, &simulator.Refusal{Status: 400, Type: "invalid_request_error", Message: "no"}
		}), nil, nil, "invalid_request_error", nil},
		{"options", turn(simulator.Say("x")), nil, errors.New("there is no agent"), temporal.TypeOther, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: tt.model})
			if tt.opts != nil {
				tt.opts(&s.opts)
			}
			s.submit("ann", "go")
			o := s.options()
			if tt.run != nil {
				o.Run = func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
					return nil, agent.Input{}, tt.run
				}
			}
			env := s.env(o)
			var attempts atomic.Int64
			env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) { attempts.Add(1) })
			_, err := s.execute(env, "ann")
			var app *sdk.ApplicationError
			if !errors.As(err, &app) || app.Type() != tt.typ {
				t.Fatalf("%v", err)
			}
			if want := map[string]int64{"steps": 4, "request": 1, "options": 5}[tt.name]; attempts.Load() != want {
				t.Errorf("%d attempts, want %d", attempts.Load(), want)
			}
			if tt.is != nil && !tt.is(temporal.Error(err)) {
				t.Errorf("as a Go error: %v", temporal.Error(err))
			}
		})
	}
}

func TestWhatWaitsForAnotherProcess(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.submit("ann", "go")
	leaser := s.store.(memory.Leaser)
	if err := leaser.Lease(t.Context(), "ann", "somebody", time.Hour); err != nil {
		t.Fatal(err)
	}
	o := s.options()
	run, n := o.Run, 0
	o.Run = func(ctx context.Context, info memory.Info) (*agent.Agent, agent.Input, error) {
		if n++; n <= 3 {
			return nil, agent.Input{}, fmt.Errorf("%w", worker.ErrNotMine)
		}
		if n == 8 { // which is more often than Options.Failures
			if err := leaser.Lease(ctx, "ann", "somebody", 0); err != nil {
				t.Error(err)
			}
		}
		return run(ctx, info)
	}
	if out, err := s.execute(s.env(o), "ann"); err != nil || out.Do != temporal.Done {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestContinueAsNew(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(2)})
	s.submit("ann", "go")
	runs := 0
	p := temporal.Payload{Session: "ann"}
	for {
		env := s.env(s.options())
		env.SetContinueAsNewSuggested(true)
		env.ExecuteWorkflow(temporal.Workflow, p)
		err := env.GetWorkflowError()
		var more *workflow.ContinueAsNewError
		if err == nil {
			break
		}
		if !errors.As(err, &more) {
			t.Fatal(err)
		}
		if err := dataConverter.FromPayloads(more.Input, &p); err != nil || more.WorkflowType.Name != temporal.Workflow {
			t.Fatalf("%v, %s", err, more.WorkflowType.Name)
		}
		runs++
	}
	if got := strings.Join(texts(s.log("ann")), ", "); got != "result ok, result ok, done" || runs != 5 {
		t.Errorf("%d times: %s", runs, got)
	}
}

func TestPayloads(t *testing.T) {
	// What a payload was in any version can be read.
	for _, payload := range []any{
		temporal.Payload{Session: "ann"},
		map[string]any{"session": "ann"},
		map[string]any{"session": "ann", "records": 1, "more": []int{1}},
		map[string]any{"session": "ann", "records": 1_000_000},
	} {
		s := newStage(t, simulator.Options{Model: calls(1)})
		s.submit("ann", "go")
		env := s.env(s.options())
		env.ExecuteWorkflow(temporal.Workflow, payload)
		if err := env.GetWorkflowError(); err != nil || s.ran.Load() != 1 {
			t.Errorf("%v: %v, %d calls", payload, err, s.ran.Load())
		}
	}
	for _, tt := range []struct {
		payload any
		typ     string
	}{
		{map[string]any{}, temporal.TypePayload},
		{temporal.Payload{Session: "nobody"}, temporal.TypeNoSession},
	} {
		s := newStage(t, simulator.Options{Model: calls(1)})
		env := s.env(s.options())
		env.ExecuteWorkflow(temporal.Workflow, tt.payload)
		var app *sdk.ApplicationError
		if err := env.GetWorkflowError(); !errors.As(err, &app) || app.Type() != tt.typ || !app.NonRetryable() {
			t.Errorf("%v: %v", tt.payload, err)
		}
	}
}
