package simulator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

func TestThinkingIsSigned(t *testing.T) {
	reply := simulator.Do(simulator.Thinking("I should look it up"), simulator.Call("lookup", nil))
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(reply))})
	extra := lookupTool + `"thinking":{"type":"adaptive","display":"summarized"},`
	first := ask(t, sim.URL(), request("claude-opus-5-5", extra, user("hi")))
	if first.Content[0].Type() != "thinking" {
		t.Fatalf("no thinking: %s", first.Raw())
	}
	turn := assistant(first)
	result := fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":%q,"content":"ok"}]}`, first.ToolCalls()[0].ID)
	ask(t, sim.URL(), request("claude-opus-5-5", extra, user("hi"), turn, result))
	const bound = "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation."
	const latest = "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."
	for name, c := range map[string]struct{ body, want string }{
		"prefix edited":    {request("claude-opus-5-5", extra, user("hello"), turn, result), bound},
		"system edited":    {request("claude-opus-5-5", extra+`"system":"x",`, user("hi"), turn, result), bound},
		"text edited":      {request("claude-opus-5-5", extra, user("hi"), strings.Replace(turn, "I should", "I could", 1), result), latest},
		"signature edited": {request("claude-opus-5-5", extra, user("hi"), strings.Replace(turn, `"signature":"`, `"signature":"A`, 1), result), "messages.1.content.0: Invalid `signature` in `thinking` block"},
	} {
		status, _, raw := post(t, sim.URL(), c.body)
		if status != 400 || !strings.Contains(errorMessage(raw), c.want) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
	// With the same value in another spelling the signature holds.
	spelled := strings.Replace(request("claude-opus-5-5", extra, user("hi"), turn, result), `"content":"hi"`, `"content" : [ {"text":"\u0068i","type":"text"} ]`, 1)
	ask(t, sim.URL(), spelled)
}

func TestThinkingOfANewerModel(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."))))})
	first := ask(t, sim.URL(), request("claude-opus-5-5", "", user("hi")))
	beta := []string{"anthropic-beta", "thinking-binding-controls-2026-08-01"}
	for model, want := range map[string]string{"claude-opus-4-8": "model_binding_mismatch", "claude-fable-5-1": `"input_transformations":[]`} {
		resp := ask(t, sim.URL(), request(model, "", user("hi"), assistant(first), user("more")), beta...)
		if !strings.Contains(string(resp.Raw()), want) {
			t.Errorf("%s: %s", model, resp.Raw())
		}
	}
}

func TestThinkingRules(t *testing.T) {
	model := simulator.ModelFunc(echoAfter(simulator.Do(simulator.Thinking("one"), simulator.Thinking("two"), simulator.Text("Look."), simulator.Call("lookup", nil))))
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	extra := lookupTool + `"thinking":{"type":"adaptive","display":"summarized"},`
	for _, m := range []string{"claude-opus-5", "claude-opus-5-5"} {
		first := ask(t, sim.URL(), request(m, extra, user("hi")))
		result := fmt.Sprintf(`{"role":"user","content":[{"type":"tool_result","tool_use_id":%q}]}`, first.ToolCalls()[0].ID)
		turn := func(keep ...int) string {
			var blocks []string
			for _, i := range keep {
				blocks = append(blocks, string(first.Content[i].Raw()))
			}
			return says("assistant", strings.Join(blocks, ","))
		}
		modified := "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."
		for name, c := range map[string]struct{ body, want string }{
			"all":             {request(m, extra, user("hi"), turn(0, 1, 2, 3), result), ""},
			"none":            {request(m, extra, user("hi"), turn(2, 3), result), ""},
			"first dropped":   {request(m, extra, user("hi"), turn(1, 2, 3), result), modified},
			"second dropped":  {request(m, extra, user("hi"), turn(0, 2, 3), result), modified},
			"swapped":         {request(m, extra, user("hi"), turn(1, 0, 2, 3), result), "messages.1.content."},
			"ends in thought": {request(m, extra, user("hi"), turn(0, 1)), "messages.1: The final block in an assistant message cannot be `thinking`."},
		} {
			status, _, raw := post(t, sim.URL(), c.body)
			if c.want == "" && status != 200 || c.want != "" && (status != 400 || !strings.HasPrefix(errorMessage(raw), c.want)) {
				t.Errorf("%s, %s: %d %s", m, name, status, raw)
			}
		}
	}
	first := ask(t, sim.URL(), request("claude-haiku-4-5", lookupTool+`"thinking":{"type":"enabled","budget_tokens":1024},`, user("hi")))
	block := string(first.Content[0].Raw()) + "," + string(first.Content[1].Raw())
	late := says("assistant", `{"type":"text","text":"x"},`+block+`,{"type":"text","text":"y"}`)
	for name, c := range map[string]struct{ body, want string }{
		"not first": {request("claude-haiku-4-5", `"thinking":{"type":"enabled","budget_tokens":1024},`, user("hi"), late, user("on")), "messages.1.content.0: If an assistant message contains any thinking blocks, the first block must be"},
		"off":       {request("claude-haiku-4-5", `"thinking":{"type":"disabled"},`, user("hi"), says("assistant", block+`,{"type":"text","text":"y"}`)), "messages.1.content.0: When thinking is disabled, an `assistant` message in the final position cannot contain `thinking`."},
	} {
		if status, _, raw := post(t, sim.URL(), c.body); status != 400 || !strings.HasPrefix(errorMessage(raw), c.want) {
			t.Errorf("%s: %d %s", name, status, raw)
		}
	}
}

func TestPrefixMismatchIsDroppedIfAsked(t *testing.T) {
	reply := simulator.Do(simulator.Thinking("hm"), simulator.Text("Noted."))
	run := func(opts simulator.Options, extra string, header ...string) (int, []byte) {
		opts.Model = simulator.ModelFunc(echoAfter(reply))
		sim := simulator.StartTest(t, opts)
		first := ask(t, sim.URL(), request("claude-opus-5-5", "", user("hi")))
		status, _, raw := post(t, sim.URL(), request("claude-opus-5-5", extra, user("HI"), assistant(first), user("more")), header...)
		return status, raw
	}
	const binding = `"thinking":{"type":"adaptive","block_binding":{"prefix_mismatch_behavior":"drop_block"}},`
	beta := []string{"anthropic-beta", "thinking-binding-controls-2026-08-01"}
	if status, raw := run(simulator.Options{}, binding, beta...); status != 200 ||
		!strings.Contains(string(raw), `"input_transformations":[{"type":"thinking_dropped","path":"messages.1.content.0","reason":"prefix_binding_mismatch"}]`) {
		t.Errorf("%d %s", status, raw)
	}
	if status, raw := run(simulator.Options{OldAccount: true}, "", beta...); status != 200 || !strings.Contains(string(raw), `"thinking_mismatch_allowed"`) {
		t.Errorf("old account: %d %s", status, raw)
	}
	if status, raw := run(simulator.Options{}, ""); status != 400 || !strings.Contains(errorMessage(raw), "That setting requires the `thinking-binding-controls-2026-08-01` value") {
		t.Errorf("new account: %d %s", status, raw)
	}
}
