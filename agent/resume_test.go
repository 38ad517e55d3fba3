package agent_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A turnBased client answers by how many responses the request holds, so that
// it says the same to a run that was resumed.
type turnBased struct{ replies []*transport.Response }

func (c turnBased) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	n := 0
	for _, m := range req.Messages {
		if m.Role == transport.RoleAssistant {
			n++
		}
	}
	return (&script{replies: []any{c.replies[n]}}).Stream(ctx, req)
}

// A run that is killed after any of its records ends with the transcript of one
// that was not, and no call is run that has a result, or that may have been run
// and must not be again.
func TestResumeFromEveryRecord(t *testing.T) {
	thinking := `{"type":"thinking","thinking":"","signature":"c2ln"}`
	client := turnBased{replies: []*transport.Response{
		reply(t, "tool_use", thinking, use("a", "echo", `{"n":1}`), use("b", "echo", `{"n":2}`), use("c", "once", `{"n":3}`)),
		reply(t, "pause_turn", thinking, `{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}}`),
		reply(t, "tool_use", `{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`, use("d", "echo", `{"n":4}`)),
		reply(t, "max_tokens", text("Half"), use("e", "echo", `{}`)),
		reply(t, "end_turn", text("Done.")),
	}}
	ran := map[string]int{}
	count := func(name string, traits tools.Traits) fake {
		traits.Group = "one at a time" // so that the map needs no lock
		return fake{name: name, traits: traits, call: func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
			ran[tools.CallID(ctx)]++
			return tools.Text(string(in)), nil
		}}
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{count("echo", tools.Traits{Repeatable: true}), count("once", tools.Traits{})}})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := begin(t, a, new(memory.RAM))
	if err != nil {
		t.Fatal(err)
	}
	var records []memory.Record
	for _, r := range whole.Log.Records(0) {
		records = append(records, r)
	}
	for n := 2; n <= len(records); n++ { // the first two are appended at once
		store := new(memory.RAM)
		if err := store.Append(t.Context(), "s", memory.Position{}, records[:n]...); err != nil {
			t.Fatal(err)
		}
		answered, started := map[string]bool{}, map[string]bool{}
		for _, r := range records[:n] {
			for _, id := range r.Calls {
				started[id] = true
			}
			if r.Kind == memory.KindResult {
				answered[r.Block.ToolUseID()] = true
			}
		}
		clear(ran)
		res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
		if err != nil || res.Text != "Done." || res.Steps != whole.Steps || res.Usage.OutputTokens != whole.Usage.OutputTokens {
			t.Errorf("killed after record %d: %q, %d steps, %v", n, res.Text, res.Steps, err)
		}
		checkValid(t, res.Log)
		unknown := started["c"] && !answered["c"]
		if got, want := wireBytes(res.Log), wireBytes(whole.Log); got != want && !unknown {
			t.Errorf("killed after record %d: the transcript is\n%s, want\n%s", n, got, want)
		}
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			want := 1
			if answered[id] || id == "c" && unknown || id == "e" {
				want = 0
			}
			if ran[id] != want {
				t.Errorf("killed after record %d: call %s was run %d times, want %d", n, id, ran[id], want)
			}
		}
	}
	if !slices.ContainsFunc(records, func(r memory.Record) bool { return r.Kind == memory.KindStarted }) {
		t.Error("no call was recorded as started: the test tests nothing")
	}
}

func wireBytes(l *memory.Log) string {
	var out []byte
	for _, m := range l.Messages() {
		out = m.AppendJSON(out)
	}
	return string(out)
}

// killed is a store with what session "s" had when its process died: a log up to the
// record that is the last.
func killed(t *testing.T, log *memory.Log, last func(memory.Record) bool) *memory.RAM {
	t.Helper()
	store := new(memory.RAM)
	var records []memory.Record
	for _, r := range log.Records(0) {
		if records = append(records, r); last(r) {
			break
		}
	}
	if err := store.Append(t.Context(), "s", memory.Position{}, records...); err != nil {
		t.Fatal(err)
	}
	return store
}

// A call that was approved, and ran when the process died, does not run again: the
// approval was for one.
func TestAnApprovedCallRunsOnce(t *testing.T) {
	ran := 0
	pay := fake{name: "pay", traits: tools.Traits{NeedsApproval: true}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
		ran++
		return tools.Text("paid"), nil
	}}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`)), reply(t, "end_turn", text("ok")), reply(t, "end_turn", text("ok"))}}
	a := newAgent(t, s, agent.Options{Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) {
		return agent.Decision{Permission: agent.Allow}, nil
	}}, pay)
	whole, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	store := killed(t, whole.Log, func(r memory.Record) bool { return r.Kind == memory.KindStarted })
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); err != nil {
		t.Fatal(err)
	}
	m := s.requests[2].Messages
	if told := string(m[len(m)-1].AppendJSON(nil)); ran != 1 || !strings.Contains(told, "may or may not have taken effect") {
		t.Errorf("it ran %d times, and the model was told %s", ran, told)
	}
}

// A message that comes after a crash ends the calls that were open. The model is told
// of those that were running that they may have taken effect, and of no other.
func TestCallsLeftOpenByACrash(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("a", "pay", `{}`), use("b", "pay", `{}`)), reply(t, "end_turn", text("ok")), reply(t, "end_turn", text("ok"))}}
	a := newAgent(t, s, agent.Options{}, fake{name: "pay", call: func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Text("paid"), nil }})
	whole, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	store := new(memory.RAM)
	var records []memory.Record
	for _, r := range whole.Log.Records(0) {
		if r.Kind == memory.KindStarted {
			r.Calls = []string{"a"}
			records = append(records, r)
			break
		}
		records = append(records, r)
	}
	if err := store.Append(t.Context(), "s", memory.Position{}, records...); err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "What now?"})
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, m := range res.Log.Messages() {
		for _, b := range m.Content {
			if id := b.ToolUseID(); id != "" {
				told[id] = string(b.Raw())
			}
		}
	}
	if !strings.Contains(told["a"], "may or may not have taken effect") || strings.Contains(told["a"], "was not run") {
		t.Errorf("the model was told of the call that ran: %s", told["a"])
	}
	if !strings.Contains(told["b"], "was not run") {
		t.Errorf("the model was told of the call that did not run: %s", told["b"])
	}
}
