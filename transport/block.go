package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Block is one content block: a JSON object with a "type", kept as the exact
// bytes that were received, or that a constructor such as [Text] encoded once.
// It is never re-encoded, so types and fields that this package doesn't know
// pass through untouched. The zero Block is not valid.
//
// Blocks are immutable and may be shared by goroutines, logs and requests.
type Block struct {
	raw      []byte
	typ      BlockType
	marked   bool
	nullMark bool // it has a cache_control, which is null
	answer   bool // made by Answer: no member is there twice
	inner    bool // a block or a definition inside it has a cache_control
	room     *room
}

// ParseBlock makes a Block of raw, which it keeps: the caller must not modify
// raw afterwards. It fails if raw is not a JSON object with a string "type".
func ParseBlock(raw []byte) (Block, error) {
	raw = rawjson.Trim(raw)
	if !rawjson.Valid(raw) || len(raw) == 0 || raw[0] != '{' {
		return Block{}, fmt.Errorf("content block: not a JSON object: %s", brief(raw))
	}
	return parseBlock(raw)
}

// parseBlock is ParseBlock for bytes already known to be valid JSON.
func parseBlock(raw []byte) (Block, error) {
	if raw[0] != '{' {
		return Block{}, fmt.Errorf("content block: not a JSON object: %s", brief(raw))
	}
	b := newBlock(raw)
	if b.typ == "" {
		return Block{}, fmt.Errorf(`content block: no "type": %s`, brief(raw))
	}
	return b, nil
}

// newBlock is ParseBlock for bytes already known to be a valid object.
func newBlock(raw []byte) Block {
	b := Block{raw: raw[:len(raw):len(raw)]}
	for key, v := range rawjson.Fields(raw) {
		if bytes.IndexByte(key, '\\') >= 0 { // nobody writes it so, but it is JSON
			mark := rawjson.Get(raw, "cache_control")
			b = Block{raw: b.raw, typ: internType(rawjson.Get(raw, "type")), marked: !rawjson.IsNull(mark), nullMark: mark != nil && rawjson.IsNull(mark)}
			break
		}
		switch string(key) {
		case "type":
			b.typ = internType(v)
		case "cache_control":
			b.nullMark = rawjson.IsNull(v)
			b.marked = !b.nullMark
		}
	}
	if blocktype.Of(b.typ).Holds != "" {
		b.inner = bytes.Contains(b.raw, []byte("cache_control")) && b.hasInnerMark()
	}
	return b
}

// Embed returns the block with payloads in their places, as [rawjson.Embed] does.
func (b Block) Embed(payloads []rawjson.Payload) Block {
	raw := rawjson.Embed(b.raw, payloads)
	if len(raw) == 0 || &raw[0] == &b.raw[0] {
		return b
	}
	for _, p := range payloads {
		// What is this short could be a key that has a meaning.
		if len(p.Data) < leastPayload || p.Name == string(b.typ) {
			return newBlock(raw)
		}
	}
	b.raw, b.answer = raw[:len(raw):len(raw)], false
	return b
}

// leastPayload is more than the base64 of what a key of the service's could be.
const leastPayload = 64

// hasInnerMark reports whether something inside the block is marked.
func (b Block) hasInnerMark() bool {
	for range b.innerMarks() {
		return true
	}
	return false
}

// innerMarks yields the cache_control of each block in the content of a tool
// result, or of the definition in a tool_addition. They count among the four
// (wire §8.1).
func (b Block) innerMarks() iter.Seq[TTL] {
	return func(yield func(TTL) bool) {
		see := func(raw []byte) bool {
			return rawjson.IsNull(rawjson.Get(raw, "cache_control")) || yield(ownTTL(raw))
		}
		switch blocktype.Of(b.typ).Holds {
		case "content":
			for e := range rawjson.Elements(rawjson.Get(b.raw, "content")) {
				if !see(e) {
					return
				}
			}
		case "definition":
			see(rawjson.Get(rawjson.Get(b.raw, "tool"), "definition"))
		}
	}
}

// Type is the block's wire type, for instance "text" or "tool_use".
func (b Block) Type() BlockType { return b.typ }

// Raw is the block's JSON. The caller must not modify it.
func (b Block) Raw() json.RawMessage { return b.raw }

// IsZero reports whether b is the zero Block, which stands for no block.
func (b Block) IsZero() bool { return b.raw == nil }

// Marked reports whether the block came with a cache_control of its own. The
// request writer leaves such a block alone and counts it as a breakpoint.
func (b Block) Marked() bool { return b.marked }

// Marks yields the lifetime of each cache_control that the block came with, in
// the order of the prompt: those of blocks inside a tool result or of the tool
// that a tool_addition defines, and its own. Empty stands for the default.
func (b Block) Marks() iter.Seq[TTL] {
	return func(yield func(TTL) bool) {
		if b.inner {
			for ttl := range b.innerMarks() {
				if !yield(ttl) {
					return
				}
			}
		}
		if b.marked {
			yield(ownTTL(b.raw))
		}
	}
}

// MarshalJSON returns the block's bytes. [json.Marshal] compacts them and escapes
// "<", ">" and "&" in them; this package's own writers use [Block.Raw].
func (b Block) MarshalJSON() ([]byte, error) {
	if b.raw == nil {
		return nil, errors.New("content block: the zero Block can't be encoded")
	}
	return b.raw, nil
}

// UnmarshalJSON keeps a copy of data.
func (b *Block) UnmarshalJSON(data []byte) error {
	nb, err := ParseBlock(append([]byte(nil), data...))
	if err != nil {
		return err
	}
	*b = nb
	return nil
}

// field decodes one string member, without decoding the rest.
func (b Block) field(name string) string { return rawjson.GetString(b.raw, name) }

// internType keeps one string per known block type, so that parsing a block
// allocates nothing for it.
func internType(quoted []byte) BlockType {
	if name, ok := blocktype.Intern(rawjson.Inner(quoted)); ok {
		return BlockType(name)
	}
	if len(quoted) == 0 || quoted[0] != '"' {
		return ""
	}
	return BlockType(rawjson.Unquote(quoted))
}

// brief shortens bytes for an error message.
func brief(raw []byte) string {
	const most = 80
	if len(raw) > most {
		return fmt.Sprintf("%.*q… (%d bytes)", most, raw[:most], len(raw))
	}
	return fmt.Sprintf("%q", raw)
}

// Text makes a text block. The service refuses an empty one.
func Text(text string) Block {
	if len(text) >= leastRoom {
		return textWithRoom(text)
	}
	return Block{raw: appendText(make([]byte, 0, len(text)+len(text)/16+26), text), typ: TypeText}
}

// appendText appends a text block.
func appendText(b []byte, text string) []byte {
	b = append(b, `{"type":"text","text":`...)
	return append(rawjson.AppendString(b, text), '}')
}

// ToolResult makes the tool_result block that answers the call id. The model sees
// an empty result if there is no content.
func ToolResult(id string, content ...Block) Block {
	return ToolCall{ID: id}.Answer(content...)
}

// Answer makes the tool_result block for the call. It is [ToolResult], and
// repeats the name of the toolset where the service demands that (wire §4.5).
func (c ToolCall) Answer(content ...Block) Block { return c.result("", content) }

// AnswerError makes the tool_result block, with is_error set, that tells the model
// that the call failed. The service takes text content only (wire §3.5).
func (c ToolCall) AnswerError(content ...Block) Block { return c.result(`,"is_error":true`, content) }

func (c ToolCall) result(end string, content []Block) Block {
	var buf [roomInFront]byte
	front := append(buf[:0], `{"type":"tool_result","tool_use_id":`...)
	front = rawjson.AppendString(front, c.ID)
	if c.Toolset != "" {
		front = append(front, `,"toolset_name":`...)
		front = rawjson.AppendString(front, c.Toolset)
	}
	result := Block{typ: TypeToolResult, answer: true}
	if len(content) == 0 {
		result.raw = append(append(append(make([]byte, 0, len(front)+len(end)+1), front...), end...), '}')
		return result
	}
	front, end = append(front, `,"content":[`...), "]"+end+"}"
	if len(content) == 1 {
		if result.raw = content[0].room.around(content[0].raw, front, end); result.raw != nil {
			return result
		}
	}
	n := len(front) + len(content) - 1 + len(end)
	for _, b := range content {
		n += len(b.raw)
		result.inner = result.inner || b.marked
	}
	raw := append(make([]byte, 0, n), front...)
	for i, b := range content {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(raw, b.raw...)
	}
	result.raw = append(raw, end...)
	return result
}

func errNotObject(what string, raw []byte) error {
	return fmt.Errorf("%s: not a JSON object: %s", what, brief(raw))
}

// ToolCall reads a tool_use block. It is false for a block of another type.
func (b Block) ToolCall() (ToolCall, bool) {
	var c ToolCall
	if b.typ != TypeToolUse {
		return c, false
	}
	for key, v := range rawjson.Fields(b.raw) {
		switch string(key) {
		case "id":
			c.ID = rawjson.Unquote(v)
		case "name":
			c.Name = rawjson.Unquote(v)
		case "toolset_name":
			if !rawjson.IsNull(v) {
				c.Toolset = rawjson.Unquote(v)
			}
		case "input":
			c.Input = v
		}
	}
	c.Input = arguments(c.Input)
	return c, true
}

// arguments repairs the input of a call as some gateways write it: none, null or ""
// for no arguments, or an object inside a string. What is no object stands as text
// in one; see [InvalidJSON].
func arguments(input []byte) []byte {
	switch {
	case rawjson.IsNull(input) || string(input) == `""`:
		return []byte("{}")
	case input[0] == '"':
		if inner := rawjson.Trim([]byte(rawjson.Unquote(input))); len(inner) > 0 && inner[0] == '{' && rawjson.Valid(inner) {
			return inner
		}
		return invalidInput([]byte(rawjson.Unquote(input)))
	case input[0] != '{':
		return invalidInput(input)
	}
	return input
}

// ToolUseID is the id of the call that a result block answers, or "".
func (b Block) ToolUseID() string {
	if !b.answer {
		return b.field("tool_use_id")
	}
	for key, v := range rawjson.Fields(b.raw) {
		if string(key) == "tool_use_id" {
			return rawjson.Unquote(v) // without a look at what may be a long result
		}
	}
	return ""
}
