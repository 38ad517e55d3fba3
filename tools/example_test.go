package tools_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/tools"
)

// A Go function becomes a tool; its schema comes from the struct it takes.
func ExampleFunc() {
	// region func
	type In struct {
		Text string `json:"text" jsonschema_description:"Text to search, of any length"`
		Word string `json:"word" jsonschema:"minLength=1"`
	}
	count := tools.FuncWith("count", "Counts how often a word occurs in a text.",
		func(_ context.Context, in In) (int, error) {
			return strings.Count(in.Text, in.Word), nil
		},
		tools.Options{Traits: tools.Traits{ReadOnly: true}})
	// endregion

	def, err := count.Definition()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(def.Raw()))

	// What the agent does with a call of the model, and with one that went wrong:
	result, err := count.Call(context.Background(), json.RawMessage(`{"text":"whorl on whorl","word":"whorl"}`))
	fmt.Println(string(result.Content[0].Raw()), err)
	_, err = count.Call(context.Background(), json.RawMessage(`{"txt":"whorl","word":"whorl"}`))
	fmt.Println(err)

	// Output:
	// {"name":"count","description":"Counts how often a word occurs in a text.","input_schema":{"properties":{"text":{"type":"string","description":"Text to search, of any length"},"word":{"type":"string","minLength":1}},"additionalProperties":false,"type":"object","required":["text","word"]}}
	// {"type":"text","text":"2"} <nil>
	// the arguments don't match the schema of tool "count", which was not run:
	// - unknown field `txt`; did you mean `text`?
	// - text: missing; expected string (Text to search, of any length)
}
