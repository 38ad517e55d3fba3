package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/protect"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A rule for results holds for what is kept of results in another form, too: what was
// spilled, and what calls of a tool's own brought.
func TestARuleForResultsHoldsForSpilledOnes(t *testing.T) {
	const card = "4111 1111 1111 1111"
	inside := new(memory.RAM)
	store := protect.Redacted(inside, func(r *memory.Record) error {
		if raw := r.Block.Raw(); r.Kind == memory.KindResult && bytes.Contains(raw, []byte(card)) {
			b, err := transport.ParseBlock(bytes.ReplaceAll(raw, []byte(card), []byte("[card]")))
			r.Block = b
			return err
		}
		return nil
	})
	big := strings.Repeat("x", 10_000) + card + strings.Repeat("y", 20_000)
	leak := fake{name: "leak", call: func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Text(big), nil }}
	short := fake{name: "short", call: func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Text(card), nil }}
	outer := hosted("outer", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		res, err := h.CallTool(ctx, transport.ToolCall{Name: "short"})
		if err == nil && strings.Contains(transport.Message{Content: res.Content}.Text(), card) {
			t.Error("a tool was given what is not kept")
		}
		return tools.Text("ok"), err
	})
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "leak", `{}`), use("b", "outer", `{}`)),
		reply(t, "tool_use", use("c", "read_result", `{"id":"2-a","find":"[card]","length":16000}`)),
		reply(t, "end_turn", text("ok")),
	}}
	a := newAgent(t, s, agent.Options{Context: agent.ContextOptions{Spill: new(agent.Spill)}}, leak, short, outer)
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	notes := 0
	for r, err := range inside.Load(t.Context(), "s", memory.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		raw, err := r.AppendJSON(nil)
		if err != nil || bytes.Contains(raw, []byte(card)) {
			t.Errorf("%v: stored: %.300s", err, raw)
		}
		if r.Kind == memory.KindNote && bytes.Contains(raw, []byte("[card]")) {
			notes++
		}
	}
	if notes != 2 {
		t.Errorf("%d notes hold what was taken out of: the test tests nothing", notes)
	}
	last := s.requests[2].Messages
	if got := last[len(last)-1].Content[0].Raw(); !bytes.Contains(got, []byte("[card]")) {
		t.Errorf("read on: %.200s", got)
	}
}
