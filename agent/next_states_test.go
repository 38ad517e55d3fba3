package agent

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

func stopped(t *testing.T, stop, more string, content ...string) *transport.Response {
	t.Helper()
	r, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","model":"claude-opus-5-5","content":[%s],"stop_reason":%q,"usage":{"input_tokens":10,"output_tokens":5}%s}`, strings.Join(content, ","), stop, more)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const aCall = `{"type":"tool_use","id":"a","name":"f","input":{}}`

// What comes next in each state of a log without open calls: with an input behind the
// response, the model is called whatever stopped it, but for a limit.
func TestNextOfEachState(t *testing.T) {
	limited := &memory.Limits{Steps: 5, Pauses: 2, Cuts: 2, Malformed: 2}
	unlimited := &memory.Limits{Steps: -1, Pauses: -1, Cuts: -1, Malformed: -1}
	n := func(steps, pauses, cuts, malformed, empty int) memory.Counts {
		return memory.Counts{Steps: steps, Pauses: pauses, Cuts: cuts, Malformed: malformed, Empty: empty}
	}
	var zero memory.Counts
	for _, tt := range []struct {
		name   string
		stop   string // "-" for no response
		call   bool
		limits *memory.Limits
		counts memory.Counts
		final  bool
		alone  string // what comes next: "model", "done", or "done" and a part of the error
		input  string // likewise, with an input behind it
	}{
		{"nothing said", "-", false, limited, zero, false, "done no input", "model"},
		{"an answer", "end_turn", false, limited, n(1, 0, 0, 0, 0), false, "done", "model"},
		{"a stop sequence", "stop_sequence", false, limited, n(1, 0, 0, 0, 0), false, "done", "model"},
		{"calls", "tool_use", true, limited, n(1, 0, 0, 0, 0), false, "model", "model"},
		{"calls of one that says end_turn", "end_turn", true, limited, n(1, 0, 0, 0, 0), false, "model", "model"},
		{"calls for a reason that isn't known", "new", true, limited, n(1, 0, 0, 0, 0), false, "model", "model"},
		{"a reason that isn't known", "new", false, limited, n(1, 0, 0, 0, 0), false, "done doesn't know", "model"},
		{"no reason", "", false, limited, n(1, 0, 0, 0, 0), false, "done no stop_reason", "model"},
		{"a final tool", "tool_use", true, limited, n(1, 0, 0, 0, 0), true, "done", "model"},
		{"a refusal", "refusal", false, limited, n(1, 0, 0, 0, 0), false, "done refused (bio)", "model"},
		{"a full window", "model_context_window_exceeded", false, limited, n(1, 0, 0, 0, 0), false, "done window is full", "model"},
		{"a summary", "compaction", false, limited, n(1, 0, 0, 0, 0), false, "model", "model"},

		{"the last step", "tool_use", true, limited, n(4, 0, 0, 0, 0), false, "model", "model"},
		{"one too many", "tool_use", true, limited, n(5, 0, 0, 0, 0), false, "done 5 steps", "done 5 steps"},
		{"an answer at the limit", "end_turn", false, limited, n(5, 0, 0, 0, 0), false, "done", "done 5 steps"},
		{"no limit of steps", "tool_use", true, unlimited, n(5000, 0, 0, 0, 0), false, "model", "model"},
		{"no run", "tool_use", true, nil, n(5000, 0, 0, 0, 0), false, "model", "model"},

		{"a pause", "pause_turn", false, limited, n(1, 2, 0, 0, 0), false, "model", "model"},
		{"too many", "pause_turn", false, limited, n(1, 3, 0, 0, 0), false, "done more than 2 times", "done more than 2 times"},
		{"no limit of pauses", "pause_turn", false, unlimited, n(1, 300, 0, 0, 0), false, "model", "model"},
		{"none in a row", "pause_turn", false, &memory.Limits{Steps: 9}, n(1, 1, 0, 0, 0), false, "done more than 0 times", "done more than 0 times"},
		{"no run, and pauses", "pause_turn", false, nil, n(1, 300, 0, 0, 0), false, "model", "model"},
		{"a pause in which nothing works", "pause_turn", false, limited, n(1, 1, 0, 0, 1), false, "model", "model"},
		{"two", "pause_turn", false, limited, n(1, 2, 0, 0, 2), false, "done paused its turn where no tool", "model"},

		{"a call cut off", "max_tokens", false, limited, n(1, 0, 2, 0, 0), false, "model", "model"},
		{"too many cut off", "max_tokens", false, limited, n(1, 0, 3, 0, 0), false, "done cut a tool call off more than 2 times", "model"},
		{"no limit of cuts", "max_tokens", false, unlimited, n(1, 0, 300, 0, 0), false, "model", "model"},
		{"an answer cut off", "max_tokens", false, limited, n(1, 0, 0, 0, 0), false, "done cut off at max_tokens", "model"},
		{"no run, and cuts", "max_tokens", false, nil, n(1, 0, 300, 0, 0), false, "model", "model"},
		{"calls that did not come whole", "tool_use", true, limited, n(1, 0, 2, 0, 0), false, "model", "model"},
		{"too many of them", "tool_use", true, limited, n(1, 0, 3, 0, 0), false, "done cut a tool call off", "done cut a tool call off"},
		{"arguments that are no JSON", "tool_use", true, limited, n(1, 0, 0, 2, 0), false, "model", "model"},
		{"too many such", "tool_use", true, limited, n(1, 0, 0, 3, 0), false, "done no JSON more than 2 times", "done no JSON more than 2 times"},
		{"no limit on them", "tool_use", true, unlimited, n(1, 0, 0, 300, 0), false, "model", "model"},
		{"calls announced and not made", "tool_use", false, limited, n(1, 0, 0, 0, 1), false, "model", "model"},
		{"twice", "tool_use", false, limited, n(1, 0, 0, 0, 2), false, "done named none, twice", "model"},
	} {
		s := memory.State{Limits: tt.limits, Counts: tt.counts, Final: tt.final}
		if tt.stop != "-" {
			var content []string
			if tt.call {
				content = append(content, aCall)
			}
			s.Response = stopped(t, tt.stop, `,"stop_details":{"type":"refusal","category":"bio"}`, content...)
		}
		for input, want := range map[bool]string{false: tt.alone, true: tt.input} {
			s.Input = input
			act := next(nil, &s)
			do, why, _ := strings.Cut(want, " ")
			switch {
			case act.Do != do || (act.Err != nil) != (why != ""):
				t.Errorf("%s, input %v: %s, %v; want %s", tt.name, input, act.Do, act.Err, want)
			case why != "" && !strings.Contains(act.Err.Error(), why):
				t.Errorf("%s, input %v: %v; want %s", tt.name, input, act.Err, why)
			case act.Do == doNone && s.Response != nil && act.Reason != s.Response.StopReason:
				t.Errorf("%s, input %v: the reason is %q", tt.name, input, act.Reason)
			}
		}
	}
	s := memory.State{Response: stopped(t, "refusal", "")}
	if err := next(nil, &s).Err; err == nil || strings.Contains(err.Error(), "(") {
		t.Errorf("a refusal without a category: %v", err)
	}
}

// A run goes on behind a limit only if the same one is higher now.
func TestAHigherLimit(t *testing.T) {
	two := Limits{Steps: 2, Pauses: 2, Cuts: 2, Malformed: 2, Checks: 2}
	higher := map[string]Limits{}
	for _, name := range []string{"steps", "pauses", "cuts", "malformed", "checks"} {
		l := two
		switch name {
		case "steps":
			l.Steps = 3
		case "pauses":
			l.Pauses = 3
		case "cuts":
			l.Cuts = 3
		case "malformed":
			l.Malformed = 3
		case "checks":
			l.Checks = 3
		}
		higher[name] = l
	}
	none := Limits{Steps: -1, Pauses: -1, Cuts: -1, Malformed: -1, Checks: -1}
	for name := range higher {
		reached := &LimitError{Limit: name, Max: 2}
		if two.allowMoreThan(reached) || !none.allowMoreThan(reached) {
			t.Errorf("%s: the same allows more %v, none %v", name, two.allowMoreThan(reached), none.allowMoreThan(reached))
		}
		for other, l := range higher {
			if l.allowMoreThan(reached) != (name == other) {
				t.Errorf("more %s where %s were reached: %v", other, name, l.allowMoreThan(reached))
			}
		}
	}
	if none.allowMoreThan(&LimitError{Limit: "time", Max: 1}) {
		t.Error("a limit that no log reports")
	}
	d := Limits{Steps: 1, Pauses: 2, Cuts: 3, Malformed: 4, Time: 5, ToolTime: 6, Parallel: 7, Depth: 8, Checks: 9, ResultBytes: 10, Lease: 11}
	if got := (Limits{}).or(d); got != d {
		t.Errorf("fields that are 0 are %+v", got)
	}
	if got := d.or(Limits{Steps: 99, Pauses: 99, Cuts: 99, Malformed: 99, Time: 99, ToolTime: 99, Parallel: 99, Depth: 99, Checks: 99, ResultBytes: 99, Lease: 99}); got != d {
		t.Errorf("fields that are set are %+v", got)
	}
	if got := *d.recorded(); got != (memory.Limits{Steps: 1, Pauses: 2, Cuts: 3, Malformed: 4}) {
		t.Errorf("recorded are %+v", got)
	}
}

// A question is of the call whose id stands behind the first dash of its root: ids have
// dashes too.
func TestAsksStill(t *testing.T) {
	for root, want := range map[string]bool{"3-a-b": true, "13-a-b": true, "3-b": false, "3-a": false, "a-b": false, "3-x-a-b": false} {
		if got := asksStill([]PendingQuestion{{Root: "0-z"}, {Root: root}}, "a-b"); got != want {
			t.Errorf("%s asks for the call a-b: %v", root, got)
		}
	}
}

// Errors name what was reached, and what to do about it.
func TestWordsOfErrors(t *testing.T) {
	c := PendingCall{CallID: "c1", Name: "pay"}
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{&LimitError{Limit: "steps", Max: 7}, []string{"7 steps", "Limits.Steps"}},
		{&LimitError{Limit: "pauses", Max: 7}, []string{"7 times", "Limits.Pauses"}},
		{&LimitError{Limit: "cuts", Max: 7}, []string{"7 times", "Options.MaxTokens"}},
		{&LimitError{Limit: "malformed", Max: 7}, []string{"7 times", "Limits.Malformed", "EagerInputStreaming"}},
		{&LimitError{Limit: "checks", Max: 7, Reason: "too short"}, []string{"7 answers", "too short", "Limits.Checks"}},
		{&LimitError{Limit: "depth", Max: 7}, []string{"7 deep", "Limits.Depth"}},
		{&LimitError{Limit: "condition", Reason: "enough"}, []string{"stop condition met: enough"}},
		{&LimitError{Limit: "time", Max: 7}, []string{"Limits.Time"}},
		{&DecisionError{Call: c, Why: whyDecided}, []string{`"c1"`, "pay", "decided already"}},
		{&DecisionError{Call: c, Why: whyChanged}, []string{"changed on the way", "Pending"}},
		{&DecisionError{Call: c, Why: whyNotPending, Detail: "too late"}, []string{"does not wait", "(too late)"}},
		{&ApprovalError{Calls: []PendingCall{c}}, []string{"a tool call waits", "pay (c1)", "Options.Approver"}},
		{&ApprovalError{Calls: []PendingCall{c, {CallID: "c2", Name: "buy"}}}, []string{"2 tool calls wait", "pay (c1), buy (c2)"}},
		{&ApprovalError{Calls: []PendingCall{c}, Questions: []PendingQuestion{{Name: "ask", Call: "3-q"}}}, []string{"2 tool calls wait", "pay (c1), ask (3-q)", "answer"}},
		{&StopError{Response: stopped(t, "refusal", ""), Why: "no"}, []string{`"refusal"`, "no"}},
	} {
		for _, want := range tt.want {
			if !strings.Contains(tt.err.Error(), want) {
				t.Errorf("%q says nothing of %q", tt.err, want)
			}
		}
	}
	calls, asks := &ApprovalError{Calls: []PendingCall{c}}, &ApprovalError{Questions: []PendingQuestion{{}}}
	if !errors.Is(calls, ErrAwaitingApproval) || errors.Is(calls, tools.ErrWaiting) || !errors.Is(asks, ErrAwaitingApproval) || !errors.Is(asks, tools.ErrWaiting) || errors.Is(asks, ErrStopped) {
		t.Error("what an ApprovalError matches")
	}
	if decidedBefore(&DecisionError{Why: whyChanged}) || !decidedBefore(fmt.Errorf("x: %w", &DecisionError{Why: whyDecided})) || decidedBefore(nil) {
		t.Error("somebody was faster only where the decision says so")
	}
}

// What the model is told of a call that a new message has left open.
func TestAbandonedCalls(t *testing.T) {
	request, decision := new(memory.ApprovalRequest), new(memory.Decision)
	asks := []PendingQuestion{{Root: "2-a"}}
	for _, tt := range []struct {
		name string
		c    memory.OpenCall
		want string
	}{
		{"not begun", memory.OpenCall{}, "the run was stopped"},
		{"begun", memory.OpenCall{Started: true}, unknownOutcome},
		{"begun, once approved", memory.OpenCall{Started: true, ApprovalRequest: request, Decision: &memory.Decision{Approve: true}}, unknownOutcome},
		{"it asks", memory.OpenCall{Started: true, ToolCall: transport.ToolCall{ID: "a"}}, "nobody answered"},
		{"approval was asked for", memory.OpenCall{ApprovalRequest: request}, "nobody approved"},
		{"and given", memory.OpenCall{ApprovalRequest: request, Decision: decision}, "the run was stopped"},
	} {
		if got := abandoned(tt.c, asks); !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
