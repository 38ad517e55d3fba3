package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A form is a question as MCP can ask it. Its forms are flat objects of plain
// values: any other answer is asked for in one property.
type form struct {
	params   *sdk.ElicitParams
	question tools.Question
	one      bool // the answer is the property "answer"
	json     bool // that property's text is JSON
}

const answerProperty = "answer"

// formOf is the form of a question. A question that came from an MCP server goes
// on as that server has asked it.
func formOf(q tools.Question) (*form, error) {
	f := &form{question: q}
	if q.Kind == "elicitation" && q.Data != nil {
		var p sdk.ElicitParams
		if err := json.Unmarshal(q.Data, &p); err == nil && (p.URL != "" || p.RequestedSchema != nil) {
			if f.params = &p; p.URL != "" && p.Mode == "" {
				p.Mode = "url"
			} else if p.Mode == "" {
				p.Mode = "form"
			}
			if p.RequestedSchema != nil {
				p.RequestedSchema = rawjson.Get(q.Data, "requestedSchema")
			}
			return f, nil
		}
	}
	message, schema := q.Prompt, json.RawMessage(nil)
	switch {
	case len(q.Choices) > 0 && !q.Open:
		f.one = true
		schema = choiceSchema(q)
	case len(q.Choices) == 0 && isFlat(q.Schema):
		schema = flatSchema(q.Schema)
	case plainType(q.Schema):
		f.one = true
		schema = objectOf(q.Schema)
	default:
		f.one = true
		f.json = true
		schema = objectOf(json.RawMessage(`{"type":"string"}`))
		message += "\n\nThe answer is written as JSON, a text in quotes."
		for _, c := range q.Choices {
			message += "\n- " + string(c.Value)
			if c.Label != "" {
				message += ": " + c.Label
			}
		}
		if q.Schema != nil {
			message += "\nIt has to fit this JSON Schema: " + string(q.Schema)
		}
	}
	f.params = &sdk.ElicitParams{Mode: "form", Message: strings.TrimSpace(message), RequestedSchema: schema}
	return f, nil
}

func objectOf(property json.RawMessage) json.RawMessage {
	return fmt.Appendf(nil, `{"type":"object","properties":{%q:%s},"required":[%q]}`, answerProperty, property, answerProperty)
}

// choiceSchema has the texts of the values, each with its label.
func choiceSchema(q tools.Question) json.RawMessage {
	var of bytes.Buffer
	for i, c := range q.Choices {
		if i > 0 {
			of.WriteByte(',')
		}
		label := c.Label
		if label == "" {
			label = choiceText(c)
		}
		title := rawjson.AppendString(nil, label)
		value := rawjson.AppendString(nil, choiceText(c))
		fmt.Fprintf(&of, `{"const":%s,"title":%s}`, value, title)
	}
	if q.Several {
		return objectOf(fmt.Appendf(nil, `{"type":"array","items":{"anyOf":[%s]}}`, of.Bytes()))
	}
	return objectOf(fmt.Appendf(nil, `{"type":"string","oneOf":[%s]}`, of.Bytes()))
}

// choiceText is a choice's value as a text: itself, or its JSON.
func choiceText(c tools.Choice) string {
	if v := rawjson.Trim(c.Value); len(v) > 0 && v[0] == '"' {
		return rawjson.Unquote(v)
	}
	return string(c.Value)
}

// isFlat reports whether MCP takes a schema as it is: an object of plain values.
func isFlat(schema json.RawMessage) bool {
	if rawjson.GetString(schema, "type") != "object" {
		return false
	}
	n := 0
	for _, p := range rawjson.Members(rawjson.Get(schema, "properties")) {
		if n++; !plainType(p) && !listOfChoices(p) {
			return false
		}
	}
	return n > 0
}

// flatSchema keeps what MCP has in the schema of a form.
func flatSchema(schema json.RawMessage) json.RawMessage {
	out := append([]byte(`{"type":"object","properties":`), rawjson.Get(schema, "properties")...)
	if required := rawjson.Get(schema, "required"); len(required) > 0 {
		out = append(append(out, `,"required":`...), required...)
	}
	return append(out, '}')
}

func plainType(schema json.RawMessage) bool {
	switch rawjson.GetString(schema, "type") {
	case "string", "number", "integer", "boolean":
		return true
	}
	return false
}

func listOfChoices(schema json.RawMessage) bool {
	items := rawjson.Get(schema, "items")
	return rawjson.GetString(schema, "type") == "array" && len(items) > 0 &&
		(len(rawjson.Get(items, "enum")) > 0 || len(rawjson.Get(items, "anyOf")) > 0)
}

// read is the answer in a client's result. It fails for one that doesn't fit.
func (f *form) read(r *sdk.ElicitResult) (given, error) {
	if r.Action != "accept" {
		return given{Declined: true}, nil
	}
	if f.params.Mode == "url" {
		return given{Value: json.RawMessage("true")}, nil
	}
	value, err := rawjson.Marshal(r.Content)
	if err != nil {
		return given{}, err
	}
	if r.Content == nil {
		value = []byte("{}")
	}
	if f.one {
		if value, err = f.answer(rawjson.Get(value, answerProperty)); err != nil {
			return given{}, err
		}
	}
	q := f.question
	if f.params.RequestedSchema != nil && q.Schema == nil && len(q.Choices) == 0 {
		if raw, ok := f.params.RequestedSchema.(json.RawMessage); ok {
			q.Schema = raw
		}
	}
	if err := q.Check(value); err != nil {
		return given{}, err
	}
	return given{Value: value}, nil
}

// answer turns what stands in the one property into the question's answer.
func (f *form) answer(value []byte) ([]byte, error) {
	if len(value) == 0 {
		return nil, fmt.Errorf("the answer has no property %q", answerProperty)
	}
	if f.json {
		return []byte(rawjson.Unquote(value)), nil
	}
	if len(f.question.Choices) == 0 {
		return value, nil
	}
	chosen := func(text string) (json.RawMessage, error) {
		for _, c := range f.question.Choices {
			if choiceText(c) == text {
				return c.Value, nil
			}
		}
		return nil, fmt.Errorf("%q is not one of the choices", text)
	}
	if !f.question.Several {
		return chosen(rawjson.Unquote(value))
	}
	out := []byte{'['}
	for one := range rawjson.Elements(value) {
		v, err := chosen(rawjson.Unquote(one))
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, v...)
	}
	return append(out, ']'), nil
}
