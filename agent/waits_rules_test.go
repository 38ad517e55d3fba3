package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Of the open calls those wait that were asked about and not decided on: with when, why
// and which they are. A decision counts for the call of one response.
func TestPendingOfALog(t *testing.T) {
	log := memory.NewLog()
	add := func(list ...memory.Record) {
		t.Helper()
		if err := log.Append(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	use := func(id string) string { return strings.Replace(aCall, `"id":"a"`, `"id":"`+id+`"`, 1) }
	ask := func(ids ...string) memory.Record {
		r := memory.Record{Kind: memory.KindApprovalRequest, Time: at.Add(time.Duration(log.Len()) * time.Minute)}
		for _, c := range log.State().Open {
			for _, id := range ids {
				if c.ID == id {
					r.ApprovalRequests = append(r.ApprovalRequests, memory.ApprovalRequest{CallID: id, Hash: memory.HashCall(c.ToolCall), Reason: "why " + id})
				}
			}
		}
		return r
	}
	add(memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}, memory.Record{Kind: memory.KindResponse, Response: stopped(t, "tool_use", "", use("a"), use("b"), use("c"))})
	add(ask("a"))
	add(ask("b"))
	p := Pending(log)
	if len(p) != 2 || p[0].CallID != "a" || p[1].CallID != "b" || p[0].Record != 1 || p[1].Reason != "why b" || p[0].Name != "f" || p[0].Input != "{}" ||
		!p[0].Since.Equal(at.Add(2*time.Minute)) || !p[1].Since.Equal(at.Add(3*time.Minute)) {
		t.Fatalf("%+v", p)
	}
	c := p[0]
	c.CallID, c.Hash = "c", memory.HashCall(log.State().Open[2].ToolCall)
	if why := c.closed(log); why != whyNotPending {
		t.Errorf("a call that nobody was asked about is %q", why)
	}
	if err := p[0].Deny(t.Context(), log, "no"); err != nil {
		t.Fatal(err)
	}
	if left := Pending(log); len(left) != 1 || left[0].CallID != "b" {
		t.Errorf("%+v", left)
	}
	wrong := p[1]
	wrong.Hash = p[0].Hash
	for name, tt := range map[string]struct {
		p    PendingCall
		want string
	}{
		"decided": {p[0], whyDecided}, "waiting": {p[1], ""}, "another call": {wrong, whyChanged},
		"another response": {func() PendingCall { p := p[1]; p.Record = 0; return p }(), whyNotPending},
	} {
		if got := tt.p.closed(log); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	for _, id := range []string{"a", "b", "c"} {
		add(memory.Record{Kind: memory.KindResult, Block: transport.ToolCall{ID: id}.Answer(transport.Text("r"))})
	}
	if p[0].closed(log) != whyDecided || p[1].closed(log) != whyNotPending {
		t.Errorf("behind the results: %q, %q", p[0].closed(log), p[1].closed(log))
	}
	// The next response has a call of the same id and arguments, which waits itself.
	add(memory.Record{Kind: memory.KindResponse, Response: stopped(t, "tool_use", "", use("a"))})
	add(ask("a"))
	again := Pending(log)
	if len(again) != 1 || again[0].Record != log.Len()-2 || again[0].closed(log) != "" || p[0].closed(log) != whyDecided || again[0].Hash != p[0].Hash {
		t.Errorf("%+v: %q, and the one before %q", again, again[0].closed(log), p[0].closed(log))
	}
}

// What an Approver says is recorded as it is; what is no decision is an error.
func TestTakeADecision(t *testing.T) {
	for _, tt := range []struct {
		d         Decision
		approve   bool
		input     string
		reason    string
		undecided bool
		fails     string
	}{
		{Decision{Permission: Allow}, true, "", "", false, ""},
		{Decision{Permission: Allow, Input: json.RawMessage(" \n")}, true, "", "", false, ""},
		{Decision{Permission: Allow, Input: json.RawMessage(` {"n":7} `)}, true, `{"n":7}`, "", false, ""},
		{Decision{Permission: Allow, Input: json.RawMessage(`[7]`)}, false, "", "", false, "not a JSON object"},
		{Decision{Permission: Allow, Input: json.RawMessage(`"{}"`)}, false, "", "", false, "not a JSON object"},
		{Decision{Permission: Allow, Input: json.RawMessage(`{`)}, false, "", "", false, "not a JSON object"},
		{Decision{Permission: Deny, Reason: "no\xff", Input: json.RawMessage(`{}`)}, false, "", "no\uFFFD", false, ""},
		{Decision{Permission: Ask}, false, "", "", true, ""},
		{Decision{}, false, "", "", false, "Permission is"},
		{Decision{Permission: "yes"}, false, "", "", false, `"yes"`},
	} {
		log := memory.NewLog()
		call, _ := parsed(t, aCall).ToolCall()
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}, memory.Record{Kind: memory.KindResponse, Response: stopped(t, "tool_use", "", aCall)},
			memory.Record{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "a", Hash: memory.HashCall(call)}}}); err != nil {
			t.Fatal(err)
		}
		undecided, err := Pending(log)[0].take(t.Context(), log, tt.d)
		if undecided != tt.undecided || (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%+v: %v, %v", tt.d, undecided, err)
		}
		got := log.State().Open[0].Decision
		if (got == nil) != (tt.fails != "" || tt.undecided) {
			t.Errorf("%+v: recorded is %+v", tt.d, got)
		} else if got != nil && (got.Approve != tt.approve || string(got.Input) != tt.input || got.Reason != tt.reason) {
			t.Errorf("%+v: recorded is %+v", tt.d, got)
		}
	}
}

// The newest change of a tool counts, also where a summary reports it, and in a list of
// messages that is another one.
func TestNewestChangeOfATool(t *testing.T) {
	system := func(raw ...string) memory.Record {
		m := transport.Message{Role: transport.RoleSystem}
		for _, r := range raw {
			m.Content = append(m.Content, parsed(t, r))
		}
		return memory.Record{Kind: memory.KindInput, Message: m}
	}
	off := func(name string) string { return fmt.Sprintf(`{"type":"tool_removal","tool":{"name":%q}}`, name) }
	on := func(name string) string { return fmt.Sprintf(`{"type":"tool_addition","tool":{"name":%q}}`, name) }
	q := memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}
	log := memory.NewLog()
	var n toolNews
	r := &Run{log: log, toolNews: &n}
	for i, step := range []struct {
		rec  memory.Record
		f, g bool // are off
	}{
		{q, false, false}, {system(off("f")), true, false}, {q, true, false}, {system(on("f"), off("g")), false, true}, {system(on("g"), off("g")), false, true}, {system(off("f")), true, true},
	} {
		if err := log.Append(t.Context(), step.rec); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if r.turnedOff("f") != step.f || r.turnedOff("g") != step.g || r.turnedOff("h") {
				t.Errorf("behind message %d: f %v, g %v", i, r.turnedOff("f"), r.turnedOff("g"))
			}
		}
	}
	other := memory.NewLog()
	if err := other.Append(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if n.of(other, "f").typ != "" {
		t.Error("another log has the changes of the one before")
	}
	summary := parsed(t, `{"type":"compaction","content":"x","tool_changes":[{"type":"tool_removal","tool":{"name":"g"}}]}`)
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindSummary, Message: transport.Message{Role: "assistant", Content: []transport.Block{summary}}, Replaces: len(log.Messages()) - 1}); err != nil {
		t.Fatal(err)
	}
	if r.toolNews.of(log, "g").typ != "tool_removal" {
		t.Error("a summary reports that g is off")
	}
}

// The ends of sub-agents in the background are told by their handles.
func TestWordsOfTheBackground(t *testing.T) {
	b := begunNote{Child: "s/x/3-call_1", Tool: "worker", Agent: "researcher"}
	if b.handle() != "3-call_1" {
		t.Error(b.handle())
	}
	for _, tt := range []struct {
		text string
		err  error
		most int
		want string
	}{
		{"42", nil, -1, "The sub-agent researcher (3-call_1) has ended.\n\n42"},
		{"", nil, -1, "The sub-agent researcher (3-call_1) has ended.\n\nIt said nothing."},
		{"41", errors.New("away"), -1, "The sub-agent researcher (3-call_1) did not finish (away). So far: 41"},
		{"", errors.New("away"), -1, "The sub-agent researcher (3-call_1) did not finish (away). So far: nothing"},
		{"\xff", nil, -1, "The sub-agent researcher (3-call_1) has ended.\n\n\uFFFD"},
		{strings.Repeat("x", 99), nil, 60, "The sub-agent researcher (3-call_1) has ended.\n\n" + strings.Repeat("x", 12) + "\n[cut"},
	} {
		c := &child{begunNote: b, text: tt.text, err: tt.err}
		if got := c.outcome(tt.most); !strings.HasPrefix(got, tt.want) || tt.most < 0 && got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// A call is cut off by the end of its run only if it may be run again, and a tool's own
// words stand behind the reason why it was stopped.
func TestCutOffCalls(t *testing.T) {
	words := errors.New("words")
	for _, tt := range []struct {
		name   string
		traits tools.Traits
		o      outcome
		fatal  error
		ended  bool
		want   bool
	}{
		{"it may be run again", tools.Traits{Repeatable: true}, outcome{err: words}, nil, true, true},
		{"it only reads", tools.Traits{ReadOnly: true}, outcome{err: words}, nil, true, true},
		{"it may not", tools.Traits{}, outcome{err: words}, nil, true, false},
		{"it has its result", tools.Traits{Repeatable: true}, outcome{result: tools.Text("yes")}, nil, true, false},
		{"its result is an error", tools.Traits{Repeatable: true}, outcome{result: tools.ErrorText("no")}, nil, true, true},
		{"it ended the run itself", tools.Traits{Repeatable: true}, outcome{err: words}, words, true, false},
		{"it panicked", tools.Traits{Repeatable: true}, outcome{err: &PanicError{What: "the tool"}}, nil, true, false},
		{"the run goes on", tools.Traits{Repeatable: true}, outcome{err: words}, nil, false, false},
		{"its sub-agent was stopped", tools.Traits{Repeatable: true}, outcome{err: fmt.Errorf("x: %w", &unfinishedError{words})}, nil, false, true},
	} {
		ctx, cancel := contextThatEnds(t, tt.ended)
		j := &job{tool: &tool{traits: tt.traits}, fatal: tt.fatal, owner: &Run{log: memory.NewLog()}}
		j.ctx, j.limited = ctx, ctx
		if got := j.cutOff(tt.o); (got != nil) != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
		cancel()
	}
	for _, tt := range []struct {
		run, tool bool // have ended
		err       error
		want      string
	}{
		{false, false, words, "words"}, {false, true, words, "no result after 2s"}, {true, true, words, "the run was cancelled"},
		{true, true, tools.Fatal(words), "words"}, {false, true, fmt.Errorf("x: %w", tools.ErrWaiting), "x: "},
	} {
		run, stop := contextThatEnds(t, tt.run)
		limited, end := contextThatEnds(t, tt.tool)
		j := &job{}
		j.ctx, j.limited, j.limit = run, limited, 2*time.Second
		if got := j.explain(outcome{err: tt.err}).err; !strings.HasPrefix(got.Error(), tt.want) || !errors.Is(got, tt.err) {
			t.Errorf("run ended %v, tool's time %v: %v, want %s", tt.run, tt.tool, got, tt.want)
		}
		stop()
		end()
	}
	if o := (&job{attempt: attempt{}}).explain(outcome{result: tools.Text("yes")}); o.err != nil {
		t.Error(o.err)
	}
}

func contextThatEnds(t *testing.T, ended bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	if ended {
		cancel()
	}
	return ctx, cancel
}
