package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/internal/hook"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// An event as JSON has the members that its type uses, and no others.
func TestEventsAsJSON(t *testing.T) {
	call := transport.ToolCall{ID: "a", Name: "f", Input: json.RawMessage(`{"n":1}`)}
	resp := stopped(t, "end_turn", "")
	resp.Meta.Sent = 77
	const of = `,"call_id":"a","tool":"f","input":{"n":1}`
	for _, tt := range []struct {
		ev   Event
		want string
	}{
		{Event{Type: EventStep, Step: 2}, `{"type":"step","step":2}`},
		{Event{Type: EventStream, Step: 1, Stream: transport.Event{Type: transport.EventPing, Raw: json.RawMessage(`{"type":"ping"}`)}}, `{"type":"stream","step":1,"event":{"type":"ping"}}`},
		{Event{Type: EventStream, Step: 1, Stream: transport.Event{Type: transport.EventRestarted}}, `{"type":"stream","step":1,"event":{"type":"` + string(transport.EventRestarted) + `"}}`},
		{Event{Type: EventResponse, Step: 1, Response: resp, Cost: Cost{USD: 0.5}, Took: 1500 * time.Microsecond}, `{"type":"response","step":1,"response":` + string(resp.Raw()) + `,"cost_usd":0.5,"sent_bytes":77,"took_ms":1.5}`},
		{Event{Type: EventResponse, Step: 1, Response: resp}, `{"type":"response","step":1,"response":` + string(resp.Raw()) + `,"cost_usd":0,"sent_bytes":77}`},
		{Event{Type: EventResponse, Step: 1, Response: resp, Cost: Cost{USD: 0.5, Incomplete: true}}, `{"type":"response","step":1,"response":` + string(resp.Raw()) + `,"sent_bytes":77}`},
		{Event{Type: EventResponse, Miss: &Miss{Reason: "expired", Tokens: 9, Cost: Cost{USD: 2}}}, `{"type":"response","step":0,"cache_miss":{"reason":"expired","tokens":9,"cost_usd":2}}`},
		{Event{Type: EventResponse, Miss: &Miss{Reason: "unknown", Tokens: 9, Cost: Cost{USD: 2, Incomplete: true}}}, `{"type":"response","step":0,"cache_miss":{"reason":"unknown","tokens":9}}`},
		{Event{Type: EventDecided, Call: call, Decision: &Decision{Permission: Deny, Reason: "no"}}, `{"type":"decided","step":0` + strings.Replace(of, `,"tool"`, `,"decision":"deny","reason":"no","tool"`, 1) + `}`},
		{Event{Type: EventToolStart, Call: call}, `{"type":"tool_start","step":0` + of + `}`},
		{Event{Type: EventToolProgress, Call: call, Progress: "half"}, `{"type":"tool_progress","step":0` + of + `,"progress":"half"}`},
		{Event{Type: EventToolEnd, Call: call, Result: parsed(t, `{"type":"tool_result","tool_use_id":"a"}`), IsError: true, Took: 2 * time.Second}, `{"type":"tool_end","step":0` + of + `,"result":{"type":"tool_result","tool_use_id":"a"},"is_error":true,"took_ms":2000}`},
	} {
		got, err := json.Marshal(tt.ev)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s, %v; want %s", got, err, tt.want)
		}
	}
	waits := Event{Type: EventWait, Pending: &PendingCall{CallID: "a"}, Question: &PendingQuestion{Call: "3-b"}}
	if got, err := json.Marshal(waits); err != nil || !strings.Contains(string(got), `"pending":{"record":0,"call_id":"a"`) || !strings.Contains(string(got), `"question":{"call":"3-b"`) {
		t.Errorf("%s, %v", got, err)
	}
	said, thought := "", ""
	for ev := range stopped(t, "end_turn", "", `{"type":"thinking","thinking":"hm","signature":"c2ln"}`, `{"type":"text","text":"yes"}`).Events() {
		for _, typ := range []EventType{EventStream, EventStep} { // the second has no stream
			e := Event{Type: typ, Stream: ev}
			said, thought = said+e.Text(), thought+e.Thinking()
		}
	}
	if said != "yes" || thought != "hm" {
		t.Errorf("a person reads %q, and that the model thought %q", said, thought)
	}
}

// Who watches a run is told of its beginning, of each event before its consumer is, and
// of its end, with the error; and whose run it is.
func TestWatchedRuns(t *testing.T) {
	var told []string
	caller, own := memory.NewLog(), memory.NewLog()
	ctx := hook.With(withRun(t.Context(), &Run{log: caller}), func(rep hook.Report[Event]) {
		what := "begins"
		switch {
		case rep.Event != nil:
			what = string(rep.Event.Type)
		case rep.Over:
			what = fmt.Sprint("over ", rep.Err)
		}
		told = append(told, what)
		if rep.Log != own || rep.Caller != caller {
			t.Errorf("%s: of another log", what)
		}
	})
	r := &Run{log: own}
	emit, ended := r.watched(ctx, func(ev Event) bool {
		told = append(told, "consumer has "+string(ev.Type))
		return ev.Type != EventResponse
	})
	if !emit(Event{Type: EventStep}) || emit(Event{Type: EventResponse}) {
		t.Error("what the consumer says isn't passed on")
	}
	r.err = errors.New("away")
	ended()
	if got := strings.Join(told, ", "); got != "begins, step, consumer has step, response, consumer has response, over away" {
		t.Error(got)
	}
	plainEmit := func(Event) bool { return true }
	if _, ended := r.watched(t.Context(), plainEmit); ended == nil {
		t.Error("no end where nobody watches")
	}
}

// What an error is called in telemetry: the first that fits.
func TestWordsOfErrorsInTelemetry(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("x: %w", err) }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&transport.Error{Type: transport.ErrOverloaded}, "overloaded_error"},
		{&transport.Error{}, "_OTHER"},
		{&StopError{Response: stopped(t, "refusal", "")}, "refusal"},
		{&LimitError{Limit: "steps"}, "limit_steps"},
		{&BudgetError{Limit: "usd"}, "budget_usd"},
		{memory.ErrLeased, "leased"}, {memory.ErrConflict, "conflict"},
		{context.Canceled, "cancelled"}, {context.DeadlineExceeded, "timeout"},
		{&transport.StreamError{Err: errors.New("cut")}, "stream_cut"},
		{&transport.StreamError{Err: context.Canceled}, "cancelled"},
		{&PanicError{What: "Gate"}, "panic"},
		{tools.Fatal(errors.New("no")), "tool_error"},
		{errors.New("what"), "_OTHER"},
	} {
		if got := errorType(wrap(tt.err)); got != tt.want {
			t.Errorf("%v is %s, want %s", tt.err, got, tt.want)
		}
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""}, {errors.New("no"), "tool_error"}, {&tools.ArgumentError{}, "invalid_arguments"}, {&PanicError{}, "panic"},
		{context.DeadlineExceeded, "timeout"}, {context.Canceled, "cancelled"}, {errToolFailed, "tool_error"},
	} {
		if tt.err != nil {
			tt.err = wrap(tt.err)
		}
		if got := toolFailure(tt.err); got.Type != tt.want || got.Err != tt.err {
			t.Errorf("%v is %+v, want %s", tt.err, got, tt.want)
		}
	}
	for err, want := range map[error]bool{ErrStopped: true, &ApprovalError{}: true, &LimitError{}: false} {
		if got := failureOf(err); got.Expected != want || got.Err != err {
			t.Errorf("%v: %+v", err, got)
		}
	}
	if failureOf(nil).Err != nil || failureOf(nil).Type != "" {
		t.Error("no error is a failure")
	}
}

// A tool that isn't there: the model is told which there are, and which it meant.
func TestWordsOfAnUnknownTool(t *testing.T) {
	many := make([]tools.Tool, 32)
	for i := range many {
		many[i] = plain{name: fmt.Sprintf("tool_%02d", i)}
	}
	said := func(list []tools.Tool, name string) string {
		return unknownTool(name, made(t, Options{Tools: list}).NewRun(Input{}).callableNames())
	}
	for _, tt := range []struct {
		list []tools.Tool
		name string
		want string
	}{
		{nil, "x", `There is no tool "x"; no tools can be called here.`},
		{[]tools.Tool{tools.WebSearch{}}, "x", `There is no tool "x"; no tools can be called here.`},
		{[]tools.Tool{plain{name: "lookup"}, plain{name: "pay"}}, "lokup", `There is no tool "lokup". The tools are: lookup, pay. Did you mean "lookup"?`},
		{[]tools.Tool{plain{name: "lookup"}, tools.WebSearch{}}, "zzz", `There is no tool "zzz". The tools are: lookup.`},
	} {
		if got := said(tt.list, tt.name); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
	if got := said(many, "zzz"); !strings.HasSuffix(got, "tool_28, tool_29 and 2 more.") {
		t.Error(got)
	}
	if got := said(many[:30], "zzz"); !strings.HasSuffix(got, "tool_28, tool_29.") {
		t.Error(got)
	}
	if got := said(many, "tool_31x"); !strings.Contains(got, `Did you mean "tool_31"?`) {
		t.Errorf("one that isn't listed is not meant: %s", got)
	}
}

// Jobs of one group, and of one toolset, are in one lane, in the order of the calls;
// the others have one each, and what isn't run has none.
func TestLanes(t *testing.T) {
	of := func(id, group, toolset string) *job {
		j := &job{tool: &tool{traits: tools.Traits{Group: group}}}
		j.call.ID, j.call.Toolset = id, toolset
		return j
	}
	x := &execution{jobs: []*job{of("a", "g", ""), of("b", "", ""), of("c", "g", ""), of("d", "h", ""), of("e", "", "computer"), of("f", "g", "computer"), of("g", "toolset computer", "x"), of("h", "g", ""), of("i", "computer", "")}}
	none := new(job)
	none.call.ID = "r"
	x.jobs = append(x.jobs, none)
	x.makeLanes()
	var lanes []string
	for _, j := range x.lanes {
		ids := ""
		for ; j != nil; j = j.next {
			ids += j.call.ID
		}
		lanes = append(lanes, ids)
	}
	if got := strings.Join(lanes, " "); got != "ach b d ef g i" || len(x.ended) != 1 || x.ended[0] != none {
		t.Errorf("%s, answered at once are %d", got, len(x.ended))
	}
}

// Whether a run that failed may come further, so that its caller's call stays open.
func TestGoesOn(t *testing.T) {
	open, done := talked(t), talked(t, memory.Record{Kind: memory.KindInput, Message: transport.UserText("more")})
	away := errors.New("away")
	for _, tt := range []struct {
		name string
		log  *memory.Log
		err  error
		want bool
	}{
		{"it is done", open, away, false},
		{"it has more to do", done, away, true},
		{"it could not be begun", memory.NewLog(), away, true},
		{"a limit", done, &LimitError{}, false},
		{"a budget", done, &BudgetError{}, false},
		{"a decision", done, &DecisionError{}, false},
		{"a panic", done, &PanicError{}, false},
		{"the end of all", done, tools.Fatal(away), false},
		{"overloaded", done, &transport.Error{Type: transport.ErrOverloaded}, true},
		{"not allowed", done, &transport.Error{Type: transport.ErrPermission}, false},
	} {
		if got := goesOn(tt.log, fmt.Errorf("x: %w", tt.err)); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// The model's end is told once a day, and known to each run.
func TestEndOfAModelIsToldOnceADay(t *testing.T) {
	a := made(t, Options{})
	a.model.ID, a.model.Ends = "m", time.Now().Add(10*24*time.Hour)
	r := a.NewRun(Input{})
	for range 2 {
		if ends := r.warnOfEnd(t.Context()); !ends.Equal(a.model.Ends) {
			t.Errorf("it ends %v", ends)
		}
	}
	if a.warned.Load() != time.Now().Unix()/86_400 && a.warned.Load() != time.Now().Unix()/86_400-1 {
		t.Errorf("told on the day %d", a.warned.Load())
	}
	a.model.Ends = time.Now().Add(365 * 24 * time.Hour)
	if ends := r.warnOfEnd(t.Context()); !ends.IsZero() {
		t.Errorf("it ends %v", ends)
	}
}
