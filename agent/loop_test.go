package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

func TestRun(t *testing.T) {
	s := &script{replies: []any{
		reply(t, "tool_use", text("Looking."), use("a", "echo", `{"n":9007199254740993,"z":1,"b":"<"}`), use("b", "echo", `{}`)),
		reply(t, "end_turn", text("Done.")),
	}}
	run := newAgent(t, s, agent.Options{System: "Be brief."}, echo("echo")).NewRun(agent.Input{Prompt: "go"})
	var got []string
	for ev, err := range run.Events(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type != agent.EventStream {
			got = append(got, fmt.Sprintf("%s %d %s", ev.Type, ev.Step, ev.Call.ID))
		}
	}
	want := "step 1 |response 1 |tool_start 1 a|tool_start 1 b|tool_end 1 a|tool_end 1 b|step 2 |response 2 "
	if strings.Join(got, "|") != want {
		t.Errorf("events:\n got %s\nwant %s", strings.Join(got, "|"), want)
	}
	res, err := run.Result()
	if err != nil {
		t.Fatal(err)
	}
	if res.Text != "Done." || res.Steps != 2 || res.StopReason != "end_turn" || res.Usage.InputTokens != 20 {
		t.Errorf("result: %+v", res)
	}
	checkValid(t, res.Log)
	// The tool got the arguments as the model wrote them, and the model got them back.
	if raw := string(res.Log.Messages()[2].Content[0].Raw()); !strings.Contains(raw, `{\"n\":9007199254740993,\"z\":1,\"b\":\"<\"}`) {
		t.Errorf("arguments were changed: %s", raw)
	}
	if _, err := run.Result(); err != nil {
		t.Errorf("Result asked for twice: %v", err)
	}
	for _, err := range run.Events(context.Background()) {
		if err == nil || !strings.Contains(err.Error(), "once") {
			t.Errorf("Events asked for twice: %v", err)
		}
	}
}

func TestStopReasons(t *testing.T) {
	server := `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`
	served := `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`
	cut := func() *transport.Response { return reply(t, "max_tokens", text("x"), use("c", "echo", `{}`)) }
	paused := func() *transport.Response { return reply(t, "pause_turn", text("Let me see. "), server) }
	pausedAt := func(n int) *transport.Response {
		return reply(t, "pause_turn", text("Let me see. "), strings.Replace(server, "srvtoolu_1", fmt.Sprint("srvtoolu_", n), 1))
	}
	tests := []struct {
		name    string
		replies []any
		steps   int
		text    string
		err     string // "" for none
	}{
		{"end_turn", []any{reply(t, "end_turn", text("ok"))}, 1, "ok", ""},
		{"stop_sequence", []any{reply(t, "stop_sequence", text("ok"))}, 1, "ok", ""},
		{"calls at an end_turn are run", []any{reply(t, "end_turn", text("half"), use("1", "echo", "{}")), reply(t, "end_turn", text("ok"))}, 2, "ok", ""},
		{"and at a stop sequence", []any{reply(t, "stop_sequence", text("half"), use("1", "echo", "{}")), reply(t, "end_turn", text("ok"))}, 2, "ok", ""},
		{"and at a reason of other APIs", []any{reply(t, "tool_calls", text("half"), use("1", "echo", "{}")), reply(t, "end_turn", text("ok"))}, 2, "ok", ""},
		{"an empty end_turn is an end", []any{reply(t, "end_turn")}, 1, "", ""},
		{"max_tokens in text", []any{reply(t, "max_tokens", text("half"))}, 1, "half", "raise Options.MaxTokens"},
		{"refusal", []any{reply(t, "refusal", text("no"))}, 1, "no", "refused"},
		{"model_context_window_exceeded", []any{reply(t, "model_context_window_exceeded", text("half"))}, 1, "half", "context window"},
		{"unknown", []any{reply(t, "from_next_year", text("what"))}, 1, "what", "doesn't know"},
		{"a pause is no end", []any{paused(), reply(t, "end_turn", served, text("Found."))}, 2, "Let me see. Found.", ""},
		{"pauses have a limit", []any{paused(), pausedAt(2), pausedAt(3), pausedAt(4)}, 3, "Let me see. Let me see. Let me see. ", "paused its turn more than 2 times"},
		{"calls cut off are answered, not run", []any{cut(), reply(t, "end_turn", text("ok"))}, 2, "ok", ""},
		{"but not for ever", []any{cut(), cut(), cut(), cut(), cut(), cut()}, 3, "x", "max_tokens cut a tool call"},
		{"tool_use without a call is asked again once", []any{reply(t, "tool_use"), reply(t, "end_turn", text("ok"))}, 2, "ok", ""},
		{"and not twice", []any{reply(t, "tool_use"), reply(t, "tool_use"), reply(t, "tool_use")}, 2, "", "named none"},
		{"a text in its place is left out, and asked for again", []any{reply(t, "tool_use", text("I look.")), reply(t, "end_turn", text("ok"))}, 2, "ok", ""},
		{"and not twice, either", []any{reply(t, "tool_use", text("I look.")), reply(t, "tool_use", text("I look.")), reply(t, "end_turn")}, 2, "I look.", "named none"},
		{"a pause where no tool of the service works", []any{reply(t, "pause_turn", text("Let me see. ")), reply(t, "end_turn", text("ok"))}, 2, "ok", ""},
		{"has an end", []any{reply(t, "pause_turn", text("a")), reply(t, "pause_turn", text("b")), reply(t, "end_turn")}, 2, "b", "go on with a message"},
		{"a pause behind one in which a tool of the service works", []any{reply(t, "pause_turn", server, served), reply(t, "pause_turn", text("a")), reply(t, "end_turn", text("b"))}, 3, "ab", ""},
		{"a pause behind a served result", []any{paused(), reply(t, "pause_turn", served, text("a")), reply(t, "end_turn", text("b"))}, 3, "Let me see. ab", ""},
		{"compaction goes on", []any{reply(t, "compaction", `{"type":"compaction","content":"sum","encrypted_content":"x"}`), reply(t, "end_turn", text("ok"))}, 2, "ok", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &script{replies: tt.replies}
			ran := 0
			tool := fake{name: "echo", call: func(context.Context, json.RawMessage) (tools.Result, error) { ran++; return tools.Result{}, nil }}
			a := newAgent(t, s, agent.Options{Limits: agent.Limits{Pauses: 2, Cuts: 2}}, tool)
			res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
			switch {
			case tt.err == "" && err != nil:
				t.Fatal(err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Fatalf("error %v, want one with %q", err, tt.err)
			}
			if res.Steps != tt.steps || res.Text != tt.text {
				t.Errorf("%d steps, text %q; want %d, %q", res.Steps, res.Text, tt.steps, tt.text)
			}
			if want := strings.Contains(tt.name, " at a"); ran > 0 != want {
				t.Errorf("%d calls were run", ran)
			}
			checkValid(t, res.Log)
		})
	}
}

func TestStepLimitLeavesAValidLog(t *testing.T) {
	var replies []any
	for i := range 10 {
		replies = append(replies, reply(t, "tool_use", use(fmt.Sprint("c", i), "echo", `{}`)))
	}
	s := &script{replies: replies}
	a := newAgent(t, s, agent.Options{Limits: agent.Limits{Steps: 3}}, echo("echo"))
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	var limit *agent.LimitError
	if !errors.As(err, &limit) || limit.Limit != "steps" || res.Steps != 3 {
		t.Fatalf("%d steps, %v", res.Steps, err)
	}
	checkValid(t, res.Log)
	// A new run on the log has its steps again.
	res, err = a.Run(context.Background(), agent.Input{Log: res.Log})
	if !errors.As(err, &limit) || res.Steps != 3 {
		t.Fatalf("going on: %d steps, %v", res.Steps, err)
	}
	checkValid(t, res.Log)
}

func TestToolsThatFail(t *testing.T) {
	boom := errors.New("boom")
	tests := []struct {
		name string
		use  string
		tool fake
		want string // in the result the model gets
		err  error  // of the run
	}{
		{"error", use("a", "t", `{}`), fake{call: func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Result{}, boom }}, "boom", nil},
		{"empty error", use("a", "t", `{}`), fake{call: func(context.Context, json.RawMessage) (tools.Result, error) {
			return tools.Result{}, errors.New("")
		}}, "did not say why", nil},
		{"panic", use("a", "t", `{}`), fake{call: func(context.Context, json.RawMessage) (tools.Result, error) { panic("at the disco") }}, "crashed: at the disco", nil},
		{"unknown", use("a", "other", `{}`), echo("t"), `no tool \"other\". The tools are: t, t2.`, nil},
		{"hang", use("a", "t", `{}`), fake{call: func(context.Context, json.RawMessage) (tools.Result, error) {
			time.Sleep(time.Hour)
			return tools.Result{}, nil
		}}, "time limit", nil},
		{"slow but well-behaved", use("a", "t", `{}`), fake{call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			<-ctx.Done()
			return tools.Result{}, ctx.Err()
		}}, "time limit", nil},
		{"fatal", use("a", "t", `{}`), fake{call: func(context.Context, json.RawMessage) (tools.Result, error) {
			time.Sleep(time.Second) // in the bubble: until the sibling is done
			return tools.Result{}, tools.Fatal(boom)
		}}, "boom", boom},
		{"an image in an error", use("a", "t", `{}`), fake{call: func(context.Context, json.RawMessage) (tools.Result, error) {
			img, err := transport.ParseBlock([]byte(`{"type":"image","source":{"type":"url","url":"https://example.com/x.png"}}`))
			return tools.Result{IsError: true, Content: []transport.Block{img}}, err
		}}, "image left out", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.tool.name = "t"
				s := &script{replies: []any{reply(t, "tool_use", tt.use, use("b", "t2", `{}`)), reply(t, "end_turn", text("ok"))}}
				res, err := newAgent(t, s, agent.Options{}, tt.tool, echo("t2")).Run(context.Background(), agent.Input{Prompt: "go"})
				if !errors.Is(err, tt.err) {
					t.Fatal(err)
				}
				content := res.Log.Messages()[2].Content
				if raw := string(content[0].Raw()); !strings.Contains(raw, tt.want) || !strings.Contains(raw, `"is_error":true`) {
					t.Errorf("result %s, want an error with %q", raw, tt.want)
				}
				if raw := string(content[1].Raw()); strings.Contains(raw, "is_error") {
					t.Errorf("the sibling failed too: %s", raw)
				}
				checkValid(t, res.Log)
				time.Sleep(2 * time.Hour) // let the hung goroutine end
			})
		})
	}
}

func TestHugeResultIsCut(t *testing.T) {
	if raceEnabled {
		t.Skip("reads 50 MB in one goroutine")
	}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "t", `{}`)), reply(t, "end_turn", text("ok"))}}
	tool := fake{name: "t", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		return tools.Text(strings.Repeat("é", 25<<20)), nil
	}}
	res, err := newAgent(t, s, agent.Options{}, tool).Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	raw := string(res.Log.Messages()[2].Content[0].Raw())
	if len(raw) > 300<<10 || !strings.Contains(raw, "52428800 bytes, the first 262144") || !json.Valid([]byte(raw)) {
		t.Errorf("%d bytes: …%s", len(raw), raw[max(0, len(raw)-200):])
	}
}

func TestParallelHasALimitAndKeepsOrder(t *testing.T) {
	for limit, want := range map[int]int64{4: 4, -1: 20} {
		synctest.Test(t, func(t *testing.T) { parallel(t, limit, want) })
	}
}

func parallel(t *testing.T, limit int, want int64) {
	var uses []string
	for i := range 20 {
		uses = append(uses, use(fmt.Sprint("c", i), "t", fmt.Sprintf(`{"i":%d}`, i)))
	}
	s := &script{replies: []any{reply(t, "tool_use", uses...), reply(t, "end_turn", text("ok"))}}
	var now, most atomic.Int64
	tool := fake{name: "t", call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		var v struct{ I int }
		if err := json.Unmarshal(in, &v); err != nil {
			return tools.Result{}, err
		}
		time.Sleep(time.Duration(100-v.I) * time.Millisecond)
		return tools.Text(fmt.Sprint(v.I)), nil
	}}
	asked := 0
	gate := func(context.Context, agent.ToolRequest) agent.Decision {
		if asked++; asked > 20 {
			return agent.Decision{Permission: agent.Deny} // a call that has begun is there again
		}
		return agent.Decision{}
	}
	run := newAgent(t, s, agent.Options{Limits: agent.Limits{Parallel: limit}, Gate: gate}, tool).NewRun(agent.Input{Prompt: "go"})
	var ends []string
	for ev, err := range run.Events(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventToolEnd {
			ends = append(ends, ev.Call.ID)
		}
	}
	if most.Load() != want {
		t.Errorf("up to %d tools at once: there were %d, want %d", limit, most.Load(), want)
	}
	for i, id := range ends {
		if id != fmt.Sprint("c", i) {
			t.Fatalf("ends were told in the order %v", ends)
		}
	}
	checkValid(t, run.Log())
}

func TestGroupsExcludeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []any{
			reply(t, "tool_use", use("a", "w", `{}`), use("b", "r", `{}`), use("c", "w", `{}`)),
			reply(t, "end_turn", text("ok")),
		}}
		var inside atomic.Int64
		var order []string
		w := fake{name: "w", traits: tools.Traits{Group: "disk"}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			if inside.Add(1) != 1 {
				t.Error("two calls of one group at once")
			}
			order = append(order, tools.CallID(ctx))
			time.Sleep(time.Second)
			inside.Add(-1)
			return tools.Text("ok"), nil
		}}
		res, err := newAgent(t, s, agent.Options{}, w, echo("r")).Run(context.Background(), agent.Input{Prompt: "go"})
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(order) != "[a c]" {
			t.Errorf("order %v", order)
		}
		checkValid(t, res.Log)
	})
}

func TestCancelAndBreakLeaveAValidLog(t *testing.T) {
	for _, how := range []string{"cancel", "break"} {
		for at := range 9 {
			t.Run(fmt.Sprint(how, at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &script{replies: []any{
						reply(t, "tool_use", use("a", "slow", `{}`), use("b", "echo", `{}`)),
						reply(t, "end_turn", text("ok")),
						reply(t, "end_turn", text("resumed")),
					}}
					var slept atomic.Int64
					slow := fake{name: "slow", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
						select {
						case <-ctx.Done():
							return tools.Result{}, ctx.Err()
						case <-time.After(time.Minute):
							slept.Add(1)
							return tools.Text("slept"), nil
						}
					}}
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					a := newAgent(t, s, agent.Options{}, slow, echo("echo"))
					run := a.NewRun(agent.Input{Prompt: "go"})
					n := 0
					for range run.Events(ctx) {
						if n == at {
							if how == "break" {
								break
							}
							cancel()
						}
						n++
					}
					if _, err := run.Result(); at < 8 && err == nil {
						t.Error("no error")
					}
					if len(run.Log().State().Open) == 0 {
						checkValid(t, run.Log())
					}
					synctest.Wait()
					ctx, before := context.Background(), slept.Load()
					res, err := a.Run(ctx, agent.Input{Log: run.Log(), Prompt: "again"})
					if err != nil || res.Text == "" {
						t.Errorf("going on: %q, %v", res.Text, err)
					}
					if at > 0 && slept.Load() != before {
						t.Error("a call of the stopped run was run by the next one")
					}
					checkValid(t, res.Log)
				})
			})
		}
	}
}

func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{replies: []any{func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}}
		res, err := newAgent(t, s, agent.Options{Limits: agent.Limits{Time: time.Minute}}).Run(context.Background(), agent.Input{Prompt: "go"})
		var limit *agent.LimitError
		if !errors.As(err, &limit) || limit.Limit != "time" || res.Took != time.Minute {
			t.Errorf("after %v: %v", res.Took, err)
		}
	})
}

func TestCutStreamKeepsWhatCame(t *testing.T) {
	partial := reply(t, "", text("half an ans"))
	s := &script{replies: []any{&transport.StreamError{Err: errors.New("connection reset"), Partial: partial}, reply(t, "end_turn", text("whole"))}}
	a := newAgent(t, s, agent.Options{})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err == nil || res.Text != "half an ans" || len(res.Log.Messages()) != 1 {
		t.Fatalf("%q, %d messages, %v", res.Text, len(res.Log.Messages()), err)
	}
	if res, err = a.Run(context.Background(), agent.Input{Log: res.Log}); err != nil || res.Text != "whole" {
		t.Fatalf("resumed: %q, %v", res.Text, err)
	}
}

func TestSteerLandsBehindTheResults(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "end_turn", text("ok")), reply(t, "end_turn", text("better"))}}
	run := newAgent(t, s, agent.Options{}, echo("echo")).NewRun(agent.Input{Prompt: "go"})
	for ev, err := range run.Events(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventToolStart {
			if err := run.Steer(transport.UserText("hurry")); err != nil {
				t.Fatal(err)
			}
		}
		if ev.Type == agent.EventResponse && ev.Step == 2 {
			if err := run.Steer(transport.UserText("once more")); err != nil {
				t.Fatal(err)
			}
		}
	}
	res, err := run.Result()
	if err != nil || res.Text != "better" || res.Steps != 3 {
		t.Fatalf("%q after %d steps, %v", res.Text, res.Steps, err)
	}
	m := res.Log.Messages()
	if m[3].Text() != "hurry" || m[5].Text() != "once more" {
		t.Errorf("messages 3 and 5: %q, %q", m[3].Text(), m[5].Text())
	}
	if err := run.Steer(transport.UserText("late")); err == nil {
		t.Error("steering a run that has ended gave no error")
	}
}

func TestApprovalInAnotherProcess(t *testing.T) {
	ctx := context.Background()
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{"usd":5}`), use("b", "echo", `{}`)), reply(t, "end_turn", text("ok"))}}
	paid := 0
	pay := fake{name: "pay", traits: tools.Traits{NeedsApproval: true}, call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
		paid++
		return tools.Text("paid " + string(in)), nil
	}}
	a := newAgent(t, s, agent.Options{}, pay, echo("echo"))
	_, err = a.Run(ctx, agent.Input{Log: log, Prompt: "go"})
	var wait *agent.ApprovalError
	if !errors.As(err, &wait) || !errors.Is(err, agent.ErrAwaitingApproval) || len(wait.Calls) != 1 || paid != 0 {
		t.Fatalf("paid %d: %v", paid, err)
	}
	// Another process.
	log, err = memory.Open(ctx, store, "s")
	if err != nil {
		t.Fatal(err)
	}
	open := log.State().Open
	if len(open) != 1 || open[0].ApprovalRequest == nil {
		t.Fatalf("open calls %+v", open)
	}
	bad := memory.Decision{CallID: "a", Hash: "of other arguments", Approve: true}
	if err := log.Append(ctx, memory.Record{Kind: memory.KindDecision, Decision: &bad}); err == nil {
		t.Error("a decision on other arguments was taken")
	}
	ok := memory.Decision{CallID: "a", Hash: open[0].ApprovalRequest.Hash, Approve: true}
	if err := log.Append(ctx, memory.Record{Kind: memory.KindDecision, Decision: &ok}); err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Log: log})
	if err != nil || paid != 1 || res.Text != "ok" {
		t.Fatalf("paid %d, %q, %v", paid, res.Text, err)
	}
	checkValid(t, res.Log)
}

func TestResumeAfterACrash(t *testing.T) {
	ctx := context.Background()
	for _, repeatable := range []bool{false, true} {
		log := memory.NewLog()
		before := []memory.Record{
			{Kind: memory.KindRun, Limits: &memory.Limits{Steps: 10, Pauses: 10, Cuts: 10}},
			{Kind: memory.KindInput, Message: transport.UserText("go")},
			{Kind: memory.KindResponse, Response: reply(t, "tool_use", use("a", "t", `{}`), use("b", "t", `{}`))},
			{Kind: memory.KindStarted, Calls: []string{"a", "b"}},
			{Kind: memory.KindResult, Block: transport.ToolResult("b", transport.Text("first time"))},
		}
		if err := log.Append(ctx, before...); err != nil {
			t.Fatal(err)
		}
		var ran []string
		tool := fake{name: "t", traits: tools.Traits{Repeatable: repeatable}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			ran = append(ran, tools.CallID(ctx))
			return tools.Text("again"), nil
		}}
		s := &script{replies: []any{reply(t, "end_turn", text("ok"))}}
		res, err := newAgent(t, s, agent.Options{}, tool).Run(ctx, agent.Input{Log: log})
		if err != nil {
			t.Fatal(err)
		}
		checkValid(t, res.Log)
		m := res.Log.Messages()[2].Content
		if got := string(m[1].Raw()); !strings.Contains(got, "first time") {
			t.Errorf("the finished call's result is %s", got)
		}
		if unknown := strings.Contains(string(m[0].Raw()), "outcome of this call is unknown"); unknown == repeatable {
			t.Errorf("repeatable %v: result %s", repeatable, m[0].Raw())
		}
		if want := map[bool]string{false: "[]", true: "[a]"}[repeatable]; fmt.Sprint(ran) != want {
			t.Errorf("repeatable %v: ran %v, want %s", repeatable, ran, want)
		}
	}
}

func TestNewNamesTheMistake(t *testing.T) {
	s := &script{}
	tests := []struct {
		opts agent.Options
		want string
	}{
		{agent.Options{Model: "m"}, "Options.Client is nil"},
		{agent.Options{Client: s}, "Options.Model is empty"},
		{agent.Options{Client: s, Model: "m", Tools: []tools.Tool{echo("x"), echo("x")}}, `Options.Tools[1]: tool "x": there is another`},
		{agent.Options{Client: s, Model: "m", Tools: []tools.Tool{nil}}, "the tool is nil"},
	}
	for _, tt := range tests {
		if _, err := agent.New(tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
	}
}
