package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// recordsOf is a session as it is stored, but for the times.
func recordsOf(t testing.TB, store memory.Store, id string) string {
	t.Helper()
	var out []byte
	for rec, err := range store.Load(t.Context(), id, memory.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		rec.Time = time.Unix(0, 0)
		if out, err = rec.AppendJSON(out); err != nil {
			t.Fatal(err)
		}
		out = append(out, '\n')
	}
	return string(out)
}

// stepper does one action of a session, with an agent and a log of its own, as
// another process would.
type stepper struct {
	make  func() *agent.Agent
	input agent.Input // of each step, without a prompt
	at    memory.Position
}

func (s *stepper) step(ctx context.Context, prompt string) (*agent.Result, error) {
	in := s.input
	in.Prompt, in.Actions, in.At = prompt, 1, &s.at
	res, err := s.make().Run(ctx, in)
	s.at = res.Log.Position()
	return res, err
}

// drive does steps until there is nothing left to do. meanwhile is called between
// two of them.
func (s *stepper) drive(ctx context.Context, prompt string, meanwhile func(*agent.Result)) (*agent.Result, int, error) {
	for n := 1; ; n++ {
		res, err := s.step(ctx, prompt)
		if err != nil || agent.Next(res.Log).Done() {
			return res, n, err
		}
		if prompt = ""; meanwhile != nil {
			meanwhile(res)
		}
	}
}

// A conversation with all that a run can come across, done step by step with a new
// Agent and a log loaded again, has the records that one run gives it.
func TestStepsAreARun(t *testing.T) {
	thinking := `{"type":"thinking","thinking":"","signature":"c2ln"}`
	long := text(strings.Repeat("All that was found so far. ", 3000))
	big := func(id, name string) *transport.Response {
		r := reply(t, "tool_use", thinking, long, use(id, name, `{}`))
		r.Usage.InputTokens = 90_000
		return r
	}
	format, err := tools.NewOutput[struct {
		N int `json:"n"`
	}]()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		replies func() []any
		opts    agent.Options
		input   agent.Input
		ends    string // the error, or the text
		steps   int
		has     string // in the records
	}{
		{"tools, a pause and a cut", func() []any {
			return []any{
				reply(t, "tool_use", thinking, use("a", "echo", `{"n":1}`), use("b", "read", `{"n":2}`), use("c", "read", `{"n":3}`), use("x", "none", `{}`)),
				reply(t, "pause_turn", text("Wait. "), `{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}}`),
				reply(t, "tool_use", `{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`, use("d", "read", `{"n":4}`)),
				reply(t, "max_tokens", text("Half"), use("e", "echo", `{}`)),
				reply(t, "end_turn", text("Done.")),
			}
		}, agent.Options{}, agent.Input{}, "Done.", 8, `max_tokens`},
		{"an approver", func() []any {
			return []any{reply(t, "tool_use", use("a", "pay", `{"n":1}`), use("b", "pay", `{"n":2}`), use("c", "echo", `{}`)), reply(t, "end_turn", text("Paid."))}
		}, agent.Options{Approver: func(_ context.Context, c agent.PendingCall) (agent.Decision, error) {
			if c.CallID == "a" {
				return agent.Decision{Permission: agent.Allow, Input: json.RawMessage(`{"n":7}`)}, nil
			}
			return agent.Decision{Permission: agent.Deny, Reason: "too much"}, nil
		}}, agent.Input{}, "Paid.", 5, `"approve":true`},
		{"nobody to approve", func() []any {
			return []any{reply(t, "tool_use", use("a", "pay", `{"n":1}`), use("c", "echo", `{}`))}
		}, agent.Options{}, agent.Input{}, "waits for approval", 2, `"ask"`},
		{"a typed answer", func() []any {
			return []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text(`{"n":3}`))}
		}, agent.Options{}, agent.Input{Output: format, User: "u-1", Meta: map[string]string{"tenant": "t"}}, `{"n":3}`, 3, `output_config`},
		{"summaries", func() []any {
			return []any{big("a", "echo"), reply(t, "end_turn", text("So far: much.")), big("b", "echo"), reply(t, "end_turn", text("So far: more.")), reply(t, "end_turn", text("Done."))}
		}, agent.Options{Context: agent.ContextOptions{Compaction: &agent.Compaction{Over: 60_000, Steps: 40, Prompt: "Sum up."}}}, agent.Input{}, "Done.", 5, `"kind":"summary"`},
		{"a summary that fails", func() []any {
			return []any{big("a", "echo"), &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "no"}, big("b", "echo"), reply(t, "end_turn", text("Done."))}
		}, agent.Options{Context: agent.ContextOptions{Compaction: &agent.Compaction{Over: 60_000, Steps: 40, Prompt: "Sum up."}}}, agent.Input{}, "Done.", 5, `"note":"unsummarized"`},
		{"reminders", func() []any {
			return []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("Done."))}
		}, agent.Options{Context: agent.ContextOptions{Reminder: func(_ context.Context, s agent.Status) string {
			return fmt.Sprint("Step ", s.Steps+1, " for ", s.Meta["tenant"], s.User)
		}}}, agent.Input{Meta: map[string]string{"tenant": "t"}, User: "u"}, "Done.", 3, `Step 2 for tu`},
		{"a limit", func() []any {
			return []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "tool_use", use("b", "echo", `{}`)), reply(t, "tool_use", use("c", "echo", `{}`))}
		}, agent.Options{}, agent.Input{Limits: agent.Limits{Steps: 2}}, "2 steps", 4, `"steps":2`},
		{"a condition", func() []any {
			return []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "tool_use", use("b", "echo", `{}`)), reply(t, "tool_use", use("c", "echo", `{}`))}
		}, agent.Options{StopWhen: func(_ context.Context, s agent.Status) string {
			if s.Usage.OutputTokens >= 10 {
				return "ten tokens"
			}
			return ""
		}}, agent.Input{}, "ten tokens", 5, `"echo"`},
		{"a refusal", func() []any {
			return []any{reply(t, "refusal", text("No."))}
		}, agent.Options{}, agent.Input{}, "refused", 1, `refusal`},
		{"a broken tool", func() []any {
			return []any{reply(t, "tool_use", use("a", "fatal", `{}`)), reply(t, "end_turn", text("Done."))}
		}, agent.Options{}, agent.Input{}, "gone", 2, `gone`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var reads atomic.Int64
			pay, read := echo("pay"), echo("read")
			pay.traits.NeedsApproval = true
			read.traits.ReadOnly = true
			inner := read.call
			read.call = func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
				reads.Add(1)
				return inner(ctx, in)
			}
			fatal := fake{name: "fatal", call: func(context.Context, json.RawMessage) (tools.Result, error) {
				return tools.Result{}, tools.Fatal(errors.New("gone"))
			}}
			script := &blocks{script: script{replies: tt.replies()}}
			newAgent := func() *agent.Agent {
				opts := tt.opts
				opts.Client, opts.Model, opts.Limits.Parallel = script, "claude-opus-5-5", 1
				opts.Tools = []tools.Tool{echo("echo"), read, pay, fatal}
				a, err := agent.New(opts)
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			whole, step := new(memory.RAM), new(memory.RAM)
			in := tt.input
			in.Store, in.Session, in.Prompt = whole, "s", "go"
			wantRes, wantErr := newAgent().Run(t.Context(), in)
			once, left := reads.Swap(0), len(script.replies)

			script.replies = tt.replies()
			s := &stepper{make: newAgent, input: tt.input}
			s.input.Store, s.input.Session = step, "s"
			res, n, err := s.drive(t.Context(), "go", nil)

			want, got := recordsOf(t, whole, "s"), recordsOf(t, step, "s")
			if got != want {
				t.Errorf("the records are\n%s\nand those of one run\n%s", got, want)
			}
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || err == nil && res.Text != tt.ends || err != nil && !strings.Contains(err.Error(), tt.ends) {
				t.Errorf("%q, %v; one run: %q, %v", res.Text, err, wantRes.Text, wantErr)
			}
			if res.Steps != wantRes.Steps || res.Usage.OutputTokens != wantRes.Usage.OutputTokens || res.Cost != wantRes.Cost || res.Text != wantRes.Text || res.StopReason != wantRes.StopReason {
				t.Errorf("%+v, one run: %+v", res, wantRes)
			}
			if n != tt.steps || len(script.replies) != left || reads.Load() != once {
				t.Errorf("%d steps, want %d; %d replies left, want %d; %d reads, want %d", n, tt.steps, len(script.replies), left, reads.Load(), once)
			}
			if !strings.Contains(got, tt.has) {
				t.Errorf("no %s in the records: the test tests nothing\n%s", tt.has, got)
			}
			if !errors.Is(err, agent.ErrAwaitingApproval) {
				checkValid(t, res.Log)
			}
		})
	}
}

// blocks is a script that streams the blocks of its replies, so that calls may begin
// before a response is complete.
type blocks struct{ script }

func (b *blocks) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		for ev, err := range b.script.Stream(ctx, req) {
			if ev.Type == transport.EventMessageStop {
				for i, c := range ev.Response.Content {
					if !yield(transport.Event{Type: transport.EventContentBlockStop, Index: i, Block: c}, nil) {
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

// A message from outside lands at the same place, and one for a session whose turn is
// over begins a run of its own, with limits that start over.
func TestStepsTakeTheInbox(t *testing.T) {
	store := new(memory.RAM)
	script := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("one"))}}
	s := &stepper{make: func() *agent.Agent { return newAgent(t, script, agent.Options{}, echo("echo")) }}
	s.input = agent.Input{Store: store, Session: "s", Limits: agent.Limits{Steps: 2}}
	say := func(words string) {
		t.Helper()
		if err := memory.Enqueue(t.Context(), store, "s", transport.UserText(words)); err != nil {
			t.Fatal(err)
		}
	}
	said := false
	res, n, err := s.drive(t.Context(), "go", func(*agent.Result) {
		if !said {
			say("hurry")
			said = true
		}
	})
	if err != nil || res.Text != "one" || n != 3 || texts(script.requests[1].Messages[2:]) != " / hurry" {
		t.Fatalf("%q, %v after %d steps; the model was told %q", res.Text, err, n, texts(script.requests[1].Messages))
	}
	script.replies = []any{reply(t, "tool_use", use("b", "echo", `{}`)), reply(t, "end_turn", text("two"))}
	say("and now?")
	res, n, err = s.drive(t.Context(), "", nil)
	if err != nil || res.Text != "two" || n != 3 || res.Steps != 2 {
		t.Errorf("%q, %v after %d steps, %d model calls", res.Text, err, n, res.Steps)
	}
	if k := kinds(res.Log); k[memory.KindRun] != 2 {
		t.Errorf("%v", k)
	}
	// A step of a session that is over does nothing, and says so again.
	before := s.at
	res, n, err = s.drive(t.Context(), "", nil)
	if err != nil || res.Text != "two" || n != 1 || s.at != before {
		t.Errorf("%q, %v after %d steps at %+v", res.Text, err, n, s.at)
	}
}

// What waits is told with how long it may wait. A decision in another process lets
// the next step go on.
func TestStepsWait(t *testing.T) {
	store := new(memory.RAM)
	pay := echo("pay")
	pay.traits.NeedsApproval = true
	deadline := time.Now().Add(time.Hour).Truncate(time.Second)
	ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		if _, err := h.Ask(ctx, tools.Question{Key: "later", Prompt: "?", Deadline: deadline.Add(time.Hour)}); err != nil && !errors.Is(err, tools.ErrWaiting) {
			return tools.Result{}, err
		}
		a, err := h.Ask(ctx, tools.Question{Key: "k", Prompt: "?", Deadline: deadline})
		return tools.Text(string(a.Value)), err
	})
	script := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`), use("b", "ask", `{}`)), reply(t, "end_turn", text("ok"))}}
	s := &stepper{make: func() *agent.Agent { return newAgent(t, script, agent.Options{}, pay, ask) }}
	s.input = agent.Input{Store: store, Session: "s"}
	res, n, err := s.drive(t.Context(), "go", nil)
	waits := agent.Next(res.Log)
	if !errors.Is(err, agent.ErrAwaitingApproval) || !waits.Waits() || len(waits.Calls) != 1 || len(waits.Questions) != 2 || !waits.Until().Equal(deadline) || n != 2 {
		t.Fatalf("%v after %d steps: %+v, until %v", err, n, waits, waits.Until())
	}
	at := s.at
	if _, err := s.step(t.Context(), ""); !errors.Is(err, agent.ErrAwaitingApproval) || s.at != at {
		t.Errorf("waiting on changed the log: %v, %+v", err, s.at)
	}
	other := openLog(t, store)
	if err := agent.Pending(other)[0].Approve(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for _, q := range agent.Questions(other) {
		if err := q.Answer(t.Context(), other, tools.Answer{Value: json.RawMessage(`1`)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.step(t.Context(), ""); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("the log has moved on: %v", err)
	}
	if res, n, err = s.drive(t.Context(), "", nil); err != nil || res.Text != "ok" || n != 2 {
		t.Errorf("%q, %v after %d steps", res.Text, err, n)
	}
	if (agent.Action{}).Until() != (time.Time{}) {
		t.Error("without a deadline there is an end of the wait")
	}
}

// unleased is a store in which nothing but the records' number keeps two apart.
type unleased struct{ ram *memory.RAM }

func (s unleased) Append(ctx context.Context, id string, at memory.Position, r ...memory.Record) error {
	return s.ram.Append(ctx, id, at, r...)
}
func (s unleased) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return s.ram.Load(ctx, id, from)
}
func (s unleased) Info(ctx context.Context, id string) (memory.Info, error) {
	return s.ram.Info(ctx, id)
}
func (s unleased) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return s.ram.List(ctx, q)
}
func (s unleased) Delete(ctx context.Context, id string) error { return s.ram.Delete(ctx, id) }

// Of those that do the same step at once exactly one comes to something, whether
// they begin together or one of them is late, and what the others did leaves nothing.
func TestStepsAtOnce(t *testing.T) {
	const n = 4
	replies := func() []*transport.Response {
		return []*transport.Response{
			reply(t, "tool_use", use("a", "count", `{}`), use("b", "count", `{}`)),
			reply(t, "tool_use", use("c", "count", `{}`)),
			reply(t, "end_turn", text("Done.")),
		}
	}
	for _, leases := range []bool{true, false} {
		var calls atomic.Int64
		count := fake{name: "count", call: func(context.Context, json.RawMessage) (tools.Result, error) {
			calls.Add(1)
			return tools.Text("ok"), nil
		}}
		newStepper := func(store memory.Store, at memory.Position) *stepper {
			return &stepper{at: at, input: agent.Input{Store: store, Session: "s"}, make: func() *agent.Agent {
				a, err := agent.New(agent.Options{Client: turnBased{replies()}, Model: "claude-opus-5-5", Tools: []tools.Tool{count}, Limits: agent.Limits{Parallel: 1}})
				if err != nil {
					t.Error(err)
				}
				return a
			}}
		}
		alone := new(memory.RAM)
		if _, _, err := newStepper(alone, memory.Position{}).drive(t.Context(), "go", nil); err != nil {
			t.Fatal(err)
		}
		want := recordsOf(t, alone, "s")
		calls.Store(0)
		ram := new(memory.RAM)
		var store memory.Store = ram
		if !leases {
			store = unleased{ram}
		}
		var at memory.Position
		for step, over := 0, false; !over; step++ {
			prompt := ""
			if step == 0 {
				prompt = "go"
			}
			var wg sync.WaitGroup
			results, errs := make([]*agent.Result, n), make([]error, n)
			for i := range n {
				wg.Go(func() { results[i], errs[i] = newStepper(store, at).step(t.Context(), prompt) })
			}
			wg.Wait()
			won := -1
			for i, err := range errs {
				switch {
				case err == nil && won < 0:
					won = i
				case !errors.Is(err, memory.ErrConflict) && !errors.Is(err, memory.ErrLeased) && !errors.Is(err, memory.ErrReplaced):
					t.Fatalf("step %d, leases %v: attempt %d ended with %v", step, leases, i, err)
				}
			}
			if won < 0 {
				t.Fatalf("step %d, leases %v: nobody came to anything: %v", step, leases, errs)
			}
			before := recordsOf(t, store, "s")
			if _, err := newStepper(store, at).step(t.Context(), prompt); !errors.Is(err, memory.ErrConflict) { // a late one
				t.Errorf("step %d: a late attempt ended with %v", step, err)
			}
			if after := recordsOf(t, store, "s"); after != before {
				t.Errorf("step %d: a late attempt changed the log", step)
			}
			at = results[won].Log.Position()
			over = agent.Next(results[won].Log).Done()
		}
		if got := recordsOf(t, store, "s"); got != want || calls.Load() != 3 {
			t.Errorf("leases %v: %d calls; the records are\n%s\nand those of one alone\n%s", leases, calls.Load(), got, want)
		}
	}
}

// What a step is told of where the log ends is heeded before anything is done.
func TestInputAt(t *testing.T) {
	store := new(memory.RAM)
	s := &script{replies: []any{reply(t, "end_turn", text("one")), reply(t, "end_turn", text("two"))}}
	a := newAgent(t, s, agent.Options{})
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go", At: new(memory.Position)})
	if err != nil {
		t.Fatal(err)
	}
	end := res.Log.Position()
	for _, tt := range []struct {
		name string
		in   agent.Input
		want error
	}{
		{"given twice", agent.Input{Store: store, Session: "s", Prompt: "go", At: new(memory.Position)}, memory.ErrConflict},
		{"too low", agent.Input{Store: store, Session: "s", At: &memory.Position{Records: end.Records - 1}}, memory.ErrConflict},
		{"too high", agent.Input{Store: store, Session: "s", At: &memory.Position{Records: end.Records + 1}}, memory.ErrConflict},
		{"another session of that id", agent.Input{Store: store, Session: "s", At: &memory.Position{Incarnation: "other", Records: end.Records}}, memory.ErrReplaced},
		{"no session", agent.Input{Store: store, Session: "t", At: &memory.Position{Records: 3}}, memory.ErrNoSession},
		{"no session, something to say", agent.Input{Store: store, Session: "t", Prompt: "go", At: &memory.Position{Records: 3}}, memory.ErrNoSession},
		{"a log in memory", agent.Input{Log: memory.NewLog(), Prompt: "go", At: &memory.Position{Records: 3}}, memory.ErrConflict},
	} {
		before := recordsOf(t, store, "s")
		for name, run := range map[string]func() error{
			"Run":    func() error { _, err := a.Run(t.Context(), tt.in); return err },
			"Events": func() error { _, err := finish(t.Context(), a.NewRun(tt.in)); return err },
			"FanOut": func() error {
				for _, err := range a.FanOut(t.Context(), tt.in, transport.UserText("x")) {
					return err
				}
				return nil
			},
		} {
			if err := run(); !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: %v, want %v", tt.name, name, err, tt.want)
			}
		}
		if after := recordsOf(t, store, "s"); after != before {
			t.Errorf("%s: the log was changed", tt.name)
		}
	}
	if len(s.requests) != 1 {
		t.Errorf("%d requests", len(s.requests))
	}
	if _, res, err := agent.Generate[int](t.Context(), a, agent.Input{Store: store, Session: "s", Prompt: "?", At: &end}); err == nil || res.Text != "two" {
		t.Errorf("where the log ends at At the run goes on: %q, %v", res.Text, err)
	}
	if _, err := store.Info(t.Context(), "t"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a session was begun: %v", err)
	}
}

// Gates, reminders and conditions of a later step know what the session was begun
// with.
func TestStepsKnowTheMetadata(t *testing.T) {
	store := new(memory.RAM)
	script := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("ok"))}}
	var seen []agent.Status
	gate := func(_ context.Context, req agent.ToolRequest) agent.Decision {
		seen = append(seen, req.Status)
		return agent.Decision{}
	}
	s := &stepper{make: func() *agent.Agent { return newAgent(t, script, agent.Options{Gate: gate}, echo("echo")) }}
	s.input = agent.Input{Store: store, Session: "s", Meta: map[string]string{"tenant": "t"}, User: "u"}
	if _, err := s.step(t.Context(), "go"); err != nil {
		t.Fatal(err)
	}
	s.input.Meta, s.input.User = map[string]string{"case": "7"}, ""
	if _, err := s.step(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0].User != "u" || fmt.Sprint(seen[0].Meta) != "map[case:7 tenant:t user:u]" {
		t.Errorf("the gate of the second step saw %+v", seen)
	}
}

// A typed answer that has not come is no answer.
func TestGenerateInSteps(t *testing.T) {
	script := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text(`{"n":3}`))}}
	a := newAgent(t, script, agent.Options{}, echo("echo"))
	type answer struct {
		N int `json:"n"`
	}
	in := agent.Input{Log: memory.NewLog(), Prompt: "go", Actions: 1}
	for range 2 {
		if _, _, err := agent.Generate[answer](t.Context(), a, in); !errors.Is(err, agent.ErrNotEnded) {
			t.Fatalf("%v", err)
		}
		in.Prompt = ""
	}
	if v, _, err := agent.Generate[answer](t.Context(), a, in); err != nil || v.N != 3 {
		t.Errorf("%+v, %v", v, err)
	}
}

// A step that ends with the response doesn't begin its calls: the next one makes them.
func TestStepsBeginNoCallEarly(t *testing.T) {
	read := echo("read")
	read.traits.ReadOnly = true
	for actions, want := range []int{2, 0, 2, 2} {
		s := &blocks{script: script{replies: []any{reply(t, "tool_use", use("a", "read", `{}`), use("b", "read", `{}`)), reply(t, "end_turn", text("ok"))}}}
		a, err := agent.New(agent.Options{Client: s, Model: "claude-opus-5-5", Tools: []tools.Tool{read}})
		if err != nil {
			t.Fatal(err)
		}
		began := 0
		for ev, err := range a.NewRun(agent.Input{Prompt: "go", Actions: actions}).Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Type == agent.EventToolStart {
				began++
			}
		}
		if began != want {
			t.Errorf("with %d actions %d calls were begun, want %d", actions, began, want)
		}
	}
}
