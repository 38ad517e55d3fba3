package agent_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
)

type verdict struct {
	Bug   bool     `json:"bug"`
	Lines []int64  `json:"lines"`
	Why   string   `json:"why" jsonschema_description:"One sentence"`
	Tags  []string `json:"tags,omitempty"`
}

func TestGenerateWithTools(t *testing.T) {
	s := &script{replies: []any{
		reply(t, "tool_use", use("a", "echo", `{}`)),
		reply(t, "end_turn", text(`{"bug":true,"lines":[9007199254740993],"why":"off by one"}`)),
	}}
	v, res, err := agent.Generate[verdict](context.Background(), newAgent(t, s, agent.Options{Effort: "low"}, echo("echo")), agent.Input{Prompt: "is it?"})
	if err != nil || !v.Bug || len(v.Lines) != 1 || v.Lines[0] != 9007199254740993 || res.Steps != 2 {
		t.Fatalf("%+v after %d steps: %v", v, res.Steps, err)
	}
	for i, req := range s.requests {
		oc := req.OutputConfig
		if oc == nil || oc.Effort != "low" || !strings.Contains(string(oc.Format), `"additionalProperties":false`) {
			t.Errorf("request %d: output_config %+v", i, oc)
		}
	}
}

// What the model says before a tool of the service is no part of the answer,
// whether the service pauses behind it or not.
func TestGenerateAfterServerTools(t *testing.T) {
	search := `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`
	found := `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`
	answer := text(`{"bug":true,"lines":[1],"why":"w"}`)
	for name, replies := range map[string][]any{
		"in one response": {reply(t, "end_turn", text("I search."), search, found, answer)},
		"behind a pause":  {reply(t, "pause_turn", text("I search."), search), reply(t, "end_turn", found, answer)},
	} {
		v, res, err := agent.Generate[verdict](t.Context(), newAgent(t, &script{replies: replies}, agent.Options{}), agent.Input{Prompt: "is it?"})
		if err != nil || !v.Bug || strings.Contains(res.Text, "search") {
			t.Errorf("%s: %+v, %q, %v", name, v, res.Text, err)
		}
	}
}

func TestGenerateWhatIsNoObject(t *testing.T) {
	s := &script{replies: []any{reply(t, "end_turn", text(`{"value":["a","b"]}`))}}
	v, _, err := agent.Generate[[]string](context.Background(), newAgent(t, s, agent.Options{}), agent.Input{Prompt: "list"})
	if err != nil || len(v) != 2 {
		t.Fatalf("%v, %v", v, err)
	}
}

func TestAnswersThatDoNotFit(t *testing.T) {
	for answer, want := range map[string]string{
		`not json`:                                "not valid JSON",
		`{"bug":"yes","lines":[],"why":""}`:       "bug: expected boolean",
		`{"bug":true,"lines":[]}`:                 "why",
		`{"bug":true,"lines":[1.5],"why":"frac"}`: "lines[0]",
	} {
		s := &script{replies: []any{reply(t, "end_turn", text(answer))}}
		_, res, err := agent.Generate[verdict](context.Background(), newAgent(t, s, agent.Options{}), agent.Input{Prompt: "is it?"})
		var bad *tools.AnswerError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || res.Text != answer {
			t.Errorf("%s: result %q, error %v, want %q", answer, res.Text, err, want)
		}
	}
	if _, res, err := agent.Generate[chan int](context.Background(), newAgent(t, &script{}, agent.Options{}), agent.Input{Prompt: "x"}); err == nil || res == nil {
		t.Error("an answer of type chan was taken")
	}
}
