package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// paced streams a response's blocks, one each gap, then ends as told.
type paced struct {
	gap   time.Duration
	stop  string
	err   error // in place of the end
	calls int
	t     *testing.T
	sent  int
	late  func() // is called before the end; may be nil
}

func (p *paced) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		if p.sent++; p.sent > 1 {
			yield(transport.Event{Type: transport.EventMessageStop, Response: reply(p.t, "end_turn", text("ok"))}, nil)
			return
		}
		var blocks []string
		for i := range p.calls {
			blocks = append(blocks, use(fmt.Sprint("c", i), "read", `{}`))
		}
		whole := reply(p.t, p.stop, blocks...)
		for i, b := range whole.Content {
			time.Sleep(p.gap)
			if !yield(transport.Event{Type: transport.EventContentBlockStop, Index: i, Block: b}, nil) {
				return
			}
		}
		if p.late != nil {
			p.late()
		}
		if p.err != nil {
			yield(transport.Event{}, p.err)
			return
		}
		yield(transport.Event{Type: transport.EventMessageStop, Response: whole}, nil)
	}
}

// A turn of 4 calls that are streamed over 2 s and take 1 s each, 2 at once. One
// after the other that is 2 s of stream and 2 s of tools; the least possible is
// 3 s, since the last call is complete at 2 s.
func TestReadOnlyToolsStartEarly(t *testing.T) {
	for readOnly, want := range map[bool]time.Duration{false: 4 * time.Second, true: 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			client := &paced{gap: 500 * time.Millisecond, stop: "tool_use", calls: 4, t: t}
			var ran atomic.Int64
			tool := fake{name: "read", traits: tools.Traits{ReadOnly: readOnly}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
				ran.Add(1)
				time.Sleep(time.Second)
				return tools.Text("x"), nil
			}}
			a, err := agent.New(agent.Options{Client: client, Model: "m", Tools: []tools.Tool{tool}, Limits: agent.Limits{Parallel: 2}})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			run := a.NewRun(agent.Input{Prompt: "go"})
			starts := 0
			for ev, err := range run.Events(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
				if ev.Type == agent.EventToolStart {
					starts++
				}
			}
			if took := time.Since(began); took != want || ran.Load() != 4 || starts != 4 {
				t.Errorf("read-only %v: took %v, want %v; ran %d, started %d", readOnly, took, want, ran.Load(), starts)
			}
			checkValid(t, run.Log())
		})
	}
}

func TestEarlyStartsAreThrownAwayWithTheResponse(t *testing.T) {
	for _, p := range []*paced{
		{stop: "max_tokens"}, {stop: "refusal"}, {stop: "tool_use", err: context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			p.gap, p.calls, p.t = time.Second, 2, t
			tool := fake{name: "read", traits: tools.Traits{ReadOnly: true}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				<-ctx.Done()
				return tools.Text("must not be seen"), nil
			}}
			a, err := agent.New(agent.Options{Client: p, Model: "m", Tools: []tools.Tool{tool}})
			if err != nil {
				t.Fatal(err)
			}
			res, _ := a.Run(context.Background(), agent.Input{Prompt: "go"})
			checkValid(t, res.Log)
			for _, m := range res.Log.Messages() {
				for _, b := range m.Content {
					if strings.Contains(string(b.Raw()), "must not be seen") {
						t.Errorf("stop %s: %s", p.stop, b.Raw())
					}
				}
			}
		})
	}
}

// A gate stands in front of calls that start early as of all others: what it denies is
// never run, and what it asks about waits.
func TestGatesStandBeforeEarlyCalls(t *testing.T) {
	for _, permission := range []agent.Permission{agent.Deny, agent.Ask} {
		synctest.Test(t, func(t *testing.T) {
			client := &paced{gap: time.Second, stop: "tool_use", calls: 2, t: t}
			var ran atomic.Int64
			tool := fake{name: "read", traits: tools.Traits{ReadOnly: true}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
				ran.Add(1)
				return tools.Text("x"), nil
			}}
			gate := func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: permission} }
			a, err := agent.New(agent.Options{Client: client, Model: "m", Tools: []tools.Tool{tool}, Gate: gate})
			if err != nil {
				t.Fatal(err)
			}
			res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
			if waits := errors.Is(err, agent.ErrAwaitingApproval); ran.Load() != 0 || waits != (permission == agent.Ask) || err != nil && !waits {
				t.Errorf("%q: %d calls were run: %v", permission, ran.Load(), err)
			}
			if permission == agent.Deny {
				checkValid(t, res.Log)
			}
		})
	}
}

// events is a client that yields what it is given for its first request.
type events struct {
	list []transport.Event
	last *transport.Response
}

func (e *events) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	list := e.list
	e.list = []transport.Event{{Type: transport.EventMessageStop, Response: e.last}}
	return func(yield func(transport.Event, error) bool) {
		for _, ev := range list {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// A call that was cut off is not started early.
// A call that starts before its response stands has the key that the call keeps, though
// others append to the session meanwhile: what it asks is asked once, and the answer is
// found, and what it is told to be its key is so in each of its runs.
func TestEarlyCallsOfALogThatGrewMeanwhile(t *testing.T) {
	store := new(memory.RAM)
	keys := make(map[string]bool)
	answered, starts := 0, 0
	tool := fake{name: "read", traits: tools.Traits{ReadOnly: true}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		info := tools.CallOf(ctx)
		got, err := info.Host.Ask(ctx, tools.Question{Prompt: "Which one?"})
		if ctx.Err() == nil {
			keys[info.Key] = true
		}
		if err != nil {
			return tools.Result{}, err
		}
		answered++
		return tools.Text(string(got.Value)), nil
	}}
	client := &paced{stop: "tool_use", calls: 1, t: t}
	client.late = func() {
		log, err := memory.Open(t.Context(), store, "s")
		if err == nil {
			err = log.Append(t.Context(), memory.Record{Kind: memory.KindNote, Note: "seen", Data: []byte("{}")})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a, err := agent.New(agent.Options{Client: client, Model: "m", Tools: []tools.Tool{tool}})
	if err != nil {
		t.Fatal(err)
	}
	run := a.NewRun(agent.Input{Store: store, Session: "s", Prompt: "go"})
	for ev := range run.Events(t.Context()) {
		if ev.Type == agent.EventToolStart {
			starts++
		}
	}
	var waits *agent.ApprovalError
	if _, err := run.Result(); !errors.As(err, &waits) || len(waits.Questions) != 1 {
		t.Fatalf("the run ended with %v", err)
	}
	if err := waits.Questions[0].Answer(t.Context(), run.Log(), tools.Answer{Value: json.RawMessage(`"this"`)}); err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil || answered != 1 {
		t.Fatalf("%v; %d answers reached the tool", err, answered)
	}
	if len(keys) != 1 || starts != 1 {
		t.Errorf("the call had the keys %v, and began %d times", keys, starts)
	}
	checkValid(t, res.Log)
}

func TestCutCallsDoNotStartEarly(t *testing.T) {
	cut := reply(t, "max_tokens", use("c0", "read", `{}`))
	list := []transport.Event{{Type: transport.EventContentBlockStop, Block: cut.Content[0], Cut: true}, {Type: transport.EventMessageStop, Response: cut}}
	var ran atomic.Int64
	tool := fake{name: "read", traits: tools.Traits{ReadOnly: true}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
		ran.Add(1)
		return tools.Text("x"), nil
	}}
	a, err := agent.New(agent.Options{Client: &events{list, reply(t, "end_turn", text("ok"))}, Model: "m", Tools: []tools.Tool{tool}})
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	for ev := range a.NewRun(agent.Input{Prompt: "go"}).Events(t.Context()) {
		if ev.Type == agent.EventToolStart {
			events++
		}
	}
	if ran.Load() != 0 || events != 0 {
		t.Errorf("%d calls were run, %d started", ran.Load(), events)
	}
}

// restarts streams a call, starts over, and streams another call of the same id.
type restarts struct {
	t    *testing.T
	sent int
	ran  chan struct{} // what the void call sends before the restart
}

func (r *restarts) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		if r.sent++; r.sent > 1 {
			yield(transport.Event{Type: transport.EventMessageStop, Response: reply(r.t, "end_turn", text("ok"))}, nil)
			return
		}
		void, whole := reply(r.t, "tool_use", use("c", "read", `{"page":1}`)), reply(r.t, "tool_use", use("c", "read", `{"page":2}`))
		if !yield(transport.Event{Type: transport.EventContentBlockStop, Block: void.Content[0]}, nil) {
			return
		}
		<-r.ran
		_ = yield(transport.Event{Type: transport.EventRestarted}, nil) &&
			yield(transport.Event{Type: transport.EventContentBlockStop, Block: whole.Content[0]}, nil) &&
			yield(transport.Event{Type: transport.EventMessageStop, Response: whole}, nil)
	}
}

// What was started for a response that is void answers no call of the next one, even
// where a gateway gives both the same id, and ends no run.
func TestEarlyCallsOfARestartedResponse(t *testing.T) {
	for name, void := range map[string]error{"a result": nil, "an error": errors.New("no such page"), "the end of the run": tools.Fatal(errors.New("the account is closed"))} {
		ran := make(chan struct{}, 1)
		tool := fake{name: "read", traits: tools.Traits{ReadOnly: true}, call: func(_ context.Context, input json.RawMessage) (tools.Result, error) {
			if string(input) == `{"page":1}` {
				ran <- struct{}{}
				return tools.Text("page 1"), void
			}
			return tools.Text("page " + string(input)), nil
		}}
		a, err := agent.New(agent.Options{Client: &restarts{t: t, ran: ran}, Model: "m", Tools: []tools.Tool{tool}})
		if err != nil {
			t.Fatal(err)
		}
		res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := string(res.Log.Messages()[2].Content[0].Raw()); !strings.Contains(got, `{\"page\":2}`) {
			t.Errorf("%s: the call was answered by %s", name, got)
		}
	}
}

// blockwise yields the ends of a response's blocks before its own.
type blockwise struct{ *script }

func (b blockwise) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		for ev, err := range b.script.Stream(ctx, req) {
			if ev.Type == transport.EventMessageStop {
				for i, block := range ev.Response.Content {
					if !yield(transport.Event{Type: transport.EventContentBlockStop, Index: i, Block: block}, nil) {
						return
					}
				}
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// In the last step of a budget no call is run, also none that could start early.
func TestNoEarlyCallsInTheLastStep(t *testing.T) {
	var ran []string
	tool := fake{name: "read", traits: tools.Traits{ReadOnly: true}, call: func(_ context.Context, input json.RawMessage) (tools.Result, error) {
		ran = append(ran, string(input))
		return tools.Text("x"), nil
	}}
	s := &script{replies: []any{
		priced(t, "tool_use", 10_000, 1000, use("a", "read", `{"n":1}`)),
		priced(t, "tool_use", 10_000, 1000, use("b", "read", `{"n":2}`)),
		priced(t, "tool_use", 10_000, 200, text("just one more"), use("c", "read", `{"n":3}`)),
	}}
	a, err := agent.New(agent.Options{Client: blockwise{s}, Model: "claude-opus-5-5", Budget: &agent.Budget{USD: 0.23, WriteUp: "Answer now."}, Tools: []tools.Tool{tool}})
	if err != nil {
		t.Fatal(err)
	}
	starts := 0
	run := a.NewRun(agent.Input{Prompt: "go"})
	for ev := range run.Events(t.Context()) {
		if ev.Type == agent.EventToolStart {
			starts++
		}
	}
	res, err := run.Result()
	var short *agent.BudgetError
	if !errors.As(err, &short) || !short.WrittenUp || res.Steps != 3 {
		t.Fatalf("%d steps, %v", res.Steps, err)
	}
	if len(ran) != 2 || starts != 2 {
		t.Errorf("calls with %q ran, and %d were told of", ran, starts)
	}
	checkValid(t, res.Log)
}
