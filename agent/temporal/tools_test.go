package temporal_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/temporal"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

// together is a model that calls tools at once, in one response, and is done.
func together(calls ...simulator.Part) simulator.Model {
	return simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("done")
		if len(turn.Messages) == 1 {
			r = simulator.Do(calls...)
		}
		return &r, nil
	})
}

func three(name string) []simulator.Part {
	var parts []simulator.Part
	for n := range 3 {
		parts = append(parts, simulator.Call(name, map[string]any{"n": n}))
	}
	return parts
}

// A tool that fails is not the engine's matter: the model is told, and the call is made
// once.
func TestToolsThatFail(t *testing.T) {
	for _, tt := range []struct {
		name string
		call simulator.Part
		tool func(context.Context, in) (string, error)
		want string
		ran  int64
	}{
		{"error", simulator.Call("t", map[string]any{"n": 1}), func(context.Context, in) (string, error) { return "", errors.New("disk full") }, "disk full", 1},
		{"panic", simulator.Call("t", map[string]any{"n": 1}), func(context.Context, in) (string, error) { panic("no idea") }, "no idea", 1},
		{"timeout", simulator.Call("t", map[string]any{"n": 1}), func(ctx context.Context, _ in) (string, error) { <-ctx.Done(); return "", ctx.Err() }, "50ms", 1},
		{"arguments", simulator.Call("t", map[string]any{"n": "many"}), nil, "n", 0},
		{"name", simulator.Call("t2", map[string]any{}), nil, "t2", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: together(tt.call)})
			s.opts.Limits.ToolTime = 50 * time.Millisecond
			s.tool = tt.tool
			s.submit("ann", "go")
			env := s.env(s.options())
			var attempts atomic.Int64
			env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) { attempts.Add(1) })
			if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done {
				t.Fatalf("%+v, %v", out, err)
			}
			got := texts(s.log("ann"))
			if len(got) != 2 || !strings.Contains(got[0], tt.want) || got[1] != "done" {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if s.ran.Load() != tt.ran || attempts.Load() != 3 {
				t.Errorf("%d calls, want %d; %d attempts, want 3", s.ran.Load(), tt.ran, attempts.Load())
			}
		})
	}
}

// The model tries again after an error, with better arguments.
func TestTheModelTriesAgain(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(2)})
	s.tool = func(_ context.Context, in in) (string, error) {
		if in.N == 0 {
			return "", errors.New("say the city")
		}
		return "sunny", nil
	}
	s.submit("ann", "go")
	if _, err := s.execute(s.env(s.options()), "ann"); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(texts(s.log("ann")), ", "); got != "result say the city, result sunny, done" {
		t.Error(got)
	}
}

// An error that ends the run ends the workflow, and the call is made once.
func TestToolsThatEndTheRun(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(1)})
	s.tool = func(context.Context, in) (string, error) { return "", tools.Fatal(errors.New("the account is closed")) }
	s.submit("ann", "go")
	_, err := s.execute(s.env(s.options()), "ann")
	var app *sdk.ApplicationError
	if !errors.As(err, &app) || app.Type() != temporal.TypeFatal || !strings.Contains(app.Message(), "the account is closed") {
		t.Errorf("the workflow: %v", err)
	}
	if got := strings.Join(texts(s.log("ann")), ", "); s.ran.Load() != 1 || got != "result the account is closed" {
		t.Errorf("%d calls, %s", s.ran.Load(), got)
	}
	s.tool = nil
	s.submit("ann", "and now?") // goes on from there
	if out, err := s.execute(s.env(s.options()), "ann"); err != nil || out.Do != temporal.Done {
		t.Errorf("after it: %+v, %v", out, err)
	}
}

// A judge that can't be reached ends the run, and is asked again, with no other request.
func TestAJudgeThatIsAway(t *testing.T) {
	m := &seen{model: says("done")}
	s := newStage(t, simulator.Options{Model: m})
	asked := 0
	s.opts.Check = func(context.Context, *agent.Result) error {
		if asked++; asked < 3 {
			return tools.Fatal(errors.New("the judge is away"))
		}
		return nil
	}
	s.submit("ann", "go")
	if out, err := s.execute(s.env(s.options()), "ann"); err != nil || out.Do != temporal.Done || asked != 3 || len(m.turns) != 1 {
		t.Errorf("%+v, %v, asked %d times, %d requests", out, err, asked, len(m.turns))
	}
}

// Calls of one response run side by side, in one activity; those of a group one by one.
func TestCallsSideBySide(t *testing.T) {
	for _, group := range []string{"", "one"} {
		s := newStage(t, simulator.Options{Model: together(three("side")...)})
		var running, most atomic.Int64
		all := make(chan struct{})
		s.opts.Tools = []tools.Tool{tools.FuncWith("side", "Runs.", func(ctx context.Context, in in) (string, error) {
			now := running.Add(1)
			defer running.Add(-1)
			most.Store(max(most.Load(), now))
			if group == "" {
				if now == 3 {
					close(all)
				}
				select {
				case <-all:
				case <-ctx.Done():
				}
			}
			return fmt.Sprint("side ", in.N), nil
		}, tools.Options{Traits: tools.Traits{Group: group}})}
		s.submit("ann", "go")
		env := s.env(s.options())
		var actions atomic.Int64
		env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) { actions.Add(1) })
		if _, err := s.execute(env, "ann"); err != nil {
			t.Fatal(err)
		}
		want := int64(3)
		if group != "" {
			want = 1
		}
		got := texts(s.log("ann")) // in the order in which they ended
		slices.Sort(got)
		if got := strings.Join(got, ", "); got != "done, result side 0, result side 1, result side 2" || most.Load() != want || actions.Load() != 3 {
			t.Errorf("group %q: %s, %d at once, %d actions", group, got, most.Load(), actions.Load())
		}
	}
}

// Three calls wait; they are decided in another order, one is denied. Those that are
// allowed run once, and the results stand in the order of the calls.
func TestSeveralApprovals(t *testing.T) {
	m := &seen{model: together(three("t")...)}
	s := newStage(t, simulator.Options{Model: m})
	s.opts.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
	var mu sync.Mutex
	ran := make(map[int]int)
	s.tool = func(_ context.Context, in in) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		ran[in.N]++
		return fmt.Sprint("ok ", in.N), nil
	}
	s.submit("ann", "go")
	env := s.env(s.options())
	errs := make([]error, 3)
	env.RegisterDelayedCallback(func() {
		pending := agent.Pending(s.log("ann"))
		if len(pending) != 3 {
			t.Errorf("%d calls wait", len(pending))
			return
		}
		env.UpdateWorkflow(temporal.Approve, "c", result(&errs[0]), temporal.Request{Call: pending[2].CallID, Hash: pending[2].Hash})
		env.UpdateWorkflow(temporal.Approve, "a", result(&errs[1]), temporal.Request{Call: pending[0].CallID})
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(temporal.Deny, "b", result(&errs[2]), temporal.Request{Call: pending[1].CallID, Reason: "not that one"})
		}, time.Hour)
	}, time.Hour)
	if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done {
		t.Fatalf("%+v, %v", out, err)
	}
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	last := m.turns[len(m.turns)-1].Messages
	if len(last) != 3 || len(last[2].Content) != 3 {
		t.Fatalf("the last request: %v", last)
	}
	for i, want := range []string{"ok 0", "not that one", "ok 2"} {
		if got := resultText(last[2].Content[i]); !strings.Contains(got, want) {
			t.Errorf("result %d: %s, want %s", i, got, want)
		}
	}
	if fmt.Sprint(ran) != "map[0:1 2:1]" {
		t.Error(ran)
	}
}

// A sub-agent's call waits; it is decided through the workflow of its caller.
func TestSubAgents(t *testing.T) {
	s := newStage(t, simulator.Options{Model: together(simulator.Call("expert", map[string]any{"task": "find it"}))})
	inner := tools.Func("look", "Looks.", func(context.Context, struct{}) (string, error) { s.ran.Add(1); return "found", nil })
	expert := agentOf(t, agent.Options{Tools: []tools.Tool{inner}, Gate: func(context.Context, agent.ToolRequest) agent.Decision {
		return agent.Decision{Permission: agent.Ask}
	}}, together(simulator.Call("look", map[string]any{})))
	s.opts.Tools = []tools.Tool{agent.Sub{Agent: expert, Name: "expert", Description: "Finds things."}}
	s.submit("ann", "go")
	env := s.env(s.options())
	var approved error
	env.RegisterDelayedCallback(func() {
		for info, err := range s.store.List(t.Context(), memory.Query{}) {
			if err != nil || info.Parent != "ann" {
				continue
			}
			env.UpdateWorkflow(temporal.Approve, "1", result(&approved), temporal.Request{Call: agent.Pending(s.log(info.ID))[0].CallID})
		}
	}, time.Hour)
	if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done {
		t.Fatalf("%+v, %v", out, err)
	}
	if got := strings.Join(texts(s.log("ann")), ", "); got != "result done, done" || s.ran.Load() != 1 || approved != nil {
		t.Errorf("%s, %d calls, %v", got, s.ran.Load(), approved)
	}
	// What the sub-agent spent is in the bill of its caller.
	bill, err := agent.BillOf(t.Context(), s.log("ann"))
	if err != nil {
		t.Fatal(err)
	}
	if bill.Requests != 4 || bill.Usage.OutputTokens == 0 {
		t.Errorf("the bill: %+v", bill)
	}
}

// What a tool may know of its run: the metadata, the user, its key.
func TestWhatToolsKnow(t *testing.T) {
	s := newStage(t, simulator.Options{Model: calls(2)})
	var keys []string
	s.tool = func(ctx context.Context, _ in) (string, error) {
		c := tools.CallOf(ctx)
		keys = append(keys, c.Key)
		return fmt.Sprint(c.Name, " ", c.Meta["tenant"], " ", c.Meta["user"], " ", c.Meta["extra"]), nil
	}
	if err := worker.Submit(t.Context(), s.store, "ann", transport.UserText("go"), map[string]string{"tenant": "acme"}); err != nil {
		t.Fatal(err)
	}
	o := s.options()
	a := s.agent()
	o.Run = func(_ context.Context, info memory.Info) (*agent.Agent, agent.Input, error) {
		return a, agent.Input{User: "u1", Meta: map[string]string{"extra": info.Meta["tenant"] + "2"}}, nil
	}
	if _, err := s.execute(s.env(o), "ann"); err != nil {
		t.Fatal(err)
	}
	if got := texts(s.log("ann")); got[0] != "result t acme u1 acme2" || len(keys) != 2 || keys[0] == keys[1] || keys[0] == "" {
		t.Errorf("%q, keys %q", got, keys)
	}
}

// Pictures and documents, of a user and of a tool, and results of any size. None of it is
// in the history, and the next request has the same bytes.
func TestBlocksOfAnySize(t *testing.T) {
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewRGBA(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	picture, err := transport.Image{Data: buf.Bytes()}.Block()
	if err != nil {
		t.Fatal(err)
	}
	page, err := transport.Document{Text: "a page", Title: "Pages"}.Block()
	if err != nil {
		t.Fatal(err)
	}
	const size = 3 << 20 // more than Temporal's payloads may have
	m := &seen{model: together(simulator.Call("show", map[string]any{}))}
	s := newStage(t, simulator.Options{Model: m})
	s.opts.Limits.ResultBytes, s.opts.Model = -1, "claude-sonnet-5"
	s.opts.Tools = []tools.Tool{tools.Func("show", "Shows.", func(context.Context, struct{}) (tools.Result, error) {
		return tools.Result{Content: []transport.Block{picture, page, transport.Text(strings.Repeat("x", size))}}, nil
	})}
	message := transport.UserText("look")
	message.Content = append(message.Content, picture, page)
	if err := worker.Submit(t.Context(), s.store, "ann", message, nil); err != nil {
		t.Fatal(err)
	}
	env := s.env(s.options())
	var longest atomic.Int64
	env.SetOnActivityCompletedListener(func(_ *activityInfo, v encodedValue, _ error) {
		var p converter.RawValue
		if v != nil && v.Get(&p) == nil {
			longest.Store(max(longest.Load(), int64(len(p.Payload().GetData()))))
		}
	})
	if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done {
		t.Fatalf("%+v, %v", out, err)
	}
	if n := longest.Load(); n == 0 || n > 60 {
		t.Errorf("the longest payload has %d bytes", n)
	}
	want := base64.StdEncoding.EncodeToString(buf.Bytes())
	last := m.turns[len(m.turns)-1].Messages
	for i, b := range []transport.Block{last[0].Content[1], last[2].Content[0]} {
		if raw := string(b.Raw()); !strings.Contains(raw, want) || !strings.Contains(raw, "image/png") {
			t.Errorf("picture %d of the last request: %.200s", i, raw)
		}
	}
	if raw := string(last[2].Content[0].Raw()); len(raw) < size || !strings.Contains(raw, `"Pages"`) {
		t.Errorf("the result has %d bytes", len(raw))
	}
}

// A request and a tool may take longer than a heartbeat: both are waited for.
func TestHeartbeats(t *testing.T) {
	temporal.SetHeartbeat(t, time.Second)
	inner := calls(1)
	var requests atomic.Int64
	s := newStage(t, simulator.Options{Model: simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		if requests.Add(1) == 1 {
			time.Sleep(1500 * time.Millisecond)
		}
		return inner.Respond(ctx, turn)
	})})
	s.tool = func(context.Context, in) (string, error) { time.Sleep(1500 * time.Millisecond); return "ok", nil }
	s.submit("ann", "go")
	env := s.env(s.options())
	var attempts, beats atomic.Int64
	env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) { attempts.Add(1) })
	env.SetOnActivityHeartbeatListener(func(*activityInfo, encodedValues) { beats.Add(1) })
	if _, err := s.execute(env, "ann"); err != nil {
		t.Fatal(err)
	}
	if attempts.Load() != 3 || requests.Load() != 2 || s.ran.Load() != 1 || beats.Load() < 4 {
		t.Errorf("%d attempts, %d requests, %d calls, %d heartbeats", attempts.Load(), requests.Load(), s.ran.Load(), beats.Load())
	}
}

// A tool that is answered from outside waits in the workflow, without a goroutine.
func TestExternalTools(t *testing.T) {
	s := newStage(t, simulator.Options{Model: together(simulator.Call("weigh", map[string]any{}))})
	s.opts.Tools = []tools.Tool{tools.External("weigh", "Weighs.", nil, tools.ExternalOptions{Output: []byte(`{"type":"number"}`)})}
	s.submit("ann", "go")
	env := s.env(s.options())
	var wrong, right error
	env.RegisterDelayedCallback(func() {
		call := agent.Questions(s.log("ann"))[0].Call
		env.UpdateWorkflow(temporal.Answer, "1", then(&wrong, func() {
			env.UpdateWorkflow(temporal.Answer, "2", result(&right), temporal.Request{Call: call, Value: []byte(`7.5`)})
		}), temporal.Request{Call: call, Value: []byte(`"heavy"`)})
	}, 24*time.Hour)
	if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done {
		t.Fatalf("%+v, %v", out, err)
	}
	var app *sdk.ApplicationError
	if !errors.As(wrong, &app) || app.Type() != temporal.TypeAnswer || right != nil {
		t.Errorf("wrong: %v; right: %v", wrong, right)
	}
	if got := strings.Join(texts(s.log("ann")), ", "); got != "result 7.5, done" {
		t.Error(got)
	}
}

// A budget counts over the actions of a session. The workflow fails once, and not again and
// again.
func TestBudgets(t *testing.T) {
	m := &seen{model: calls(50)}
	s := newStage(t, simulator.Options{Model: m})
	s.opts.Budget, s.opts.MaxTokens = &agent.Budget{Tokens: 3000}, 2000
	s.submit("ann", "go")
	env := s.env(s.options())
	var attempts, requests atomic.Int64
	env.SetOnActivityStartedListener(func(*activityInfo, context.Context, encodedValues) { attempts.Add(1) })
	_, err := s.execute(env, "ann")
	var app *sdk.ApplicationError
	if !errors.As(err, &app) || app.Type() != temporal.TypeBudget {
		t.Fatalf("%v; %d requests, spent %+v", err, len(m.turns), s.opts.Budget.Spent())
	}
	requests.Store(int64(len(m.turns)))
	if n := requests.Load(); n < 2 || n > 49 || attempts.Load() != 2*n+1 {
		t.Errorf("%d requests, %d attempts", n, attempts.Load())
	}
}

// A call that a tool makes waits as well, and is decided by the same updates.
func TestApprovalOfACallByATool(t *testing.T) {
	for _, update := range []string{temporal.Approve, temporal.Deny, temporal.Cancel, temporal.Answer} {
		t.Run(update, func(t *testing.T) {
			s := newStage(t, simulator.Options{Model: calls(1)})
			inner := 0
			s.opts.Tools = []tools.Tool{tools.Func("pay", "Pays.", func(context.Context, struct{}) (string, error) { inner++; return "paid", nil })}
			s.opts.Gate = func(_ context.Context, req agent.ToolRequest) agent.Decision {
				if req.Call.Name == "pay" {
					return agent.Decision{Permission: agent.Ask}
				}
				return agent.Decision{Permission: agent.Allow}
			}
			s.tool = func(ctx context.Context, _ in) (string, error) {
				host, ok := tools.HostOf(ctx)
				if !ok {
					return "", errors.New("no host")
				}
				r, err := host.CallTool(ctx, transport.ToolCall{Name: "pay", Input: []byte(`{}`)})
				if err != nil {
					return "", err
				}
				return "so: " + rawjson.GetString(r.Content[0].Raw(), "text"), nil
			}
			s.submit("ann", "go")
			env := s.env(s.options())
			var edited, decided error
			env.RegisterDelayedCallback(func() {
				q := agent.Questions(s.log("ann"))[0]
				r := temporal.Request{Call: q.Call, Reason: "not today"}
				if update == temporal.Answer {
					r.Value = []byte(`"allow"`)
				}
				env.UpdateWorkflow(temporal.Approve, "1", then(&edited, func() {
					env.UpdateWorkflow(update, "2", result(&decided), r)
				}), temporal.Request{Call: q.Call, Input: []byte(`{"n":1}`)})
			}, time.Hour)
			if out, err := s.execute(env, "ann"); err != nil || out.Do != temporal.Done || decided != nil {
				t.Fatalf("%+v, %v; the decision: %v", out, err, decided)
			}
			var app *sdk.ApplicationError
			if !errors.As(edited, &app) || app.Type() != temporal.TypePayload {
				t.Errorf("other arguments for a tool's call: %v", edited)
			}
			want := 0
			if update == temporal.Approve || update == temporal.Answer {
				want = 1
			}
			if got := strings.Join(texts(s.log("ann")), ", "); inner != want || !strings.Contains(got, "so: ") || want == 1 && !strings.Contains(got, "so: paid") {
				t.Errorf("%s, paid %d times", got, inner)
			}
		})
	}
}
