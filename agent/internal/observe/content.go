package observe

import (
	"fmt"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// Content says which content spans get, and how it is cut and redacted.
type Content struct {
	MaxBytes int // of each piece; 0 means 32 KiB, a negative number no bound
	// Redact, if not nil, returns what is written in a piece's place.
	Redact func(Piece) string
}

// A Piece is a piece of content on its way into a span.
type Piece struct{ Kind, Tool, Text string }

const defaultPieceBytes = 32 << 10

// piece redacts and cuts.
func (c *Content) piece(p Piece) string {
	if c.Redact != nil {
		p.Text = c.Redact(p)
	}
	most := c.MaxBytes
	if most == 0 {
		most = defaultPieceBytes
	}
	if most < 0 || len(p.Text) <= most {
		return p.Text
	}
	first := runes.Cut(p.Text, most)
	return fmt.Sprintf("%s[cut: the first %d of %d bytes]", first, len(first), len(p.Text))
}

// json appends a piece that is JSON: as it is, or as a string if it was cut, or
// redacted to something else.
func (c *Content) json(dst []byte, p Piece) []byte {
	text := c.piece(p)
	if rawjson.Valid([]byte(text)) {
		return append(dst, text...)
	}
	return rawjson.AppendString(dst, text)
}

func (c *Content) system(blocks []transport.Block) string {
	out := []byte{'['}
	for i, b := range blocks {
		if i > 0 {
			out = append(out, ',')
		}
		out = c.part(out, b, "system", nil)
	}
	return string(append(out, ']'))
}

// input writes the messages that are new in a request.
func (c *Content) input(messages []transport.Message, elsewhere map[string]bool) string {
	out := []byte{'['}
	for i, m := range messages {
		if i > 0 {
			out = append(out, ',')
		}
		role := string(m.Role)
		if len(m.Content) > 0 && m.Content[0].Type() == transport.TypeToolResult {
			role = "tool"
		}
		out = c.message(out, role, m.Content, elsewhere)
		out = append(out, '}')
	}
	return string(append(out, ']'))
}

// output writes a response, the one choice that there is.
func (c *Content) output(r *transport.Response, latest bool) string {
	return string(finish(c.message([]byte{'['}, string(transport.RoleAssistant), r.Content, nil), r.StopReason, latest))
}

// answer writes what a run came to.
func (c *Content) answer(text string, reason transport.StopReason, latest bool) string {
	out := append([]byte(nil), `[{"role":"assistant","parts":[{"type":"text","content":`...)
	out = rawjson.AppendString(out, c.piece(Piece{Kind: "text", Text: text}))
	return string(finish(append(out, `}]`...), reason, latest))
}

// finish ends a list of one message. In the latest conventions the reason stands in an
// attribute of its own only.
func finish(out []byte, reason transport.StopReason, latest bool) []byte {
	if !latest {
		out = rawjson.AppendString(append(out, `,"finish_reason":`...), string(reason))
	}
	return append(out, `}]`...)
}

// asObject makes of a result the object that the latest conventions want.
func asObject(result string) string {
	raw := []byte(result)
	valid := rawjson.Valid(raw)
	if valid && rawjson.Trim(raw)[0] == '{' {
		return result
	}
	out := []byte(`{"content":`)
	if valid {
		out = append(out, raw...)
	} else {
		out = rawjson.AppendString(out, result)
	}
	return string(append(out, '}'))
}

// message writes a message without its last brace.
func (c *Content) message(out []byte, role string, blocks []transport.Block, elsewhere map[string]bool) []byte {
	out = rawjson.AppendString(append(out, `{"role":`...), role)
	out = append(out, `,"parts":[`...)
	for i, b := range blocks {
		if i > 0 {
			out = append(out, ',')
		}
		out = c.part(out, b, "text", elsewhere)
	}
	return append(out, ']')
}

// arguments is what a call was given.
func (c *Content) arguments(call transport.ToolCall) string {
	return c.piece(Piece{Kind: "tool_call", Tool: call.Name, Text: string(call.Input)})
}

// result is what a tool gave: its text if that is all there is, else parts.
func (c *Content) result(tool string, content []transport.Block) string {
	if len(content) == 1 && content[0].Type() == transport.TypeText {
		return c.piece(Piece{Kind: "tool_call_response", Tool: tool, Text: text(content[0])})
	}
	out := []byte{'['}
	for i, b := range content {
		if i > 0 {
			out = append(out, ',')
		}
		out = c.part(out, b, "tool_call_response", nil)
	}
	return string(append(out, ']'))
}

func text(b transport.Block) string {
	return rawjson.GetString(b.Raw(), "text")
}

// part writes a block. kind is what its text, if it is one, is called to Redact.
func (c *Content) part(out []byte, b transport.Block, kind string, elsewhere map[string]bool) []byte {
	raw := b.Raw()
	quoted := func(key, value string) {
		out = append(out, `,"`...)
		out = append(out, key...)
		out = append(out, `":`...)
		out = rawjson.AppendString(out, value)
	}
	switch typ := b.Type(); typ {
	case transport.TypeText:
		out = append(out, `{"type":"text"`...)
		quoted("content", c.piece(Piece{Kind: kind, Text: text(b)}))

	case transport.TypeThinking:
		out = append(out, `{"type":"reasoning"`...)
		quoted("content", c.piece(Piece{Kind: "reasoning", Text: rawjson.GetString(raw, "thinking")}))

	case transport.TypeToolUse:
		name := rawjson.GetString(raw, "name")
		out = append(out, `{"type":"tool_call"`...)
		quoted("id", rawjson.GetString(raw, "id"))
		quoted("name", c.name(name))
		out = append(out, `,"arguments":`...)
		out = c.json(out, Piece{Kind: "tool_call", Tool: name, Text: string(rawjson.Get(raw, "input"))})

	case transport.TypeToolResult:
		id := b.ToolUseID()
		out = append(out, `{"type":"tool_call_response"`...)
		quoted("id", id)
		out = append(out, `,"response":`...)
		if elsewhere[id] {
			out = append(out, `"[in the execute_tool span of this call]"`...)
			break
		}
		out = c.response(out, raw)

	case transport.TypeImage, transport.TypeDocument:
		out = c.media(out, string(typ), rawjson.Get(raw, "source"))

	case transport.TypeServerToolUse, view.TypeMCPToolUse:
		name := rawjson.GetString(raw, "name")
		out = append(out, `{"type":"server_tool_call"`...)
		quoted("id", rawjson.GetString(raw, "id"))
		quoted("name", c.name(name))
		out = append(out, `,"server_tool_call":{"type":`...)
		out = rawjson.AppendString(out, c.name(name))
		out = append(out, `,"arguments":`...)
		out = c.json(out, Piece{Kind: "tool_call", Tool: name, Text: string(rawjson.Get(raw, "input"))})
		out = append(out, '}')

	default:
		if id := b.ToolUseID(); id != "" {
			out = append(out, `{"type":"server_tool_call_response"`...)
			quoted("id", id)
			out = append(out, `,"server_tool_call_response":{"type":`...)
			out = rawjson.AppendString(out, string(typ))
			out = append(out, `,"content":`...)
			out = c.json(out, Piece{Kind: string(typ), Text: string(rawjson.Get(raw, "content"))})
			out = append(out, '}')
			break
		}
		out = append(out, `{"type":`...)
		out = rawjson.AppendString(out, string(typ))
		out = append(out, `,"content":`...)
		out = c.json(out, Piece{Kind: string(typ), Text: string(raw)})
	}
	return append(out, '}')
}

// response writes the content of a tool_result: its text if that is all there
// is, else its parts.
func (c *Content) response(out, raw []byte) []byte {
	content := rawjson.Get(raw, "content")
	if len(content) == 0 || content[0] != '[' {
		return c.json(out, Piece{Kind: "tool_call_response", Text: rawjson.Unquote(content)})
	}
	var blocks []transport.Block
	for e := range rawjson.Elements(content) {
		if b, err := transport.ParseBlock(e); err == nil {
			blocks = append(blocks, b)
		}
	}
	if len(blocks) == 1 && blocks[0].Type() == transport.TypeText {
		return rawjson.AppendString(out, c.result("", blocks))
	}
	return append(out, c.result("", blocks)...)
}

// media writes an image or a document without its bytes, and without its last brace.
// A URL may hold what gives access, so it is a piece like others.
func (c *Content) media(out []byte, modality string, source []byte) []byte {
	value := func(key, value string) {
		out = append(out, `,"`...)
		out = append(out, key...)
		out = append(out, `":`...)
		out = rawjson.AppendString(out, value)
	}
	get := func(name string) string { return rawjson.GetString(source, name) }
	switch get("type") {
	case "url":
		out = append(out, `{"type":"uri"`...)
		value("uri", c.piece(Piece{Kind: "uri", Text: get("url")}))
	case "file":
		out = append(out, `{"type":"file"`...)
		value("file_id", runes.Cut(get("file_id"), maxName))
	default:
		out = append(out, `{"type":"blob"`...)
		value("mime_type", runes.Cut(get("media_type"), maxName))
		out = append(out, fmt.Sprintf(`,"content":"","bytes":%d`, len(rawjson.Inner(rawjson.Get(source, "data"))))...)
	}
	return rawjson.AppendString(append(out, `,"modality":`...), modality)
}

// maxName is the most of an id, in bytes.
const maxName = 256

// name is what is shown of a model's word for a tool.
func (c *Content) name(name string) string {
	if isName(name) {
		return name
	}
	return c.piece(Piece{Kind: "tool_name", Text: name})
}

// toolDefinitions names the tools; their descriptions and schemas are left out,
// as the conventions recommend.
func toolDefinitions(tools []transport.ToolDefinition) string {
	out := []byte{'['}
	for i, t := range tools {
		if i > 0 {
			out = append(out, ',')
		}
		kind := t.Type()
		if kind == "" || kind == "custom" {
			kind = "function"
		}
		out = rawjson.AppendString(append(out, `{"type":`...), kind)
		out = rawjson.AppendString(append(out, `,"name":`...), t.Name())
		out = append(out, '}')
	}
	return string(append(out, ']'))
}
