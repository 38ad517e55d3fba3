package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// In a run, a call whose text is no JSON runs once with the repaired arguments, or
// not at all, and the model is told where its text is wrong.
func TestInvalidJSONInARun(t *testing.T) {
	for _, c := range []struct{ text, ran, told string }{
		{`{'q':'x',}`, `{"q":"x"}`, ""},
		{`{"q":hello}`, "", `at byte 5 of 11, where h is, expected a value: {"q":<HERE>hello}`},
	} {
		var ran []string
		tool := tools.Raw("find", "", open, func(_ context.Context, in json.RawMessage) (tools.Result, error) {
			ran = append(ran, string(in))
			return tools.Result{}, nil
		})
		client := &scripted{answers: []string{answerWith("tool_use", `{"type":"tool_use","id":"toolu_1","name":"find","input":{}}`,
			fmt.Sprintf(`{"type":"input_json_delta","partial_json":%q}`, c.text)), answerWith("end_turn", `{"type":"text","text":""}`, `{"type":"text_delta","text":"done"}`)}}
		a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{tool}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Run(t.Context(), agent.Input{Messages: []transport.Message{transport.UserText("go")}}); err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if got := strings.Join(ran, " "); got != c.ran {
			t.Errorf("%s: the tool ran with %s, want %s", c.text, got, c.ran)
		}
		if result := client.requests[1].Messages[2].Content[0].Raw(); strings.Contains(string(result), `"is_error":true`) != (c.told != "") ||
			!strings.Contains(strings.ReplaceAll(string(result), `\"`, `"`), c.told) {
			t.Errorf("%s: the model is told %s, want %s", c.text, result, c.told)
		}
	}
}

// scripted answers with one stream after the other.
type scripted struct {
	answers  []string
	requests []*transport.Request
}

func (s *scripted) Stream(_ context.Context, r *transport.Request) iter.Seq2[transport.Event, error] {
	s.requests = append(s.requests, &transport.Request{Messages: append([]transport.Message(nil), r.Messages...)})
	return transport.ReadStream(strings.NewReader(s.answers[len(s.requests)-1]))
}

// answerWith is a stream of one block and the delta that fills it.
func answerWith(stop, block, delta string) string {
	var b strings.Builder
	for _, data := range []string{
		`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":` + block + `}`,
		`{"type":"content_block_delta","index":0,"delta":` + delta + `}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"` + stop + `"},"usage":{"output_tokens":9}}`,
		`{"type":"message_stop"}`,
	} {
		b.WriteString("data: " + data + "\n\n")
	}
	return b.String()
}
