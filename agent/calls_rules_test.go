package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// underWay is a run with its span begun, on a log whose newest response has a call "a".
func underWay(t *testing.T, a *Agent, in Input) *Run {
	t.Helper()
	if in.Log == nil {
		in.Log = memory.NewLog()
		if err := in.Log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}, memory.Record{Kind: memory.KindResponse, Response: stopped(t, "tool_use", "", aCall)}); err != nil {
			t.Fatal(err)
		}
	}
	r := a.NewRun(in)
	r.startRun(t.Context())
	return r
}

// toolset is a tool that has the calls of all members of one.
type toolset struct{ plain }

func (toolset) Definition() (transport.ToolDefinition, error) {
	return transport.ParseToolDefinition([]byte(`{"type":"computer_toolset_20260701"}`))
}

// Early calls that nobody takes are told to stop, and have ended when the step has.
func TestEarlyCallsEndWithTheirStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		slow := plain{name: "f", traits: tools.Traits{ReadOnly: true}, do: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond)
			ended++
			return tools.Text("r"), nil
		}}
		r := underWay(t, made(t, Options{Tools: []tools.Tool{slow}}), Input{})
		j := r.eager.start(t.Context(), r, parsed(t, `{"type":"tool_use","id":"1","name":"f","input":{}}`))
		if j == nil {
			t.Fatal("it doesn't start early")
		}
		synctest.Wait()
		r.eager.drop()
		if ended != 1 {
			t.Errorf("%d calls have ended", ended)
		}
	})
}

// Which calls start while the model still writes: those of tools that only read, which
// nobody has to be asked about, at most Limits.Parallel at once, each once.
func TestWhichCallsStartEarly(t *testing.T) {
	wait := make(chan struct{})
	reads := func(name string, tr tools.Traits) plain {
		tr.ReadOnly = true
		return plain{name: name, traits: tr, do: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			select {
			case <-wait:
			case <-ctx.Done():
			}
			return tools.Text("r"), nil
		}}
	}
	list := []tools.Tool{
		reads("f", tools.Traits{}), plain{name: "writes"}, reads("outside", tools.Traits{Outside: true}), reads("grouped", tools.Traits{Group: "g"}), reads("asks", tools.Traits{NeedsApproval: true}), toolset{reads("", tools.Traits{})},
	}
	allow := func(context.Context, ToolRequest) Decision { return Decision{Permission: Allow} }
	deny := func(context.Context, ToolRequest) Decision { return Decision{Permission: Deny} }
	block := func(name, more string) transport.Block {
		return parsed(t, `{"type":"tool_use","id":"1","name":"`+name+`","input":{}`+more+`}`)
	}
	for _, tt := range []struct {
		name string
		b    transport.Block
		gate Gate // of the agent
		own  Gate // of the input
		off  bool
		want bool
	}{
		{"it reads", block("f", ""), nil, nil, false, true},
		{"a gate allows it", block("f", ""), allow, allow, false, true},
		{"a gate denies it", block("f", ""), nil, deny, false, false},
		{"it writes", block("writes", ""), nil, nil, false, false},
		{"it reads from outside", block("outside", ""), nil, nil, false, true},
		{"and a gate is to see what was read before", block("outside", ""), allow, nil, false, false},
		{"or one of the input", block("outside", ""), nil, allow, false, false},
		{"others of its group go first", block("grouped", ""), nil, nil, false, false},
		{"somebody is asked", block("asks", ""), nil, nil, false, false},
		{"it isn't there", block("none", ""), nil, nil, false, false},
		{"a member of a toolset, whose calls go one behind the other", block("f", `,"toolset_name":"computer"`), nil, nil, false, false},
		{"of one that isn't there", block("f", `,"toolset_name":"other"`), nil, nil, false, false},
		{"no call", parsed(t, `{"type":"text","text":"f"}`), nil, nil, false, false},
		{"none at all", block("f", ""), nil, nil, true, false},
	} {
		r := underWay(t, made(t, Options{Tools: list, Gate: tt.gate}), Input{Gate: tt.own})
		r.eager.off = tt.off
		j := r.eager.start(t.Context(), r, tt.b)
		if (j != nil) != tt.want {
			t.Errorf("%s: starts early: %v", tt.name, j != nil)
		}
		if again := r.eager.start(t.Context(), r, tt.b); again != nil {
			t.Errorf("%s: a call of the same id starts too", tt.name)
		}
		r.eager.drop()
		if r.eager.off != tt.off || len(r.eager.jobs) != 0 {
			t.Errorf("%s: behind the step %+v is left", tt.name, r.eager.jobs)
		}
	}
	r := underWay(t, made(t, Options{Tools: list, Limits: Limits{Parallel: 2}}), Input{})
	defer r.eager.drop()
	start := func(id string) *job {
		return r.eager.start(t.Context(), r, parsed(t, `{"type":"tool_use","id":"`+id+`","name":"f","input":{}}`))
	}
	one, two := start("1"), start("2")
	if one == nil || two == nil || start("3") != nil {
		t.Error("two may run at once")
	}
	close(wait)
	<-one.early
	<-two.early
	if three := start("3"); three == nil || three.record != 2 {
		t.Errorf("the others are done: %+v", three)
	}
	if r.eager.take("1") != one || r.eager.take("1") != nil {
		t.Error("a job is taken once")
	}
}

// What a call is told of its question, by what the log has of it; a question keeps its
// number when the call runs again.
func TestAskAgain(t *testing.T) {
	in := r0(t)
	ask := func(h *host, q tools.Question) (tools.Answer, error) { return h.Ask(t.Context(), q) }
	again := func() *host { return &host{job: &job{owner: in, record: 1}} }
	hostOf := func() *host {
		h := again()
		h.job.call.ID = "a"
		return h
	}
	h := hostOf()
	for _, prompt := range []string{"one?", "two?"} {
		if _, err := ask(h, tools.Question{Prompt: prompt, Schema: json.RawMessage(`{"type":"integer"}`)}); !errors.Is(err, tools.ErrWaiting) || !h.waiting {
			t.Fatal(err)
		}
	}
	if _, err := ask(hostOf(), tools.Question{Key: "2", Prompt: "two?"}); !errors.Is(err, tools.ErrWaiting) {
		t.Errorf("the second is known by its number: %v", err)
	}
	n := len(hostOf().notes(notes.Question))
	if n != 2 {
		t.Errorf("%d questions are in the log", n)
	}
	var diverged *tools.DivergedError
	for _, q := range []tools.Question{{Key: "1", Prompt: "other?"}, {Key: "1", Prompt: "one?", Kind: "user"}} {
		if _, err := ask(hostOf(), q); !errors.As(err, &diverged) || diverged.Call != "1" {
			t.Errorf("%+v: %v", q, err)
		}
	}
	q := tools.Question{Prompt: "one?", Schema: json.RawMessage(`{"type":"integer"}`)}
	for _, tt := range []struct {
		n    hostNote
		want string
		is   error
	}{
		{hostNote{Answer: &tools.Answer{Value: json.RawMessage(`7`)}}, "", nil},
		{hostNote{Declined: true}, "", tools.ErrDeclined},
		{hostNote{Declined: true, Reason: "asleep"}, "asleep", tools.ErrDeclined},
		{hostNote{Expired: true}, "", tools.ErrExpired},
		{hostNote{Expired: true, Answer: &tools.Answer{Value: json.RawMessage(`7`), Expired: true}}, "", nil},
		{hostNote{Expired: true, Answer: &tools.Answer{Value: json.RawMessage(`"x"`), Expired: true}}, "was not answered in time, and its default", nil},
	} {
		in = r0(t)
		if _, err := ask(hostOf(), q); !errors.Is(err, tools.ErrWaiting) {
			t.Fatal(err)
		}
		tt.n.Key = "1"
		other := again() // a question of another call has the same number
		other.job.call.ID = "b"
		if err := errors.Join(other.append(t.Context(), notes.Answer, hostNote{Key: "1", Declined: true, Reason: "of another call"}), hostOf().append(t.Context(), notes.Answer, tt.n)); err != nil {
			t.Fatal(err)
		}
		h := hostOf()
		got, err := ask(h, q)
		switch {
		case tt.is == nil && tt.want == "" && (err != nil || string(got.Value) != "7"):
			t.Errorf("%+v: %s, %v", tt.n, got.Value, err)
		case (tt.is != nil || tt.want != "") && (err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%+v: %v", tt.n, err)
		case h.waiting:
			t.Errorf("%+v: it waits", tt.n)
		}
	}
}

func r0(t *testing.T) *Run { return underWay(t, made(t, Options{}), Input{}) }

// A call that a tool makes costs the same behind a thousand others.
func TestInnerCallsAreFlat(t *testing.T) {
	j := &job{owner: underWay(t, made(t, Options{Tools: []tools.Tool{plain{name: "f"}}}), Input{}), record: 1}
	j.call.ID, j.host.job = "a", j
	made := func() float64 {
		return testing.AllocsPerRun(100, func() {
			if _, err := j.host.CallTool(t.Context(), transport.ToolCall{Name: "f"}); err != nil {
				t.Fatal(err)
			}
		})
	}
	first := made()
	for range 800 {
		if _, err := j.host.CallTool(t.Context(), transport.ToolCall{Name: "f"}); err != nil {
			t.Fatal(err)
		}
	}
	if last := made(); last > 1.2*first {
		t.Errorf("%.0f objects for a call, %.0f for one behind 900 others", first, last)
	}
}

// A tool whose call waits can't say that all is done: what it called has to be run again.
// What it keeps twice stands in the log once.
func TestWhatACallLeaves(t *testing.T) {
	asks := plain{name: "asks", do: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		_, err := tools.CallOf(ctx).Host.Ask(ctx, tools.Question{Prompt: "Which?"})
		return tools.Result{}, err
	}}
	r := underWay(t, made(t, Options{Tools: []tools.Tool{asks, plain{name: "f"}}}), Input{})
	newHost := func() *host {
		j := &job{owner: r, record: 1}
		j.call.ID, j.host.job = "a", j
		return &j.host
	}
	h := newHost()
	if _, err := h.CallTool(t.Context(), transport.ToolCall{Name: "f"}); err != nil || h.waiting {
		t.Errorf("it waits: %v, %v", h.waiting, err)
	}
	if _, err := h.CallTool(t.Context(), transport.ToolCall{Name: "asks"}); !errors.Is(err, tools.ErrWaiting) || !h.waiting {
		t.Errorf("it waits: %v, %v", h.waiting, err)
	}
	refs := map[string]bool{}
	n := r.log.Len()
	for range 2 {
		for _, data := range []string{"one", "two"} {
			ref, err := newHost().Keep(t.Context(), []byte(data), "text/plain")
			if err != nil {
				t.Fatal(err)
			}
			refs[ref] = true
			if got, kind, err := newHost().Kept(t.Context(), ref); err != nil || string(got) != data || kind != "text/plain" {
				t.Errorf("%s: %q, %s, %v", data, got, kind, err)
			}
		}
	}
	if len(refs) != 2 || r.log.Len()-n != 2 {
		t.Errorf("%d names in %d records", len(refs), r.log.Len()-n)
	}
}

// Nothing but "allow" lets a call of a call run, whatever its log says.
func TestOnlyAllowAllows(t *testing.T) {
	for value, want := range map[string]string{
		`"allow"`: "", `"deny"`: "not permitted", `"Allow"`: "not permitted", `"maybe"`: "not permitted", `true`: "not permitted", `{}`: "not permitted", `null`: "not permitted",
	} {
		r := r0(t)
		outer := &job{owner: r, record: 1}
		outer.call.ID, outer.host.job = "a", outer
		inner := &job{owner: r, record: 1, outer: outer}
		inner.call.ToolCall = transport.ToolCall{ID: "1", Name: "f", Input: json.RawMessage(`{}`)}
		ask := &memory.ApprovalRequest{CallID: "1", Reason: "May I?"}
		if _, err := outer.host.approval(t.Context(), inner, ask); !errors.Is(err, tools.ErrWaiting) {
			t.Fatal(err)
		}
		if err := outer.host.append(t.Context(), notes.Answer, hostNote{Key: "approval 1", Answer: &tools.Answer{Value: json.RawMessage(value)}}); err != nil {
			t.Fatal(err)
		}
		refused, err := outer.host.approval(t.Context(), inner, ask)
		if err != nil || !strings.Contains(refused, want) || (refused == "") != (want == "") {
			t.Errorf("%s: %q, %v", value, refused, err)
		}
	}
}

// Calls that a tool makes are numbered, run once, and their results are there when the
// tool runs again; arguments left out are an empty object.
func TestInnerCallsAgain(t *testing.T) {
	ran := 0
	list := []tools.Tool{
		plain{name: "f", do: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
			ran++
			return tools.Text("f" + string(in)), nil
		}},
		plain{name: "fails", do: func(context.Context, json.RawMessage) (tools.Result, error) {
			ran++
			return tools.Result{}, errors.New("no")
		}},
		plain{name: "ends", do: func(context.Context, json.RawMessage) (tools.Result, error) {
			return tools.Result{}, tools.Fatal(errors.New("the end"))
		}},
	}
	r := underWay(t, made(t, Options{Tools: list, Limits: Limits{Parallel: 1}}), Input{})
	newHost := func() *host {
		j := &job{owner: r, record: 1}
		j.call.ID, j.host.job = "a", j
		return &j.host
	}
	for round := range 2 {
		h := newHost()
		one, err1 := h.CallTool(t.Context(), transport.ToolCall{Name: "f"})
		two, err2 := h.CallTool(t.Context(), transport.ToolCall{Name: "fails", Input: json.RawMessage(`{"n":1}`)})
		if err := errors.Join(err1, err2); err != nil || (transport.Message{Content: one.Content}).Text() != "f{}" || one.IsError || (transport.Message{Content: two.Content}).Text() != "no" || !two.IsError || ran != 2 {
			t.Errorf("round %d: %+v, %+v, ran %d times, %v", round, one, two, ran, err)
		}
		if h.calls != 2 {
			t.Errorf("%d calls", h.calls)
		}
	}
	var diverged *tools.DivergedError
	if _, err := newHost().CallTool(t.Context(), transport.ToolCall{Name: "fails"}); !errors.As(err, &diverged) || diverged.Call != "1" {
		t.Errorf("another tool at the first place: %v", err)
	}
	if _, err := newHost().CallTool(t.Context(), transport.ToolCall{ID: "x", Name: "ends"}); !tools.IsFatal(err) || r.fatal.Load() {
		t.Errorf("%v; the run was ended: %v", err, r.fatal.Load())
	}
	// One that was begun, and has no result, isn't made again.
	h := newHost()
	if err := h.append(t.Context(), notes.Started, hostNote{Key: "y", Name: "f", Input: json.RawMessage(`{}`)}); err != nil {
		t.Fatal(err)
	}
	if res, err := h.CallTool(t.Context(), transport.ToolCall{ID: "y", Name: "f"}); err != nil || !res.IsError || ran != 2 || !strings.Contains((transport.Message{Content: res.Content}).Text(), "outcome of this call is unknown") {
		t.Errorf("%+v, ran %d times, %v", res, ran, err)
	}
	// One at once, and none once the call has ended.
	h.slots <- struct{}{}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.CallTool(gone, transport.ToolCall{ID: "z", Name: "f"}); !errors.Is(err, context.Canceled) || cap(h.slots) != 1 {
		t.Errorf("%d at once, %v", cap(h.slots), err)
	}
	if err := h.Note(t.Context(), "n", json.RawMessage(`{`)); err == nil {
		t.Error("a note that is no JSON was taken")
	}
	if err := h.Note(gone, "n", json.RawMessage(`1`)); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that has ended notes: %v", err)
	}
}

// A thread's answer is looked at again after a restart: the endpoint that it then comes
// from may not have the conversation.
func TestARestartInAThread(t *testing.T) {
	answer := func(prompt int64) *transport.Response {
		resp := stopped(t, "end_turn", "", `{"type":"text","text":"a"}`)
		resp.Usage.InputTokens = prompt
		return resp
	}
	start := func(prompt int64) transport.Event {
		return transport.Event{Type: transport.EventMessageStart, Response: answer(prompt)}
	}
	restart, stop := transport.Event{Type: transport.EventRestarted}, transport.Event{Type: transport.EventMessageStop, Response: answer(10)}
	for _, tt := range []struct {
		name   string
		events []transport.Event
		lost   bool
		shown  bool
		proven bool
	}{
		{"it has it", []transport.Event{start(10), stop}, false, true, true},
		{"it has not", []transport.Event{start(9), stop}, true, false, false},
		{"nor after a restart", []transport.Event{start(10), restart, start(9), stop}, true, false, true},
		{"it has it after a restart", []transport.Event{start(10), restart, start(10), stop}, false, true, true},
	} {
		a := made(t, Options{Client: replayed(tt.events)})
		r := underWay(t, a, Input{Log: talked(t)})
		in := r.nextRequest()
		in.Thread = &transport.Thread{PreviousMessageID: "m"}
		_, shown, err := r.streamThread(t.Context(), in, new(attempts), func(transport.Event) bool { return true })
		if errors.Is(err, errNoHistory) != tt.lost || (err != nil) != tt.lost || shown != tt.shown || a.threads.proven.Load() != tt.proven {
			t.Errorf("%s: shown %v, proven %v, %v", tt.name, shown, a.threads.proven.Load(), err)
		}
	}
}

// A replayed client answers with its events.
type replayed []transport.Event

func (c replayed) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		for _, ev := range c {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// Sub-agents know how deep they are, whose they are, and what they may do.
func TestRunsOfSubAgents(t *testing.T) {
	yes := func(context.Context, PendingCall) (Decision, error) { return Decision{Permission: Allow}, nil }
	below := made(t, Options{Limits: Limits{Depth: 99}})
	shape, err := tools.NewOutput[int]()
	if err != nil {
		t.Fatal(err)
	}
	sub := Sub{Agent: below, Name: "s", Group: "g", NeedsApproval: true, Output: shape}
	if got := sub.Traits(); got != (tools.Traits{Timeout: -1, Repeatable: true, NeedsApproval: true, Group: "g"}) {
		t.Errorf("%+v", got)
	}
	caller := underWay(t, made(t, Options{Limits: Limits{Depth: 2}}), Input{User: "ann", Meta: map[string]string{"tenant": "t"}, Approver: yes})
	run := sub.newRun(caller, memory.NewLog())
	if run.depth != 1 || run.limits.Depth != 2 || run.input.User != "ann" || run.meta["tenant"] != "t" || run.approver() == nil || run.input.Output != shape {
		t.Errorf("depth %d of %d, user %q, meta %v", run.depth, run.limits.Depth, run.input.User, run.meta)
	}
	caller.depth = 3
	if run := sub.newRun(caller, memory.NewLog()); run.depth != 4 {
		t.Errorf("below a run of depth 3 one has the depth %d", run.depth)
	}
	own := made(t, Options{Approver: func(context.Context, PendingCall) (Decision, error) { return Decision{}, errors.New("its own") }})
	if d := (Sub{Agent: own}).newRun(caller, memory.NewLog()); d.input.Approver != nil {
		t.Error("a sub-agent with an Approver has its caller's")
	}
	for _, tt := range []struct {
		depth, most int
		input       string
		want        string // of the error; "" where the sub-agent is run
	}{
		{1, 2, `{"task":"x"}`, ""}, {2, 2, `{"task":"x"}`, "2 deep"}, {0, -1, `{"task":"x"}`, ""}, {9, -1, `{"task":"x"}`, ""},
		{0, 2, `{"task":" "}`, "give the sub-agent a task"}, {0, 2, `{}`, `of tool "s"`}, {0, 2, `{"task":"x","y":1}`, `of tool "s"`}, {0, 2, `{"TASK":"x"}`, "written as the schema says"},
	} {
		caller.depth, caller.limits.Depth = tt.depth, tt.most
		ctx := tools.WithCall(withRun(t.Context(), caller), tools.CallInfo{ID: "a", Key: "1-a", Name: "s"})
		_, err := sub.Call(ctx, json.RawMessage(tt.input))
		if err == nil || tt.want == "" != strings.Contains(err.Error(), "not asked") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d of %d, %s: %v", tt.depth, tt.most, tt.input, err)
		}
	}
	if _, err := (Sub{Name: "s"}).Definition(); err == nil || !strings.Contains(err.Error(), "Sub.Agent is nil") {
		t.Errorf("%v", err)
	}
}

// The tools for sub-agents in the background find them by their handles, and say what
// each does or came to.
func TestToolsForTheBackground(t *testing.T) {
	store := new(memory.RAM)
	session := func(id, parent string, list ...memory.Record) *memory.Log {
		log, err := memory.Create(store, id, &memory.Start{Parent: parent})
		if err == nil {
			err = log.Append(t.Context(), list...)
		}
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	input := memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}
	parent := session("s", "", input, memory.Record{Kind: memory.KindResponse, Response: stopped(t, "end_turn", "", `{"type":"text","text":"they work"}`)},
		memory.Record{Kind: memory.KindNote, Note: notes.Began, Data: []byte(`{"child":"s/1-a","tool":"helper","agent":"helper"}`)},
		memory.Record{Kind: memory.KindNote, Note: notes.Began, Data: []byte(`{"child":"s/1-b","tool":"helper","agent":"helper"}`)})
	session("s/1-a", "s", input, memory.Record{Kind: memory.KindResponse, Response: stopped(t, "pause_turn", "", `{"type":"text","text":"half way"}`)})
	b := session("s/1-b", "s", input, memory.Record{Kind: memory.KindResponse, Response: stopped(t, "tool_use", "", aCall)})
	if err := b.Append(t.Context(), memory.Record{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "a", Hash: memory.HashCall(b.State().Open[0].ToolCall)}}}); err != nil {
		t.Fatal(err)
	}
	fork, err := memory.ForkSession(t.Context(), store, "s", parent.Len(), "f", nil)
	if err != nil {
		t.Fatal(err)
	}
	if of, its := begunOf(parent, parent.State()), begunOf(fork, fork.State()); len(of) != 2 || len(its) != 0 {
		t.Errorf("the session has %v in the background, want two, and its fork %v", of, its)
	}
	r := underWay(t, made(t, Options{}), Input{Log: parent})
	ctx := withRun(t.Context(), r)
	look := func() string {
		list, err := lookAtAgents(ctx, struct{}{})
		raw, _ := json.Marshal(list)
		if err != nil {
			t.Error(err)
		}
		return string(raw)
	}
	if got := look(); got != `[{"id":"1-a","agent":"helper","state":"stopped","steps":1,"said_last":"half way"},{"id":"1-b","agent":"helper","state":"waiting","steps":1,"waits_for":["an approval of f"]}]` {
		t.Error(got)
	}
	if _, err := waitForAgent(ctx, agentID{"zz"}); err == nil || !strings.Contains(err.Error(), `no agent "zz"; those in the background are: 1-a, 1-b`) {
		t.Errorf("%v", err)
	}
	if said, err := tellAgent(ctx, agentMessage{"1-a", "hurry"}); err != nil || said != "It is told." {
		t.Errorf("%q, %v", said, err)
	}
	if said, err := cancelAgent(ctx, agentID{"1-a"}); err != nil || said != "The agent is canceled. So far: half way" {
		t.Errorf("%q, %v", said, err)
	}
	if last := parent.Messages(); last[len(last)-1].Text() != "they work" {
		t.Errorf("the model is told twice: %q", last[len(last)-1].Text())
	}
	if said, err := cancelAgent(ctx, agentID{"1-a"}); err != nil || said != "The agent has ended already." {
		t.Errorf("%q, %v", said, err)
	}
	if said, err := waitForAgent(ctx, agentID{"1-a"}); err != nil || said != "The agent 1-a has ended before. It said last: half way" {
		t.Errorf("%q, %v", said, err)
	}
	if _, err := tellAgent(ctx, agentMessage{"1-a", "hurry"}); err == nil || !strings.Contains(err.Error(), "hears nothing any more") {
		t.Errorf("%v", err)
	}
	if got := look(); strings.Contains(got, "1-a") {
		t.Errorf("one that was canceled is listed: %s", got)
	}
	for name, f := range map[string]func(context.Context) error{
		"look": func(ctx context.Context) error { _, err := lookAtAgents(ctx, struct{}{}); return err }, "wait": func(ctx context.Context) error { _, err := waitForAgent(ctx, agentID{"1-b"}); return err },
		"tell": func(ctx context.Context) error { _, err := tellAgent(ctx, agentMessage{"1-b", "x"}); return err }, "cancel": func(ctx context.Context) error { _, err := cancelAgent(ctx, agentID{"1-b"}); return err },
	} {
		if err := f(t.Context()); !errors.Is(err, errNoRun) {
			t.Errorf("%s without a run: %v", name, err)
		}
	}
	traits := map[string]tools.Traits{}
	for _, tool := range BackgroundTools() {
		def, _ := tool.Definition()
		traits[def.Name()] = tool.(tools.Callable).Traits()
	}
	if len(traits) != 4 || traits["wait_for_agent"].Timeout != -1 || !traits["wait_for_agent"].Repeatable || !traits["look_at_agents"].Repeatable || !traits["cancel_agent"].Repeatable || traits["tell_agent"].Repeatable {
		t.Errorf("%+v", traits)
	}
	// One whose session, or tool, is gone has ended.
	if err := r.letGoOn(ctx, begunNote{Child: "s/1-b", Tool: "helper", Agent: "helper"}, b, nil); err != nil {
		t.Fatal(err)
	}
	if last := parent.Messages(); !strings.Contains(last[len(last)-1].Text(), `there is no tool "helper" any more`) || len(parent.State().Background) != 0 {
		t.Errorf("%q, %v", last[len(last)-1].Text(), parent.State().Background)
	}
}

// What works in the background is told to stop, all of it before any is waited for.
func TestBackgroundIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := made(t, Options{}).NewRun(Input{Prompt: "q"})
		var stopped atomic.Int32
		for range 2 {
			c := &child{done: make(chan struct{})}
			c.cancel = func() {
				stopped.Add(1)
				go func() { // it ends once both are told
					for stopped.Load() < 2 {
						time.Sleep(time.Second)
					}
					close(c.done)
				}()
			}
			r.atWork = append(r.atWork, c)
		}
		r.stopBackground()
		if stopped.Load() != 2 || len(r.atWork) != 0 {
			t.Errorf("%d of 2 are told to stop", stopped.Load())
		}
	})
}

// When a run has ended no sub-agent is let work in its background.
func TestNoBackgroundBehindTheEnd(t *testing.T) {
	r := underWay(t, made(t, Options{}), Input{})
	c := &child{begunNote: begunNote{Child: "/1-a"}, sub: Sub{Agent: made(t, Options{}), Name: "s"}, log: memory.NewLog()}
	r.letWork(c)
	if len(r.atWork) != 0 {
		t.Error("one works before the run does")
	}
	if err := r.startBackground(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.letWork(c)
	r.letWork(&child{begunNote: c.begunNote})
	if len(r.atWork) != 1 || r.childAtWork("/1-a") != c || r.childAtWork("/1-b") != nil {
		t.Errorf("%d work", len(r.atWork))
	}
	r.stopBackground()
	if !isClosed(c.done) || len(r.atWork) != 0 {
		t.Error("one works behind the end")
	}
	r.letWork(&child{begunNote: c.begunNote, sub: c.sub, log: memory.NewLog()})
	if len(r.atWork) != 0 {
		t.Error("one begins behind the end")
		r.stopBackground()
	}
}

// A log stands while all that it waits for has time; one question whose time is over lets
// it go on.
func TestWhatStands(t *testing.T) {
	past, later := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	for _, tt := range []struct {
		name      string
		deadlines []time.Time // of each question
		want      int         // questions that are waited for; 0 if it can go on
	}{
		{"nothing is asked", nil, 0},
		{"for ever", []time.Time{{}}, 1},
		{"for a while", []time.Time{later, {}}, 2},
		{"one is over", []time.Time{later, past}, 0},
		{"it is over", []time.Time{past}, 0},
	} {
		r := r0(t)
		j := &job{owner: r, record: 1}
		j.call.ID = "a"
		for i, d := range tt.deadlines {
			if _, err := (&host{job: j}).Ask(t.Context(), tools.Question{Key: string(rune('a' + i)), Deadline: d}); !errors.Is(err, tools.ErrWaiting) {
				t.Fatal(err)
			}
		}
		if err := r.log.Append(t.Context(), memory.Record{Kind: memory.KindStarted, Calls: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
		waits, err := standing(t.Context(), r.log)
		if got := waits; err != nil || (got != nil) != (tt.want > 0) || got != nil && len(got.Questions) != tt.want {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
}

// An Approver is asked once about what a sub-agent waits for, and once more when its
// session has got a record.
func TestApproversOfSubAgentsAreAskedOnce(t *testing.T) {
	nobody, somebody := r0(t), r0(t)
	somebody.input.Approver = func(context.Context, PendingCall) (Decision, error) { return Decision{Permission: Ask}, nil }
	calls := &ApprovalError{Calls: []PendingCall{{CallID: "a"}}}
	d, its := childData{Session: "s/1-a"}, childData{Session: "s/1-b", Approver: true}
	for i, tt := range []struct {
		r       *Run
		d       childData
		waits   *ApprovalError
		records int
		want    bool
	}{
		{nobody, d, calls, 3, false},
		{nobody, its, calls, 3, true},
		{nobody, its, calls, 3, false},
		{somebody, d, new(ApprovalError), 0, false},
		{somebody, d, calls, 0, true},
		{somebody, d, calls, 0, false},
		{somebody, its, calls, 0, true},
		{somebody, d, calls, 1, true},
		{somebody, d, calls, 1, false},
	} {
		if got := tt.r.tryAgain(tt.d, tt.waits, tt.records); got != tt.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

// What a call that begins before its response notes, asks, keeps or calls comes behind
// the response.
func TestHostWaitsForTheResponse(t *testing.T) {
	for name, do := range map[string]func(context.Context, *host) error{
		"Note": func(ctx context.Context, h *host) error { return h.Note(ctx, "n", json.RawMessage(`1`)) },
		"Notes": func(ctx context.Context, h *host) error {
			_, err := h.Notes(ctx, "n")
			return err
		},
		"Ask": func(ctx context.Context, h *host) error {
			if _, err := h.Ask(ctx, tools.Question{Prompt: "?"}); !errors.Is(err, tools.ErrWaiting) {
				return err
			}
			return nil
		},
		"Keep": func(ctx context.Context, h *host) error {
			_, err := h.Keep(ctx, []byte("x"), "text/plain")
			return err
		},
		"CallTool": func(ctx context.Context, h *host) error {
			_, err := h.CallTool(ctx, transport.ToolCall{Name: "none"})
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := r0(t)
			j := &job{owner: r, record: 1, stands: make(chan struct{})}
			j.call.ID, j.host.job = "a", j
			ended, n := make(chan error, 1), r.log.Len()
			go func() { ended <- do(t.Context(), &j.host) }()
			synctest.Wait()
			if len(ended) != 0 || r.log.Len() != n {
				t.Errorf("%s does not wait", name)
			}
			close(j.stands)
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// A call that was under way may run again if it has asked something, or a call that it
// made has; what another call asked whose id begins alike says nothing of it.
func TestWhoseQuestionItIs(t *testing.T) {
	r := r0(t)
	of := func(id string, outer *job) *job {
		j := &job{owner: r, record: 1, outer: outer}
		j.call.ID = id
		return j
	}
	other, caller := of("11", nil), of("2", nil)
	for _, j := range []*job{other, of("x", caller)} {
		if _, err := (&host{job: j}).Ask(t.Context(), tools.Question{Prompt: "?"}); !errors.Is(err, tools.ErrWaiting) {
			t.Fatal(err)
		}
	}
	for j, want := range map[*job]bool{other: true, caller: true, of("1", nil): false, of("x", other): false} {
		if got := j.askedBefore(); got != want {
			t.Errorf("%s: %v", j.key(), got)
		}
	}
	store := new(memory.RAM)
	for _, id := range []string{"s", "elsewhere/1-a"} {
		log, err := memory.Create(store, id, nil)
		if err == nil {
			err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	parent, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openChild(t.Context(), parent, "elsewhere/1-a"); !isGone(err) {
		t.Errorf("a session below another one: %v", err)
	}
	if !isGone(fmt.Errorf("load: %w", memory.ErrReplaced)) || isGone(memory.ErrUnavailable) {
		t.Error("a session that was replaced is gone, and one that can't be reached is not")
	}
}

// The wait for a question ends at its deadline, by its default or without an answer; a
// question that has none is left alone.
func TestExpiredQuestions(t *testing.T) {
	r := r0(t)
	j := &job{owner: r, record: 1}
	j.call.ID = "a"
	past := time.Now().Add(-time.Hour)
	for _, q := range []tools.Question{
		{Key: "default", Deadline: past, Default: json.RawMessage(`"no"`)}, {Key: "none", Deadline: past}, {Key: "later", Deadline: time.Now().Add(time.Hour)}, {Key: "ever"},
	} {
		if _, err := (&host{job: j}).Ask(t.Context(), q); !errors.Is(err, tools.ErrWaiting) {
			t.Fatal(err)
		}
	}
	if err := r.log.Append(t.Context(), memory.Record{Kind: memory.KindStarted, Calls: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	list := Questions(r.log)
	if len(list) != 4 || list[0].Since.IsZero() || list[0].Root != "1-a" {
		t.Fatalf("%+v", list)
	}
	if err := list[0].Answer(t.Context(), r.log, tools.Answer{Value: json.RawMessage(`"yes"`)}); decidedBefore(err) != true || !strings.Contains(err.Error(), "its time was over at") {
		t.Errorf("an answer behind the deadline: %v", err)
	}
	slices.Reverse(list) // those whose time is not over come first
	expired, err := expire(t.Context(), r.log, list)
	if left := Questions(r.log); !expired || err != nil || len(left) != 2 || left[0].Question.Key != "later" || left[1].Question.Key != "ever" {
		t.Errorf("%v, %v; left %+v", expired, err, left)
	}
	for _, n := range (&host{job: j}).notes(notes.Answer) {
		if !n.Expired || (n.Answer != nil) != (n.Key == "default") || n.Answer != nil && (!n.Answer.Expired || string(n.Answer.Value) != `"no"`) {
			t.Errorf("%+v", n)
		}
	}
	if expired, err := expire(t.Context(), r.log, Questions(r.log)); expired || err != nil {
		t.Errorf("%v, %v", expired, err)
	}
	for why, change := range map[string]func(*PendingQuestion){
		"not_pending": func(q *PendingQuestion) { q.Question.Key = "other" }, "changed": func(q *PendingQuestion) { q.Question.Prompt = "other" }, "decided": func(q *PendingQuestion) { *q = list[2] },
	} {
		q := Questions(r.log)[0]
		change(&q)
		var wrong *DecisionError
		if err := q.Decline(t.Context(), r.log, ""); !errors.As(err, &wrong) || wrong.Why != why {
			t.Errorf("%s: %v", why, err)
		}
	}
	q := Questions(r.log)[0]
	q.Session = "elsewhere"
	if err := q.Decline(t.Context(), r.log, ""); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("%v", err)
	}
}
