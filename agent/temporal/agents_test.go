package temporal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	sdk "go.temporal.io/sdk/temporal"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/failover"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// seen is a model that keeps what it is sent, and then says what another one says.
type seen struct {
	mu    sync.Mutex
	turns []simulator.Turn
	model simulator.Model
}

func (m *seen) Respond(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	m.mu.Lock()
	m.turns = append(m.turns, simulator.Turn{
		Model: turn.Model, System: turn.System, Tools: slices.Clone(turn.Tools), Messages: slices.Clone(turn.Messages), MaxTokens: turn.MaxTokens,
	})
	m.mu.Unlock()
	return m.model.Respond(ctx, turn)
}

func (m *seen) tools(i int) (names []string) {
	for _, d := range m.turns[i].Tools {
		names = append(names, d.Name())
	}
	return names
}

func (m *seen) texts(i int) (texts []string) {
	for _, message := range m.turns[i].Messages {
		texts = append(texts, message.Text())
	}
	return texts
}

func says(text string) simulator.Model {
	return simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say(text)
		return &r, nil
	})
}

// agentOf is an agent of another service.
func agentOf(t testing.TB, o agent.Options, model simulator.Model) *agent.Agent {
	t.Helper()
	if o.Client == nil {
		c, err := anthropic.New(anthropic.Options{BaseURL: simulator.StartTest(t, simulator.Options{Model: model}).URL(), APIKey: secret.New("any")})
		if err != nil {
			t.Fatal(err)
		}
		o.Client = c
	}
	if o.Model == "" {
		o.Model = "claude-haiku-4-5"
	}
	a, err := agent.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// One worker has several agents. The metadata of a session say whose it is; a session of
// an agent that isn't there waits for a program that has it.
func TestAgentsByName(t *testing.T) {
	s := newStage(t, simulator.Options{Model: says("the first")})
	o := s.options()
	agents := map[string]*agent.Agent{"first": s.agent(), "second": agentOf(t, agent.Options{Model: "claude-sonnet-5"}, says("the second"))}
	asked := 0
	o.Run = func(_ context.Context, info memory.Info) (*agent.Agent, agent.Input, error) {
		name := info.Meta["agent"]
		if a := agents[name]; a != nil {
			return a, agent.Input{User: info.Meta["user"]}, nil
		}
		if asked++; asked == 7 { // by now a newer program runs
			agents[name] = agents["second"]
		}
		return nil, agent.Input{}, fmt.Errorf("%w: %q", worker.ErrNotMine, name)
	}
	for _, tt := range []struct{ session, agent, want, model string }{
		{"ann", "first", "the first", "claude-haiku-4-5"}, {"bob", "second", "the second", "claude-sonnet-5"}, {"cid", "third", "the second", "claude-sonnet-5"},
	} {
		if err := worker.Submit(t.Context(), s.store, tt.session, transport.UserText("go"), map[string]string{"agent": tt.agent, "user": tt.session}); err != nil {
			t.Fatal(err)
		}
		if out, err := s.execute(s.env(o), tt.session); err != nil || out.Do != temporal.Done {
			t.Fatalf("%s: %+v, %v", tt.session, out, err)
		}
		if got := strings.Join(texts(s.log(tt.session)), ", "); got != tt.want {
			t.Errorf("%s: %s", tt.session, got)
		}
		for _, r := range s.log(tt.session).Records(0) {
			if r.Kind == memory.KindResponse && !strings.HasPrefix(r.Response.Model, tt.model) {
				t.Errorf("%s: the model is %s, want %s", tt.session, r.Response.Model, tt.model)
			}
		}
	}
	if asked != 7 {
		t.Errorf("the agent that isn't there was looked for %d times", asked)
	}
}

// What Run returns counts for one action: the system prompt, the tools and the model of
// the next one may be others.
func TestAgentsThatChange(t *testing.T) {
	m := &seen{model: calls(1)}
	s := newStage(t, simulator.Options{Model: m})
	s.submit("ann", "go")
	o := s.options()
	step := 0
	o.Run = func(_ context.Context, info memory.Info) (*agent.Agent, agent.Input, error) {
		step++
		extra := tools.Func(fmt.Sprintf("extra_%d", step), "More.", func(context.Context, in) (string, error) { return "", nil })
		s.opts = agent.Options{System: fmt.Sprint("step ", step), MaxTokens: 1000 + step, Tools: []tools.Tool{extra}}
		return s.agent(), agent.Input{}, nil
	}
	if _, err := s.execute(s.env(o), "ann"); err != nil {
		t.Fatal(err)
	}
	if len(m.turns) != 2 {
		t.Fatalf("%d requests", len(m.turns))
	}
	for i, step := range []int{1, 3} {
		if got, want := fmt.Sprint(m.turns[i].System, m.tools(i), m.turns[i].MaxTokens), fmt.Sprintf("step %d[extra_%d t] %d", step, step, 1000+step); got != want {
			t.Errorf("request %d: %s, want %s", i, got, want)
		}
	}
}

// A tool that a deployment removed, while a call of it was open, is answered to the model.
func TestAToolThatIsGone(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.submit("ann", "go")
	o := s.options()
	step, before := 0, o.Run
	o.Run = func(ctx context.Context, info memory.Info) (*agent.Agent, agent.Input, error) {
		if step++; step == 1 {
			return before(ctx, info)
		}
		c, err := anthropic.New(anthropic.Options{BaseURL: s.url, APIKey: secret.New("any")})
		if err != nil {
			return nil, agent.Input{}, err
		}
		return agentOf(t, agent.Options{Client: c}, nil), agent.Input{}, nil
	}
	if out, err := s.execute(s.env(o), "ann"); err != nil || out.Do != temporal.Done {
		t.Fatalf("%+v, %v", out, err)
	}
	got := texts(s.log("ann"))
	if len(got) != 2 || !strings.Contains(got[0], `"t"`) || got[1] != "done" || s.ran.Load() != 0 {
		t.Errorf("%q, %d calls", got, s.ran.Load())
	}
}

// The endpoint that is overloaded is replaced inside one attempt of the activity.
func TestModelFallback(t *testing.T) {
	var asked atomic.Int64
	first := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		asked.Add(1)
		return nil, &simulator.Refusal{Status: 529, Type: "overloaded_error", Message: "Overloaded"}
	})})
	second := simulator.StartTest(t, simulator.Options{Model: says("from the second")})
	var ends []failover.Endpoint
	for name, url := range map[string]string{"a first": first.URL(), "b second": second.URL()} {
		c, err := anthropic.New(anthropic.Options{BaseURL: url, APIKey: secret.New("any"), MaxRetries: -1})
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, failover.Endpoint{Name: name, Client: c})
	}
	slices.SortFunc(ends, func(a, b failover.Endpoint) int { return strings.Compare(a.Name, b.Name) })
	c, err := failover.New(failover.Options{Endpoints: ends})
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, simulator.Options{})
	s.submit("ann", "go")
	a := agentOf(t, agent.Options{Client: c}, nil)
	o := s.options()
	o.Run = func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) { return a, agent.Input{}, nil }
	env := s.env(o)
	var attempts atomic.Int64
	env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) { attempts.Add(1) })
	if _, err := s.execute(env, "ann"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(texts(s.log("ann")), ", "); got != "from the second" || asked.Load() != 1 || attempts.Load() != 1 {
		t.Errorf("%s, %d requests to the first, %d attempts", got, asked.Load(), attempts.Load())
	}
}

// The answer of a Go type. The schema goes with each request of the turn.
func TestTypedAnswers(t *testing.T) {
	type capital struct {
		City string `json:"city"`
	}
	shape, err := tools.NewOutput[capital]()
	if err != nil {
		t.Fatal(err)
	}
	inner := calls(1)
	var formats atomic.Int64
	s := newStage(t, simulator.Options{Model: simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		if strings.Contains(string(turn.Format), "city") {
			formats.Add(1)
		}
		r, err := inner.Respond(ctx, turn)
		if err == nil && !strings.Contains(fmt.Sprint(r.Content), "{t ") && len(turn.Messages) > 1 {
			say := simulator.Say(`{"city":"Mexico City"}`)
			r = &say
		}
		return r, err
	})})
	s.submit("ann", "the capital of Mexico?")
	o := s.options()
	a := s.agent()
	o.Run = func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
		return a, agent.Input{Output: shape}, nil
	}
	if _, err := s.execute(s.env(o), "ann"); err != nil {
		t.Fatal(err)
	}
	got := texts(s.log("ann"))
	answer, err := shape.Parse(got[len(got)-1])
	if err != nil || answer.City != "Mexico City" || formats.Load() != 2 || s.ran.Load() != 1 {
		t.Errorf("%+v, %v, %d requests with the shape, %d calls", answer, err, formats.Load(), s.ran.Load())
	}
}

// Who watches gets the pieces of the answer, and what tools report, from the process that
// has the activity.
func TestStreaming(t *testing.T) {
	inner := calls(1)
	s := newStage(t, simulator.Options{Model: simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		r, err := inner.Respond(ctx, turn)
		if err == nil && len(turn.Messages) > 1 {
			*r = simulator.Say("one two three four five six")
			r.DeltaBytes, r.Delay = 1, 20*time.Millisecond
		}
		return r, err
	})})
	reported := make(chan struct{})
	s.tool = func(ctx context.Context, _ in) (string, error) {
		tools.Progress(ctx, "half of it")
		select {
		case <-reported:
			return "ok", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	s.submit("ann", "go")
	hub := &feed.Feed{Store: s.store, Poll: 10 * time.Millisecond}
	o := s.options()
	o.Watch = func(ctx context.Context, info memory.Info) context.Context {
		if info.ID != "ann" {
			t.Errorf("a watcher of %q", info.ID)
		}
		return hub.Attach(ctx)
	}
	kinds := make(map[feed.Kind]int)
	var text strings.Builder
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		for it, err := range hub.Watch(ctx, "ann", feed.Options{}) {
			if err != nil {
				done <- err
				return
			}
			switch kinds[it.Kind]++; it.Kind {
			case feed.Progress:
				if it.Text != "" { // an empty one says that the call has ended
					close(reported)
				}
			case feed.Delta:
				if it.Delta == transport.DeltaText {
					text.WriteString(it.Text)
				}
			case feed.Record:
				if it.Record.Kind == memory.KindResponse && it.Record.Response.Text() != "" {
					done <- nil
					return
				}
			}
		}
	}()
	if _, err := s.execute(s.env(o), "ann"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if kinds[feed.Progress] != 2 || text.Len() == 0 || !strings.HasPrefix("one two three four five six", text.String()) {
		t.Errorf("%v, %q", kinds, text.String())
	}
}

// A later message finds what was said before, in a workflow of its own.
func TestTheNextTurn(t *testing.T) {
	m := &seen{model: calls(1)}
	s := newStage(t, simulator.Options{Model: m})
	for turn := 1; turn <= 2; turn++ {
		s.submit("ann", fmt.Sprint("question ", turn))
		if out, err := s.execute(s.env(s.options()), "ann"); err != nil || out.Do != temporal.Done {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	if len(m.turns) != 4 {
		t.Fatalf("%d requests", len(m.turns))
	}
	if got := fmt.Sprint(m.texts(3)); got != "[question 1   done question 2  ]" {
		t.Errorf("the last request: %q", got)
	}
	for i, turn := range m.turns[1:] { // each request begins with all of the one before
		for j, message := range m.turns[i].Messages {
			if a, b := message.Text(), turn.Messages[j].Text(); a != b {
				t.Errorf("request %d, message %d: %q, before %q", i+1, j, b, a)
			}
		}
	}
}

// An answer that Check sends back is asked for again, until it is right.
func TestAnswersThatAreSentBack(t *testing.T) {
	var n atomic.Int64
	s := newStage(t, simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say(fmt.Sprint("try ", n.Add(1)))
		return &r, nil
	})})
	s.opts.Check = func(_ context.Context, r *agent.Result) error {
		if r.Text != "try 3" {
			return errors.New("not good enough")
		}
		return nil
	}
	s.submit("ann", "go")
	if out, err := s.execute(s.env(s.options()), "ann"); err != nil || out.Do != temporal.Done {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := strings.Join(texts(s.log("ann")), ", "); got != "try 1, try 2, try 3" {
		t.Error(got)
	}
}

// A turn that the service pauses goes on with the next action, as often as Limits.Pauses
// allows; then the workflow fails, and not again and again.
func TestPausedTurns(t *testing.T) {
	for _, tt := range []struct {
		pauses int
		typ    string
	}{{2, ""}, {20, temporal.TypeLimit}} {
		var n atomic.Int64
		s := newStage(t, simulator.Options{Model: simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
			r := simulator.Say("done")
			if int(n.Add(1)) <= tt.pauses {
				r = simulator.Do(simulator.Text("so far "), simulator.ServerCall("web_search", map[string]any{"query": "weather"}))
				r.StopReason = transport.StopPauseTurn
			}
			return &r, nil
		})})
		s.opts.Limits.Pauses = 4
		s.opts.Tools = []tools.Tool{tools.WebSearch{}}
		s.submit("ann", "go")
		_, err := s.execute(s.env(s.options()), "ann")
		var app *sdk.ApplicationError
		if errors.As(err, &app); tt.typ == "" && err != nil || tt.typ != "" && (app == nil || app.Type() != tt.typ) {
			t.Errorf("%d pauses: %v", tt.pauses, err)
		}
		if want := min(tt.pauses, 4) + 1; int(n.Load()) != want {
			t.Errorf("%d pauses: %d requests, want %d", tt.pauses, n.Load(), want)
		}
	}
}

// spans is a tracer provider that keeps the names of spans that ended.
type spans struct {
	noop.TracerProvider
	mu    sync.Mutex
	names []string
}

type spansTracer struct {
	noop.Tracer
	to *spans
}

type span struct {
	noop.Span
	to   *spans
	name string
}

func (s *spans) Tracer(string, ...trace.TracerOption) trace.Tracer { return spansTracer{to: s} }

func (s spansTracer) Start(ctx context.Context, name string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	made := &span{to: s.to, name: name}
	return trace.ContextWithSpan(ctx, made), made
}

func (s *span) IsRecording() bool { return true }

func (s *span) End(...trace.SpanEndOption) {
	s.to.mu.Lock()
	defer s.to.mu.Unlock()
	s.to.names = append(s.to.names, s.name)
}

// Each request and each call has its span once, inside the span that Watch has begun.
func TestTraces(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	kept := new(spans)
	s.opts.Name, s.opts.Telemetry.TracerProvider = "support", kept
	s.submit("ann", "go")
	o := s.options()
	o.Watch = func(ctx context.Context, info memory.Info) context.Context {
		ctx, span := kept.Tracer("").Start(ctx, "action of "+info.ID)
		context.AfterFunc(ctx, func() { span.End() })
		return ctx
	}
	if _, err := s.execute(s.env(o), "ann"); err != nil {
		t.Fatal(err)
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	n := make(map[string]int)
	for _, name := range kept.names {
		n[name]++
	}
	if n["chat claude-haiku-4-5"] != 2 || n["execute_tool t"] != 1 {
		t.Errorf("the spans: %v", n)
	}
}
