package simulator

import (
	"bytes"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// A message is an entry of a request's "messages", read and checked as far as
// it can be on its own. It is immutable and shared by all requests that carry
// the same bytes: a conversation re-sends its history with every step, and only
// what is new is read again.
type message struct {
	raw          []byte // a copy, so that the request's body can be forgotten
	role         transport.Role
	blocks       []block
	clearAt      string
	outputConfig []byte
	transport    transport.Message

	salt uint64                  // of the settings that it was read under
	next atomic.Pointer[message] // the message that last came after it
}

// A block is a content block of a message, a system prompt, or a tool
// definition, with what the checks and the cache need to know of it.
type block struct {
	typ      transport.BlockType
	raw      []byte
	id       string // id, or tool_use_id of a result
	name     string // name of a call
	digest   digest
	tokens   int
	mark     transport.TTL   // its cache_control; empty for none
	inner    []transport.TTL // marks on blocks inside it
	text     textKind
	summary  *summary  // of a compaction block; nil if it is not one of ours
	signed   *thought  // of a thinking block; nil if its signature is not ours
	result   bool      // answers a server tool's call
	pictures []picture // images and PDFs in it
	claim    claim
	sources  int      // documents and search results in it, itself among them
	cited    int      // those with citations on
	citing   []string // texts in it that cite; see citingTexts
	// problem is a refusal's message with %s for the block's path; innerEmpty is
	// one of its own: a result with an empty text inside.
	problem    string
	innerEmpty bool
}

// textKind says what a text block holds.
type textKind uint8

const (
	textFull textKind = iota
	textSpace
	textEmpty
)

func (b *block) isThinking() bool {
	return b.typ == transport.TypeThinking || b.typ == transport.TypeRedactedThinking
}

// isServerCall is true for calls that the service answers itself.
func (b *block) isServerCall() bool {
	return b.typ == transport.TypeServerToolUse || b.typ == view.TypeMCPToolUse
}

// readMessage reads the entry raw of "messages", which is valid JSON and whose
// shape has been checked.
func (s *Server) readMessage(raw []byte) *message {
	m := &message{raw: bytes.Clone(raw)}
	var content []byte
	for key, v := range rawjson.Members(m.raw) {
		switch key {
		case "role":
			m.role = transport.Role(rawjson.Unquote(v))
		case "content":
			content = v
		case "clear_at":
			m.clearAt = rawjson.Unquote(v)
		case "output_config":
			if !rawjson.IsNull(v) {
				m.outputConfig = v
			}
		}
	}
	m.transport = transport.Message{Role: m.role, ClearAt: m.clearAt, OutputConfig: m.outputConfig}
	for _, raw := range contentBlocks(content) {
		b := s.readBlock(raw)
		m.blocks = append(m.blocks, b)
		if tb, err := transport.ParseBlock(raw); err == nil {
			m.transport.Content = append(m.transport.Content, tb)
		}
	}
	return m
}

// contentBlocks lists the blocks of a content in either of its forms.
func contentBlocks(content []byte) [][]byte {
	content = rawjson.Trim(content)
	if len(content) == 0 {
		return nil
	}
	if content[0] == '"' {
		if len(content) == 2 {
			return nil
		}
		raw := append(make([]byte, 0, len(content)+24), `{"type":"text","text":`...)
		return [][]byte{append(append(raw, content...), '}')}
	}
	var list [][]byte
	for e := range rawjson.Elements(content) {
		list = append(list, e)
	}
	return list
}

// readBlock reads one block, tool definition or system block.
func (s *Server) readBlock(raw []byte) block {
	b := block{raw: raw}
	var text, signature, data []byte
	for key, v := range rawjson.Members(raw) {
		switch key {
		case "type":
			b.typ = transport.BlockType(rawjson.Unquote(v))
		case "id", "tool_use_id":
			b.id = rawjson.Unquote(v)
		case "name":
			b.name = rawjson.Unquote(v)
		case "cache_control":
			b.mark = ttlOf(v)
		case "text":
			text = v
		case "signature":
			signature = v
		case "data":
			data = v
		case "content":
			if b.typ != transport.TypeText && len(v) > 0 && v[0] == '[' {
				for e := range rawjson.Elements(v) {
					if ttl := ttlOf(rawjson.Get(e, "cache_control")); ttl != "" {
						b.inner = append(b.inner, ttl)
					}
				}
			}
		}
	}
	b.digest = digestOf(raw, false)
	b.tokens = EstimateTokens(b.digest.size)
	switch b.typ {
	case transport.TypeText:
		if s := rawjson.Inner(text); len(s) == 0 {
			b.text = textEmpty
		} else if len(bytes.Trim(s[:min(len(s), 64)], ` \ntr`)) == 0 && strings.TrimSpace(rawjson.Unquote(text)) == "" {
			b.text = textSpace
		}
	case transport.TypeThinking:
		b.signed, _ = s.sealer.verify(kindSignature, rawjson.Unquote(signature))
	case view.TypeCompaction:
		if sum, ok := s.openSummary(&b); ok {
			b.summary = &sum
		}
	case transport.TypeRedactedThinking:
		b.signed, _ = s.sealer.verify(kindRedacted, rawjson.Unquote(data))
	case transport.TypeImage, transport.TypeDocument, transport.TypeToolResult:
		b.pictures = readPictures(&b)
		for i := range b.pictures {
			b.tokens += b.pictures[i].tokens()
		}
	default:
		b.result = b.typ != transport.TypeToolResult && strings.HasSuffix(string(b.typ), "_tool_result")
	}
	s.readClaims(&b)
	if bytes.Contains(raw, []byte(`"citations"`)) {
		b.citing = citingTexts(&b)
	}
	b.sources, b.cited = citedSources(&b)
	if b.signed != nil {
		b.tokens = b.signed.Tokens
	}
	return b
}

// ttlOf reads a cache_control.
func ttlOf(raw []byte) transport.TTL {
	if rawjson.IsNull(raw) {
		return ""
	}
	if ttl := rawjson.GetString(raw, "ttl"); ttl != "" {
		return transport.TTL(ttl)
	}
	return transport.TTL5m
}

// A memo remembers what was made of bytes that come again and again. It holds
// about budget bytes of the most recent.
type memo[V any] struct {
	mu            sync.Mutex
	seed          maphash.Seed
	recent, older map[uint64]V
	size, budget  int
}

func newMemo[V any](budget int) *memo[V] {
	return &memo[V]{seed: maphash.MakeSeed(), recent: map[uint64]V{}, budget: budget}
}

// key is the place of raw among values made under the setting salt.
func (m *memo[V]) key(raw []byte, salt uint64) uint64 {
	return mix(maphash.Bytes(m.seed, raw), salt)
}

func (m *memo[V]) get(key uint64) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.recent[key]
	if !ok {
		if v, ok = m.older[key]; ok {
			m.recent[key] = v
		}
	}
	return v, ok
}

func (m *memo[V]) put(key uint64, v V, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.size += size; m.size > m.budget {
		m.older, m.recent, m.size = m.recent, map[uint64]V{}, size
	}
	m.recent[key] = v
}
