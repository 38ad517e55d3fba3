package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// Role identifies whose message it is.
type Role string

// The roles of the Messages API. A system message may stand inside a
// conversation on the models that take one (wire §2.6).
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
	RoleSystem    Role = "system"
)

// A Message is one entry of a request's "messages". Its blocks are encoded
// already; writing a message copies bytes.
type Message struct {
	Role    Role
	Content []Block

	// ClearAt is "next_user_message" on a system message that the service is to
	// forget once a later user message exists. Empty elsewhere.
	ClearAt string
	// OutputConfig is the output_config of a system message that changes the
	// effort from here on: a JSON object, or nil.
	OutputConfig json.RawMessage
	Extra        map[string]json.RawMessage // members that have no field here; sent sorted

	size measured
}

// measured is the size of a message's blocks, so that a request that holds the
// message can be written without a look at each of them. It counts only for the
// blocks that it was taken of.
type measured struct {
	of    *Block // the first of the blocks; nil if nothing was measured
	bytes int32  // sum of their JSON
	n     uint16 // how many they are
}

// Measured returns the message with the size of its blocks noted, by which
// [Request.Body] saves the look at each of them. The blocks must not be changed
// afterwards. A log does this with each message that is appended to it.
func (m Message) Measured() Message {
	m.size = measured{}
	sum := 0
	for i := range m.Content {
		b := &m.Content[i]
		if b.raw == nil || b.marked || b.inner {
			return m // to be looked at each time
		}
		sum += len(b.raw)
	}
	if n := len(m.Content); n > 0 && n <= math.MaxUint16 && sum <= math.MaxInt32 {
		m.size = measured{&m.Content[0], int32(sum), uint16(n)}
	}
	return m
}

// isMeasured reports whether size is that of the message's blocks.
func (m *Message) isMeasured() bool {
	return len(m.Content) > 0 && m.size.of == &m.Content[0] && int(m.size.n) == len(m.Content)
}

// HasMarks reports whether one of the message's blocks came with a cache_control,
// or holds something that did.
func (m *Message) HasMarks() bool {
	return !m.isMeasured() && slices.ContainsFunc(m.Content, func(b Block) bool { return b.marked || b.inner })
}

// length is the number of bytes of the message's JSON without breakpoints.
func (m *Message) length() int {
	n := len(m.opening()) + max(0, len(m.Content)-1) + len(m.closing())
	if m.isMeasured() {
		return n + int(m.size.bytes)
	}
	for i := range m.Content {
		n += len(m.Content[i].raw)
	}
	return n
}

// UserText makes a user message of one text block.
func UserText(text string) Message {
	return Message{Role: RoleUser, Content: []Block{Text(text)}}
}

// Text joins the text of the message's text blocks.
func (m Message) Text() string { return joinText(m.Content) }

func joinText(blocks []Block) string {
	isText := func(b Block) bool { return b.typ == TypeText }
	first := slices.IndexFunc(blocks, isText)
	if first < 0 {
		return ""
	}
	if text := blocks[first].field("text"); !slices.ContainsFunc(blocks[first+1:], isText) {
		return text
	}
	var b strings.Builder
	for _, blk := range blocks[first:] {
		if isText(blk) {
			b.WriteString(blk.field("text"))
		}
	}
	return b.String()
}

// AppendJSON appends the message as in a request without breakpoints.
func (m Message) AppendJSON(dst []byte) []byte {
	dst = append(dst, m.opening()...)
	for i, b := range m.Content {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, b.raw...)
	}
	return append(dst, m.closing()...)
}

// MarshalJSON returns what AppendJSON appends.
func (m Message) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil), nil }

// UnmarshalJSON takes a message in either form the API takes: content as a
// string or as a list of blocks.
func (m *Message) UnmarshalJSON(data []byte) error {
	if data = rawjson.Trim(data); !rawjson.Valid(data) || data[0] != '{' {
		return errNotObject("message", data)
	}
	var to Message
	for key, v := range rawjson.Members(data) {
		var err error
		switch key {
		case "role":
			err = json.Unmarshal(v, &to.Role)
		case "content":
			if to.Content, err = parseContent(bytes.Clone(v)); err != nil {
				return fmt.Errorf("message of role %q: %w", rawjson.GetString(data, "role"), err)
			}
		case "clear_at":
			err = json.Unmarshal(v, &to.ClearAt)
		case "output_config":
			to.OutputConfig = bytes.Clone(v)
		default:
			if to.Extra == nil {
				to.Extra = make(map[string]json.RawMessage)
			}
			to.Extra[key] = bytes.Clone(v)
		}
		if err != nil {
			return fmt.Errorf("message: %s: %w", key, err)
		}
	}
	*m = to
	return nil
}

// parseContent reads a message's content, which is valid JSON. It keeps raw.
func parseContent(raw []byte) ([]Block, error) {
	raw = rawjson.Trim(raw)
	switch {
	case rawjson.IsNull(raw):
		return nil, nil
	case raw[0] == '"':
		if s := rawjson.Unquote(raw); s != "" {
			return []Block{Text(s)}, nil
		}
		return nil, nil
	case raw[0] == '[':
		var blocks []Block
		for e := range rawjson.Elements(raw) {
			b, err := parseBlock(e)
			if err != nil {
				return nil, fmt.Errorf("content.%d: %w", len(blocks), err)
			}
			blocks = append(blocks, b)
		}
		return blocks, nil
	}
	return nil, fmt.Errorf("content: neither a string nor a list of blocks: %s", brief(raw))
}

// Texts that frame the blocks of a message.
var (
	userOpening      = []byte(`{"role":"user","content":[`)
	assistantOpening = []byte(`{"role":"assistant","content":[`)
	systemOpening    = []byte(`{"role":"system","content":[`)
	plainClosing     = []byte(`]}`)
	passingClosing   = []byte(`],"clear_at":"next_user_message"}`)
)

// opening and closing frame the blocks. They are fixed texts for all messages
// but those with an output_config or members that have no field, so that writing allocates nothing.
func (m *Message) opening() []byte {
	switch m.Role {
	case RoleUser:
		return userOpening
	case RoleAssistant:
		return assistantOpening
	case RoleSystem:
		return systemOpening
	}
	return append(rawjson.AppendString([]byte(`{"role":`), string(m.Role)), `,"content":[`...)
}

func (m *Message) closing() []byte {
	if len(m.OutputConfig) == 0 && len(m.Extra) == 0 {
		switch m.ClearAt {
		case "":
			return plainClosing
		case "next_user_message":
			return passingClosing
		}
	}
	out := []byte{']'}
	if m.ClearAt != "" {
		out = rawjson.AppendString(append(out, `,"clear_at":`...), m.ClearAt)
	}
	if len(m.OutputConfig) > 0 {
		out = append(append(out, `,"output_config":`...), m.OutputConfig...)
	}
	return append(appendExtra(out, m.Extra), '}')
}
