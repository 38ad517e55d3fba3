package astool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// asking answers by the id of a call.
type asking struct {
	tools.Host
	answers map[string]any // a string is a value, an error what is returned
	asked   []tools.Question
}

func (h *asking) Ask(_ context.Context, q tools.Question) (tools.Answer, error) {
	h.asked = append(h.asked, q)
	switch a := h.answers[q.Key[strings.LastIndex(q.Key, "/")+1:]].(type) {
	case error:
		return tools.Answer{}, a
	case string:
		return tools.Answer{Value: json.RawMessage(a), By: "ann"}, nil
	}
	return tools.Answer{}, tools.ErrWaiting
}

// asks makes a session in which calls wait for approval.
func asks(t *testing.T, ids ...string) (memory.Store, []waiting.Item) {
	t.Helper()
	var blocks []string
	for _, id := range ids {
		blocks = append(blocks, fmt.Sprintf(`{"type":"tool_use","id":%q,"name":"pay","input":{"euros":12}}`, id))
	}
	resp, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"m","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`, strings.Join(blocks, ",")))
	if err != nil {
		t.Fatal(err)
	}
	var asked []memory.ApprovalRequest
	for _, c := range resp.ToolCalls() {
		asked = append(asked, memory.ApprovalRequest{CallID: c.ID, Hash: memory.HashCall(c)})
	}
	store := new(memory.RAM)
	log, err := memory.Create(store, "s", nil)
	if err == nil {
		err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("buy")},
			memory.Record{Kind: memory.KindResponse, Response: resp}, memory.Record{Kind: memory.KindApprovalRequest, ApprovalRequests: asked})
	}
	if err != nil {
		t.Fatal(err)
	}
	items, err := waiting.List(t.Context(), store, "s")
	if err != nil || len(items) != len(ids) {
		t.Fatalf("%+v, %v", items, err)
	}
	return store, items
}

// decided tells what became of each call: + approved, - denied, ? open still.
func decided(t *testing.T, store memory.Store) (all string) {
	t.Helper()
	log, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range log.State().Open {
		switch {
		case c.Decision == nil:
			all += c.ID + "?"
		case c.Decision.Approve:
			all += c.ID + "+"
		default:
			all += c.ID + "-"
		}
	}
	return all
}

// Only the word for yes is a yes, and what isn't answered yet keeps nothing else back.
func TestDeal(t *testing.T) {
	down := errors.New("the caller is gone")
	for _, tt := range []struct {
		answers map[string]any
		want    string
		err     error
	}{
		{map[string]any{"a": "true", "b": "false"}, "a+b-", nil},
		{map[string]any{"a": `"true"`, "b": "1"}, "a-b-", nil},
		{map[string]any{"a": "null", "b": `{"true":true}`}, "a-b-", nil},
		{map[string]any{"a": "", "b": "True"}, "a-b-", nil},
		{map[string]any{"a": tools.ErrDeclined, "b": tools.ErrExpired}, "a-b-", nil},
		{map[string]any{"b": "true"}, "a?b+", tools.ErrWaiting},
		{map[string]any{"a": "true"}, "a+b?", tools.ErrWaiting},
		{nil, "a?b?", tools.ErrWaiting},
		{map[string]any{"a": down, "b": "true"}, "a?b?", down},
	} {
		store, items := asks(t, "a", "b")
		h := &asking{answers: tt.answers}
		if err := deal(t.Context(), store, h, items); !errors.Is(err, tt.err) {
			t.Errorf("%v: %v, want %v", tt.answers, err, tt.err)
		}
		if got := decided(t, store); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.answers, got, tt.want)
		}
	}
	store, items := asks(t, "a")
	if err := deal(t.Context(), store, nil, items); err != nil || decided(t, store) != "a-" {
		t.Errorf("with nobody to ask: %v, %s", err, decided(t, store))
	}
	// Who decides on the agent's session itself, such as a page, may be faster: that counts.
	if err := deal(t.Context(), store, &asking{answers: map[string]any{"a": "true"}}, items); err != nil || decided(t, store) != "a-" {
		t.Errorf("decided again: %v, %s", err, decided(t, store))
	}
}

// Questions of different sessions, records and calls have keys of their own; a key is the
// same each time.
func TestQuestions(t *testing.T) {
	call := func(session string, record int, id string) waiting.Item {
		return waiting.Item{Session: session, Tool: "pay", Call: &agent.PendingCall{Record: record, CallID: id, Input: `{"euros":12}`}}
	}
	ask := func(session, call, key string) waiting.Item {
		return waiting.Item{Session: session, Question: &agent.PendingQuestion{Call: call, Question: tools.Question{Key: key, Kind: "user", Prompt: "Which?"}}}
	}
	seen := map[string]bool{}
	for _, it := range []waiting.Item{
		call("s", 3, "a"), call("s", 5, "a"), call("s", 3, "b"), call("s/1", 3, "a"),
		ask("s", "a", "1"), ask("s", "a", "2"), ask("s", "b", "1"), ask("s/1", "a", "1"),
	} {
		q := question(it)
		if seen[q.Key] || q.Key == "" || question(it).Key != q.Key {
			t.Errorf("the key %q of %+v is another's too", q.Key, it)
		}
		seen[q.Key] = true
	}
	it := call("s", 3, "a")
	if q := question(it); q.Prompt != `May the agent call pay with {"euros":12}?` || q.Kind != "approval" || string(q.Choices[0].Value) != "true" || q.Choices[0].Label != "allow" || string(q.Choices[1].Value) != "false" {
		t.Errorf("%+v", q)
	}
	it.Agents, it.Why = []string{"shop", "till"}, "It costs more than 10."
	if q := question(it); q.Prompt != `May the agent shop of till call pay with {"euros":12}? It costs more than 10.` {
		t.Errorf("%q", q.Prompt)
	}
	it = ask("s", "a", "1")
	if q := question(it); q.Prompt != "Which?" || it.Question.Question.Key != "1" {
		t.Errorf("%+v, of %+v", q, it.Question)
	}
}

func TestTraits(t *testing.T) {
	want := tools.Traits{Timeout: -1, Repeatable: true, Untrusted: true, Private: true, Outside: true}
	if got := new(agentTool).Traits(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// away is a store that can't be reached.
type away struct{ *memory.RAM }

func (s away) Info(context.Context, string) (memory.Info, error) {
	return memory.Info{}, memory.ErrUnavailable
}

// Nothing is run for no task, nor where it isn't known whether the session has begun.
func TestNothingIsRun(t *testing.T) {
	tool := &agentTool{options: Options{Store: away{new(memory.RAM)}, Prefix: "call-", Input: func(context.Context) agent.Input {
		t.Error("it is run")
		return agent.Input{}
	}}}
	if _, err := tool.call(t.Context(), task{"x"}); !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("the store is away: %v", err)
	}
	for _, blank := range []string{"", " \n"} {
		if _, err := tool.call(t.Context(), task{blank}); err == nil || errors.Is(err, memory.ErrUnavailable) {
			t.Errorf("the task %q: %v", blank, err)
		}
	}
}
