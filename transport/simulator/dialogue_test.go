package simulator_test

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// TestDialogueAgreesWithScript has conversations with a Script and with a Dialogue
// of the same replies: all that may stand between two replies is counted alike.
func TestDialogueAgreesWithScript(t *testing.T) {
	search := func(q string) simulator.Part {
		return simulator.ServerCall("web_search", map[string]string{"query": q})
	}
	paused := func(parts ...simulator.Part) simulator.Reply {
		return simulator.Reply{Content: parts, StopReason: transport.StopPauseTurn}
	}
	refused := simulator.Reply{Content: []simulator.Part{simulator.Text("I can't")}, StopReason: transport.StopRefusal}
	var ten []simulator.Reply
	for i := range 12 {
		ten = append(ten, simulator.Do(simulator.Text(fmt.Sprint("step ", i)), search(fmt.Sprint("q", i))))
	}
	for name, replies := range map[string][]simulator.Reply{
		"plain":                         {simulator.Say("one"), simulator.Say("two"), simulator.Say("three")},
		"calls":                         {simulator.Do(simulator.Call("lookup", nil)), simulator.Do(simulator.Call("lookup", nil), simulator.Call("lookup", nil)), simulator.Say("two"), simulator.Say("three")},
		"a pause in front of a result":  {paused(simulator.Text("let me see"), search("a")), simulator.Say("found"), simulator.Say("next")},
		"two pauses":                    {paused(search("a")), paused(search("b")), simulator.Say("found"), simulator.Say("next")},
		"server calls in one message":   {simulator.Do(search("a")), simulator.Do(search("b")), simulator.Say("found"), simulator.Say("next")},
		"two server calls in one reply": {simulator.Do(search("a"), search("b")), simulator.Say("found"), simulator.Do(search("c")), simulator.Say("next")},
		"a call beside a server call":   {simulator.Do(search("a"), simulator.Call("lookup", nil)), simulator.Do(search("b")), simulator.Say("found"), simulator.Say("next")},
		"more than ten in one turn":     append(ten, simulator.Say("found"), simulator.Say("next")),
		"cut by a stop sequence":        {simulator.Do(simulator.Text("one STOP two"), search("a")), simulator.Say("two"), simulator.Do(search("b")), simulator.Say("three")},
		"another model takes over":      {refused, simulator.Say("instead"), simulator.Say("next")},
		"one that says stop itself":     {{Content: []simulator.Part{search("a")}, StopReason: transport.StopEndTurn}, simulator.Say("two"), simulator.Say("three")},
	} {
		t.Run(name, func(t *testing.T) {
			var said [2]string
			for i, model := range []simulator.Model{simulator.Script(replies...), simulator.Dialogue(replies...)} {
				said[i] = haveDialogue(t, model)
			}
			if said[0] != said[1] {
				t.Errorf("script:   %s\ndialogue: %s", said[0], said[1])
			}
		})
	}
}

// haveDialogue has a conversation until the model has said "next" or "three", and
// returns the texts in it.
func haveDialogue(t *testing.T, model simulator.Model) string {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: model, Pages: pages})
	const extra = `"stop_sequences":["STOP"],"fallbacks":[{"model":"claude-opus-4-8"}],"tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"lookup","input_schema":` + object + `}],`
	messages := []string{user("hi")}
	said := ""
	for range 12 {
		resp := ask(t, sim.URL(), request("claude-fable-5", extra, messages...), "anthropic-beta", "server-side-fallback-2026-07-01")
		if text := resp.Text(); text != "" {
			said += text + "/"
		}
		if resp.Text() == "next" || resp.Text() == "three" {
			return said
		}
		if len(resp.Content) > 0 {
			messages = append(messages, assistant(resp))
		}
		switch calls := resp.ToolCalls(); {
		case len(calls) > 0:
			results := ""
			for i, c := range calls {
				if i > 0 {
					results += ","
				}
				results += fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q}`, c.ID)
			}
			messages = append(messages, says("user", results))
		case resp.StopReason != transport.StopPauseTurn:
			messages = append(messages, user("go on"))
		}
	}
	t.Errorf("no end: %s", said)
	return said
}
