package simulator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

const compactBeta = "compact-2026-09-04"

func TestCompactionOnDemand(t *testing.T) {
	model := simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."))))
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	const m = "claude-opus-5-5"
	first := ask(t, sim.URL(), request(m, "", user("Remember 42.")))
	second := ask(t, sim.URL(), request(m, "", user("Remember 42."), assistant(first), user("And 43.")))
	history := []string{user("Remember 42."), assistant(first)}
	beta := []string{"anthropic-beta", compactBeta}
	done := ask(t, sim.URL(), request(m, `"compaction":{"type":"summarize"},`, history...), beta...)
	if done.StopReason != transport.StopCompaction || len(done.Content) != 1 || done.Content[0].Type() != "compaction" ||
		done.Usage.InputTokens != 0 || done.Usage.OutputTokens != 0 || len(done.Usage.Iterations) != 1 || done.Usage.Iterations[0].Type != "compaction" {
		t.Fatalf("%s", done.Raw())
	}
	block := string(done.Content[0].Raw())
	if !strings.Contains(block, "Remember 42.") {
		t.Errorf("no summary: %s", block)
	}
	summary := says("assistant", block)
	// The turns behind the summary keep their thinking.
	ask(t, sim.URL(), request(m, "", summary, user("And 43."), assistant(second), user("Go on.")), beta...)
	for name, c := range map[string]struct {
		body       string
		code, want string
		header     []string
	}{
		"not first":  {request(m, "", user("hi"), summary, user("x")), "compaction_block_misplaced", "", beta},
		"two":        {request(m, "", says("assistant", block+","+block), user("x")), "compaction_block_ambiguous", "", beta},
		"signature":  {request(m, "", strings.Replace(summary, `"signature":"`, `"signature":"A`, 1), user("x")), "compaction_signature_invalid", "", beta},
		"content":    {request(m, "", strings.Replace(summary, "42", "41", 1), user("x")), "compaction_content_mismatch", "", beta},
		"nothing":    {request(m, `"compaction":{"type":"summarize"},`, summary), "compaction_nothing_to_summarize", "", beta},
		"unanswered": {request(m, `"compaction":{"type":"summarize"},`, user("x"), calls), "compaction_incomplete_turn", "messages.1: `tool_use` ids were found", beta},
		"paused": {request(m, `"tools":[`+searched+`],"compaction":{"type":"summarize"},`, user("x"),
			says("assistant", `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`)), "compaction_incomplete_turn", "messages.1: the last assistant turn is not complete", beta},
		"with stops": {request(m, `"compaction":{"type":"summarize"},"stop_sequences":["x"],`, user("x")), "", "compaction: stop_sequences", beta},
		"what is left of a budget": {request(m, `"output_config":{"task_budget":{"type":"tokens","total":30000,"remaining":5}},`, summary, user("x")), "",
			"output_config.task_budget.remaining: ", []string{"anthropic-beta", compactBeta + ",task-budgets-2026-03-13"}},
		"header missing":   {request(m, `"compaction":{"type":"summarize"},`, user("x")), "", "compaction: compaction requires anthropic-beta: compact-2026-09-04", nil},
		"later, no header": {request(m, "", summary, user("x")), "", "messages.0.content.0: Input tag 'compaction' found using 'type' does not match", nil},
		"a key too many":   {request(m, "", strings.Replace(summary, `"content":"`, `"citations":null,"content":"`, 1), user("x")), "", "messages.0.content.0.compaction.citations: Extra inputs are not permitted", beta},
	} {
		status, _, raw := post(t, sim.URL(), c.body, c.header...)
		if status != 400 || !strings.HasPrefix(errorMessage(raw), c.want) || !strings.Contains(string(raw), c.code) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

func TestCompactionAtThreshold(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	beta := []string{"anthropic-beta", "compact-2026-01-12"}
	long := user("Remember 42. " + strings.Repeat("word ", 50_000))
	extra := func(pause bool) string {
		return fmt.Sprintf(`"context_management":{"edits":[{"type":"compact_20260112","trigger":{"type":"input_tokens","value":50000},"pause_after_compaction":%t}]},`, pause)
	}
	paused := ask(t, sim.URL(), request("claude-opus-5", extra(true), long), beta...)
	if paused.StopReason != transport.StopCompaction || paused.Content[0].Type() != "compaction" {
		t.Fatalf("%.500s", paused.Raw())
	}
	after := ask(t, sim.URL(), request("claude-opus-5", extra(true), long, assistant(paused)), beta...)
	if after.Usage.InputTokens > 1000 || after.StopReason != transport.StopEndTurn {
		t.Errorf("the prompt was not cut: %s, %+v", after.StopReason, after.Usage)
	}
	through := ask(t, sim.URL(), request("claude-opus-5", extra(false), long), beta...)
	if len(through.Content) != 2 || through.StopReason != transport.StopEndTurn || len(through.Usage.Iterations) != 2 ||
		through.Usage.Iterations[0].InputTokens < 50_000 || through.Usage.InputTokens > 1000 {
		t.Errorf("%.500s %+v", through.Raw(), through.Usage)
	}
}

func TestContextEditing(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	beta := []string{"anthropic-beta", "context-management-2025-06-27"}
	messages := []string{user("go")}
	for i := range 6 {
		messages = append(messages,
			says("assistant", fmt.Sprintf(`{"type":"tool_use","id":"t%d","name":"lookup","input":{"query":"q"}}`, i)),
			says("user", fmt.Sprintf(`{"type":"tool_result","tool_use_id":"t%d","content":"%s"}`, i, strings.Repeat("data", 1000))))
	}
	extra := `"context_management":{"edits":[{"type":"clear_tool_uses_20250919","trigger":{"type":"tool_uses","value":4},"keep":{"type":"tool_uses","value":2}}]},`
	resp := ask(t, sim.URL(), request("claude-opus-5", extra, messages...), beta...)
	if want := `"applied_edits":[{"type":"clear_tool_uses_20250919","cleared_tool_uses":4,`; !strings.Contains(string(resp.Raw()), want) {
		t.Errorf("%s", resp.Raw())
	}
	if resp.Usage.InputTokens > 3000 {
		t.Errorf("the prompt was not cut: %+v", resp.Usage)
	}
	few := ask(t, sim.URL(), request("claude-opus-5", extra, messages[:3]...), beta...)
	if !strings.Contains(string(few.Raw()), `"applied_edits":[]`) {
		t.Errorf("%s", few.Raw())
	}
}

func TestDiagnostics(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{})
	previous := func(id string) string {
		if id == "" {
			return `"diagnostics":{"previous_message_id":null},`
		}
		return `"diagnostics":{"previous_message_id":"` + id + `"},`
	}
	const m = "claude-opus-5"
	system := `"system":"Be brief.",`
	first := ask(t, sim.URL(), request(m, previous("")+lookupTool+system, user("hi")))
	if string(first.Diagnostics) != "" && string(first.Diagnostics) != "null" {
		t.Errorf("first: %s", first.Diagnostics)
	}
	for name, c := range map[string]struct{ body, want string }{
		"grown":           {request(m, previous(first.ID)+lookupTool+system, user("hi"), assistant(first), user("more")), ""},
		"other model":     {request("claude-opus-4-8", previous(first.ID)+lookupTool+system, user("hi")), "model_changed"},
		"other tools":     {request(m, previous(first.ID)+strings.Replace(lookupTool, "lookup", "look_up", 1)+system, user("hi")), "tools_changed"},
		"other system":    {request(m, previous(first.ID)+lookupTool+`"system":"Be long.",`, user("hi")), "system_changed"},
		"other messages":  {request(m, previous(first.ID)+lookupTool+system, user("hello")), "messages_changed"},
		"other settings":  {request(m, previous(first.ID)+lookupTool+system+`"tool_choice":{"type":"none"},`, user("hi")), "unavailable"},
		"unknown message": {request(m, previous("msg_unknown")+lookupTool+system, user("hi")), "previous_message_not_found"},
	} {
		resp := ask(t, sim.URL(), c.body)
		got := string(resp.Diagnostics)
		if c.want == "" && got != "" || c.want != "" && !strings.Contains(got, `"type":"`+c.want+`"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
