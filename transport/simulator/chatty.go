package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// Chatty is a Model whose replies are random, by the turn's seed: text in many scripts,
// thinking, calls of the request's tools with inputs that fit their schemas and some that
// don't, server tools, pauses, blocks of an unknown type, empty turns, refusals. It is
// for soak and fuzz tests of clients. Every conversation ends after some steps.
type Chatty struct {
	// Steps is the approximate number of steps with calls in a turn; 0 means 4.
	Steps int
	// Tame leaves out responses that end a run early: refusals, unknown stop reasons, a
	// full window.
	Tame bool
}

// chattyNote is the type of the block that nobody knows. The simulator takes it
// back.
const chattyNote = "simulator_note"

// Respond implements [Model].
func (c Chatty) Respond(ctx context.Context, turn *Turn) (*Reply, error) {
	step := stepsOf(turn)
	r := &talker{Rand: rand.New(rand.NewPCG(turn.Seed, uint64(len(turn.Messages))<<8|uint64(turn.Step))), turn: turn}
	reply := &Reply{}
	steps := c.Steps
	if steps == 0 {
		steps = 4
	}
	for turn.Thinking && r.chance(2) && len(reply.Content) < 3 {
		if r.chance(6) {
			reply.Content = append(reply.Content, Redacted(r.text()))
		} else {
			reply.Content = append(reply.Content, Thinking(r.text()))
		}
	}
	switch source := r.source(); {
	case source != nil && r.chance(2):
		reply.Content = append(reply.Content, Text(r.text()), Cited(r.text(), *source, *source))
	case r.chance(2):
		reply.Content = append(reply.Content, Text(r.text()))
	}
	if r.chance(12) {
		reply.Content = append(reply.Content, Raw(json.RawMessage(`{"type":"`+chattyNote+`","note":`+quote(r.text())+`,"number":9007199254740993,"nothing":null}`)))
	}
	if turn.ToolChoice == "none" || step >= steps && r.chance(2) || step >= 3*steps || r.chance(steps+2) {
		return c.end(r, reply), nil
	}
	client, server := split(turn.Tools)
	calls := 0
	if len(server) > 0 && r.chance(3) {
		reply.Content = append(reply.Content, r.serverCall(server[r.IntN(len(server))]))
		if r.chance(4) {
			reply.StopReason = transport.StopPauseTurn
			return reply, nil
		}
		calls++
	}
	if len(client) > 0 && (calls == 0 || r.chance(4)) {
		for range 1 + r.IntN(3) {
			reply.Content = append(reply.Content, r.call(client[r.IntN(len(client))]))
			calls++
		}
	}
	if calls == 0 {
		return c.end(r, reply), nil
	}
	return reply, nil
}

// stepsOf counts the assistant's messages since the last text of the user.
func stepsOf(turn *Turn) int {
	return turn.Step + turn.fold("steps of a turn", func(n, _ int, m *transport.Message) int {
		switch {
		case m.Role == transport.RoleAssistant:
			return n + 1
		case m.Text() != "":
			return 0
		}
		return n
	})
}

// end finishes the turn in one of the ways there are.
func (c Chatty) end(r *talker, reply *Reply) *Reply {
	if !c.Tame && r.chance(20) {
		switch r.IntN(3) {
		case 0:
			reply.StopReason = transport.StopRefusal
			reply.StopDetails = &transport.StopDetails{Type: "refusal", Category: "cyber", Explanation: "drawn by lot"}
		case 1:
			reply.StopReason = transport.StopContextWindowExceeded
		case 2:
			reply.StopReason = "simulator_reason"
		}
		return reply
	}
	switch r.IntN(12) {
	case 0:
		return &Reply{} // nothing to add
	case 1:
		reply.Content = append(reply.Content, Text(r.text()), Text(" \n"), Text(""))
	default:
		reply.Content = append(reply.Content, Text(r.text()))
	}
	return reply
}

func split(tools []transport.ToolDefinition) (client, server []transport.ToolDefinition) {
	for _, d := range tools {
		switch {
		case string(rawjson.Get(d.Raw(), "defer_loading")) == "true":
		case serverToolOf(d.Type()) != "":
			server = append(server, d)
		case d.Name() != "":
			client = append(client, d)
		}
	}
	return client, server
}

// A talker draws what is said.
type talker struct {
	*rand.Rand
	turn *Turn
}

// chance is true once in n times.
func (r *talker) chance(n int) bool { return r.IntN(n) == 0 }

var phrases = []string{
	"Let me see.", "Straßenbahn, naïve café.", "日本語のテキスト。", "مرحبا بالعالم", "👩‍👩‍👧‍👦 and 🏳️‍🌈", "e\u0301 is not é",
	"<b>&amp;</b>", `a "quoted" word and a back\slash`, "line one\nline two\r\n\ttabbed", "\u2028 separators \u2029", "\x00\x01 controls",
	"```go\nfmt.Println(\"hi\")\n```", "{\"looks\":\"like JSON\"}", "event: message_stop\ndata: {}\n\n", "1e400 -0 9007199254740993",
}

func (r *talker) text() string {
	var b strings.Builder
	for range 1 + r.IntN(5) {
		b.WriteString(phrases[r.IntN(len(phrases))])
		b.WriteByte(' ')
	}
	if r.chance(15) {
		b.WriteString(strings.Repeat("and so on ", 300))
	}
	return b.String()
}

// source finds something to cite in the newest message: a page that a search
// found, or one that was fetched.
func (r *talker) source() *Citation {
	if len(r.turn.Messages) == 0 {
		return nil
	}
	for _, b := range r.turn.Messages[len(r.turn.Messages)-1].Content {
		content := rawjson.Get(b.Raw(), "content")
		switch b.Type() {
		case view.TypeWebSearchToolResult:
			for found := range rawjson.Elements(content) {
				return &Citation{URL: rawjson.GetString(found, "url"), Title: rawjson.GetString(found, "title"), CitedText: "Straßenbahn"}
			}
		case view.TypeWebFetchToolResult:
			if rawjson.GetString(content, "type") == "web_fetch_result" {
				return &Citation{Type: "char_location", Title: "Index", Start: 0, End: 11, CitedText: "Straßenbahn"}
			}
		}
	}
	return nil
}

// call makes a call of a client tool: mostly one that its schema allows.
func (r *talker) call(d transport.ToolDefinition) Part {
	name := d.Name()
	switch r.IntN(20) {
	case 0:
		name = "no_such_tool"
	case 1:
		return Call(name, json.RawMessage(`{"unexpected":[1,{"a":null}]}`))
	}
	schema := rawjson.Get(d.Raw(), "input_schema")
	if schema == nil {
		return Call(name, json.RawMessage(`{"command":"view","path":"/memories"}`))
	}
	return Call(name, json.RawMessage(r.value(nil, schema, schema, 0)))
}

// value appends a value that fits the schema.
func (r *talker) value(b, root, schema []byte, depth int) []byte {
	if ref := rawjson.GetString(schema, "$ref"); ref != "" && depth < 8 {
		name := ref[strings.LastIndexByte(ref, '/')+1:]
		return r.value(b, root, rawjson.Get(rawjson.Get(root, "$defs"), name), depth+1)
	}
	for choice := range rawjson.Elements(rawjson.Get(schema, "enum")) {
		return append(b, choice...)
	}
	if c := rawjson.Get(schema, "const"); c != nil {
		return append(b, c...)
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		for choice := range rawjson.Elements(rawjson.Get(schema, key)) {
			return r.value(b, root, choice, depth+1)
		}
	}
	typ := rawjson.GetString(schema, "type")
	if list := rawjson.Get(schema, "type"); len(list) > 0 && list[0] == '[' {
		for first := range rawjson.Elements(list) {
			typ = rawjson.Unquote(first)
			break
		}
	}
	switch typ {
	case "object":
		return r.object(b, root, schema, depth)
	case "array":
		b = append(b, '[')
		if depth < 8 {
			for i := range r.IntN(3) + number(schema, "minItems") {
				if i > 0 {
					b = append(b, ',')
				}
				b = r.value(b, root, rawjson.Get(schema, "items"), depth+1)
			}
		}
		return append(b, ']')
	case "integer":
		if r.chance(4) && rawjson.Get(schema, "maximum") == nil {
			return append(b, "9007199254740993"...)
		}
		return fmt.Append(b, number(schema, "minimum")+r.IntN(3))
	case "number":
		return fmt.Append(b, number(schema, "minimum"), ".50")
	case "boolean":
		return fmt.Append(b, r.chance(2))
	case "null":
		return append(b, "null"...)
	}
	text := phrases[r.IntN(len(phrases))]
	if rawjson.GetString(schema, "format") != "" {
		text = "2026-11-01T12:00:00Z"
	}
	return rawjson.AppendString(b, text)
}

func (r *talker) object(b, root, schema []byte, depth int) []byte {
	required := string(rawjson.Get(schema, "required"))
	b = append(b, '{')
	first := true
	for name, property := range rawjson.Members(rawjson.Get(schema, "properties")) {
		if !strings.Contains(required, quote(name)) && (depth > 6 || r.chance(2)) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(rawjson.AppendString(b, name), ':')
		if r.chance(4) {
			b = append(b, ' ')
		}
		b = r.value(b, root, property, depth+1)
	}
	return append(b, '}')
}

func number(schema []byte, key string) int {
	var n float64
	json.Unmarshal(rawjson.Get(schema, key), &n)
	return int(n)
}

// serverCall makes a call of a server tool.
func (r *talker) serverCall(d transport.ToolDefinition) Part {
	switch family := serverToolOf(d.Type()); family {
	case "web_search":
		return ServerCall(family, map[string]string{"query": r.turn.LastUserText()})
	case "web_fetch":
		return ServerCall(family, map[string]string{"url": "https://pages.example/index.html"})
	case "code_execution":
		return ServerCall("bash_code_execution", map[string]string{"command": "true"})
	default:
		return ServerCall(d.Name(), map[string]string{"query": "more", "pattern": "more"})
	}
}
