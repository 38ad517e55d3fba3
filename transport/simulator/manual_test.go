package simulator_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

const manual = `"thinking":{"type":"enabled","budget_tokens":1024},`

// A tool loop is one turn of the assistant: it has to start with thinking, and its
// later steps need none.
func TestManualThinkingInToolLoops(t *testing.T) {
	model := simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("one"), simulator.Call("lookup", nil))))
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	first := ask(t, sim.URL(), request("claude-haiku-4-5", lookupTool+manual, user("hi")))
	id := first.ToolCalls()[0].ID
	thinking := string(first.Content[0].Raw())
	call := func(id string) string {
		return fmt.Sprintf(`{"type":"tool_use","id":%q,"name":"lookup","input":{}}`, id)
	}
	result := func(id string) string {
		return fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"ok"}`, id)
	}
	const text = `{"type":"text","text":"and"}`
	thought := []string{user("hi"), assistant(first), says("user", result(id))}
	unthought := []string{user("hi"), says("assistant", call("A")), says("user", result("A"))}
	step := func(id string) []string {
		return []string{says("assistant", call(id)), says("user", result(id))}
	}
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	expected := func(message, block int, found string) string {
		return fmt.Sprintf("messages.%d.content.%d.type: Expected `thinking` or `redacted_thinking`, but found `%s`. When `thinking` is enabled,", message, block, found)
	}
	for name, c := range map[string]struct {
		messages []string
		want     string
	}{
		"the second step doesn't think":        {join(thought, step("B")), ""},
		"none but the first thinks":            {join(thought, step("B"), step("C"), step("D")), ""},
		"a later step starts with text":        {join(thought, []string{says("assistant", text+","+call("B")), says("user", result("B"))}), ""},
		"results in two messages":              {join(thought, []string{says("assistant", call("B")+","+call("C")), says("user", result("B")), says("user", result("C"))}, step("D")), ""},
		"an assistant's turn in two messages":  {[]string{user("hi"), says("assistant", thinking+","+text), says("assistant", call("B")), says("user", result("B"))}, ""},
		"words behind the last result":         {join(thought, []string{says("assistant", call("B")), says("user", result("B")+","+text)}), ""},
		"the call of an earlier turn":          {join(unthought, []string{says("assistant", text), user("more")}), ""},
		"behind a compaction":                  {[]string{user("hi"), says("assistant", `{"type":"compaction","content":"so far"},`+call("B")), says("user", result("B"))}, ""},
		"no thinking":                          {unthought, expected(1, 0, "tool_use")},
		"no thinking, two steps":               {join(unthought, step("B")), expected(1, 0, "tool_use")},
		"thinking of the turn before":          {join([]string{user("hi"), says("assistant", thinking+","+text), user("more")}, step("B"), step("C")), expected(3, 0, "tool_use")},
		"words beside a result start a turn":   {join(thought[:2], []string{says("user", result(id)+","+text)}, step("B")), expected(3, 0, "tool_use")},
		"words behind a result start a turn":   {join(thought, []string{user("more")}, step("B")), expected(4, 0, "tool_use")},
		"text in front of the turn's first":    {join([]string{user("hi"), says("assistant", text+","+call("B")), says("user", result("B"))}, step("C")), expected(1, 0, "text")},
		"thinking behind text in a later step": {join(thought, []string{says("assistant", text+","+thinking+","+call("B")), says("user", result("B"))}), "messages.3.content.0: If an assistant message contains any thinking blocks,"},
		"thinking in the later step only":      {join(unthought, []string{says("assistant", thinking+","+call("B")), says("user", result("B"))}), ""},
	} {
		model, header := "claude-haiku-4-5", []string(nil)
		if strings.Contains(name, "compaction") {
			model, header = "claude-opus-4-6", []string{"anthropic-beta", "compact-2026-01-12"}
		}
		status, _, raw := post(t, sim.URL(), request(model, lookupTool+manual, c.messages...), header...)
		if c.want == "" && status != 200 || c.want != "" && (status != 400 || !strings.HasPrefix(errorMessage(raw), c.want)) {
			t.Errorf("%s: %d %s, want %q", name, status, raw, c.want)
		}
	}
}

// What the simulator's models say in manual mode is taken back by it, as it is:
// each turn starts with thinking, whatever the model gave, and no message has
// thinking behind something else.
func TestModelsInManualThinking(t *testing.T) {
	call := simulator.Call("lookup", map[string]string{"query": "x"})
	both := strings.Replace(lookupTool, `"tools":[`, `"tools":[`+searched+`,`, 1)
	bare := 0 // later steps without thinking
	for seed := range uint64(20) {
		for name, model := range map[string]simulator.Model{
			"Loop":          simulator.Loop{Turns: 3, Parallel: 2, Tool: "lookup"},
			"Loop, thinks":  simulator.Loop{Turns: 3, Tool: "lookup", Think: true},
			"Chatty":        simulator.Chatty{Tame: true},
			"Echo":          simulator.Echo{},
			"Dialogue":      simulator.Dialogue(simulator.Do(call), simulator.Do(simulator.Text("On."), simulator.Thinking("hm"), call), simulator.Say("Done.")),
			"server's tool": simulator.ModelFunc(searchThenThink),
		} {
			sim := simulator.StartTest(t, simulator.Options{Model: model, Seed: seed})
			messages := []string{user("hi")}
			fresh := true // the turn has no assistant message yet
			for step := range 12 {
				status, _, raw := post(t, sim.URL(), request("claude-haiku-4-5", both+manual, messages...))
				if status != 200 {
					t.Fatalf("%s, seed %d, step %d: %d %s\n%s", name, seed, step, status, raw, strings.Join(messages, "\n"))
				}
				resp, err := transport.ParseResponse(raw)
				if err != nil {
					t.Fatal(err)
				}
				thinks := len(resp.Content) > 0 && strings.Contains(string(resp.Content[0].Type()), "thinking")
				if fresh && !thinks && len(resp.Content) > 0 {
					t.Errorf("%s, seed %d: a turn starts with %s", name, seed, resp.Content[0].Type())
				}
				if m, ok := resp.Replay(); ok && len(m.Content) > 0 {
					messages = append(messages, string(m.AppendJSON(nil)))
					fresh = false
				}
				var results []string
				for _, c := range resp.ToolCalls() {
					results = append(results, fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"content":"ok"}`, c.ID))
				}
				switch {
				case len(results) > 0:
					if !thinks {
						bare++
					}
					messages = append(messages, says("user", strings.Join(results, ",")))
				case resp.StopReason != transport.StopPauseTurn:
					messages = append(messages, user("more"))
					fresh = true
				}
			}
			sim.Close()
		}
	}
	if bare == 0 {
		t.Error("all steps think: the case didn't come up")
	}
}

// searchThenThink uses a tool of the service and thinks behind its result, in the
// same response.
func searchThenThink(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	if turn.Step == 0 {
		return &simulator.Reply{Content: []simulator.Part{simulator.ServerCall("web_search", map[string]string{"query": "x"})}}, nil
	}
	return &simulator.Reply{Content: []simulator.Part{simulator.Thinking("so"), simulator.Text("Found.")}}, nil
}
