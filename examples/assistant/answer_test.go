package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/examples/internal/line"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/tools"
)

// What a schema wants is asked part by part, and choices are given by their numbers or
// their names.
func TestFillIn(t *testing.T) {
	choices := []tools.Choice{{Value: json.RawMessage(`"window"`)}, {Value: json.RawMessage(`2`), Label: "aisle"}}
	for _, c := range []struct {
		q           tools.Question
		lines, want string
	}{
		{tools.Question{Kind: "user"}, "by the door", `"by the door"`},
		{tools.Question{Kind: "user", Choices: choices, Open: true}, "2", `2`},
		{tools.Question{Kind: "user", Choices: choices, Open: true}, "Window", `"window"`},
		{tools.Question{Kind: "user", Choices: choices, Open: true}, "neither", `"neither"`},
		{tools.Question{Choices: choices}, "neither", ""},
		{tools.Question{Choices: choices, Several: true}, "2, 1", `[2,"window"]`},
		{tools.Question{Schema: json.RawMessage(`{"type":"number"}`)}, "2.50", `2.50`},
		{tools.Question{Schema: json.RawMessage(`{"type":"number"}`)}, "much", ""},
		{tools.Question{Schema: json.RawMessage(`{"type":"object","properties":{"to":{"type":"string"},"n":{"type":"integer"},"class":{"enum":["a","b"]},"back":{"type":"boolean"},"l":{"type":"array","items":{"enum":["x","y"]}}},"required":["to","back"]}`)},
			"the sea\n\n2\ntrue\n1 2", `{"to":"the sea","class":"b","back":true,"l":["x","y"]}`},
	} {
		var out bytes.Buffer
		a := &assistant{in: line.NewInput(strings.NewReader(c.lines+"\n"), &out, nil), show: &terminal.Printer{Answer: &out, Progress: &out}}
		got, err := a.fillIn(waiting.FormOf(c.q))
		var wrong *tools.AnswerError
		if string(got) != c.want || (err == nil) != (c.want != "") || err != nil && !errors.As(err, &wrong) {
			t.Errorf("%s: %s, %v\n%s", c.lines, got, err, out.String())
		}
	}
}
