package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator/internal/shape"
)

// A request is a parsed body of POST /v1/messages or of count_tokens.
type request struct {
	account uint64 // whose key it came with
	version string // of the API
	betas   betas
	// userProfile is the anthropic-user-profile-id header.
	userProfile string
	counting    bool // count_tokens: no max_tokens, no answer
	batch       bool // an item of a batch

	model        *modelInfo
	modelName    string // as the request spells it
	maxTokens    int
	stream       bool
	tools        *toolList
	system       []block
	messages     []*message
	thinking     thinking
	toolChoice   toolChoice
	outputConfig outputConfig
	auto         transport.TTL // top-level cache_control
	stops        []string
	fields       map[string][]byte // the members, as they came

	thread *thread      // that the request goes on with, or nil
	held   int          // how many of the messages it held
	held0  conversation // what it held
	fixed  fixedFields  // of a request with a thread
	past   *past        // what is known of the first messages, or nil
	next   *past        // what the request makes known, or nil
	facts  facts
	front  front
	kinds  toolKinds // see checkToolChanges
	looked int       // blocks that the checks have looked at

	shown   []transport.Message // of the turn, with room for the answer
	merged  []turn              // see turns
	waiting [][]place           // see open
	cleared map[*block]bool     // by context editing
	applied []applied           // edits; nil if the request has none
	changes []transformation    // what was made of thinking that doesn't fit
}

// terms are what the request's headers say of its body, and salt tells them apart.
func (r *request) terms() shape.Terms {
	return shape.Terms{Version: r.version, Beta: r.betas.has}
}

func (r *request) salt() uint64 { return mix(r.betas.hash, hashString(seedKey, r.version)) }

// thinking is the request's thinking configuration.
type thinking struct {
	Type         string `json:"type"`
	BudgetTokens int    `json:"budget_tokens"`
	Display      string `json:"display"`
	BlockBinding *struct {
		PrefixMismatchBehavior string `json:"prefix_mismatch_behavior"`
	} `json:"block_binding"`
	raw []byte
}

type toolChoice struct {
	Type                   string `json:"type"`
	Name                   string `json:"name"`
	DisableParallelToolUse bool   `json:"disable_parallel_tool_use"`
}

func (c toolChoice) forces() bool { return c.Type == "any" || c.Type == "tool" }

type outputConfig struct {
	Effort     string          `json:"effort"`
	Format     json.RawMessage `json:"format"`
	TaskBudget json.RawMessage `json:"task_budget"`
}

// toolList is the request's "tools".
type toolList struct {
	raw         []byte
	tools       []tool
	definitions []transport.ToolDefinition

	once    sync.Once // guards refusal
	refusal *Refusal  // of the schemas, if any
}

type tool struct {
	block
	deferred bool
}

// isWeb is true for the tools whose presence is no part of the tools level of
// the cache (wire §8.5).
func (t *tool) isWeb() bool { return serverToolOf(string(t.typ)) == "web_search" }

// find returns the tool of that name.
func (l *toolList) find(name string) *tool {
	if l == nil {
		return nil
	}
	for i := range l.tools {
		if l.tools[i].name == name {
			return &l.tools[i]
		}
	}
	return nil
}

// readRequest parses body and checks its shape: everything that can be refused
// without knowing the model or comparing one part with another. Members are
// checked in the order of the service's tables; unknown ones come last.
func (s *Server) readRequest(body []byte, r *request) *Refusal {
	reader := messageReader{s: s, r: r}
	members, ok := splitObject(body, func(key string, i int) int {
		if key == "messages" {
			return reader.read(body, i)
		}
		return rawjson.Skip(body, i)
	})
	if !ok {
		return notJSON(body)
	}
	r.fields = make(map[string][]byte, len(members))
	for _, m := range members {
		if !isLarge(m.key) && !wellFormed(m.value) {
			return notJSON(body)
		}
		r.fields[m.key] = m.value
	}
	object := "CreateMessageParams"
	if r.counting {
		object = "CountMessageTokensParams"
	}
	var why *Refusal
	known := 0
	shape.Fields(object, r.terms(), func(name string, required bool) {
		raw, ok := r.fields[name]
		if ok {
			known++
		}
		if why != nil {
			return
		}
		switch {
		case !ok && required:
			why = refuse("%s: Field required", name)
		case !ok:
		case name == "messages":
			why = reader.refusal
		case name == "tools":
			why = s.readTools(r, body, raw)
		case name == "system":
			why = s.readSystem(r, body, raw)
		default:
			if text := shape.CheckMember(object, name, name, raw, r.terms()); text != "" {
				why = refuse("%s", text)
			}
		}
	})
	if why != nil || known == len(r.fields) {
		return why
	}
	for _, m := range members {
		known := false
		shape.Fields(object, r.terms(), func(name string, _ bool) { known = known || name == m.key })
		if !known {
			if name := betaOfField[m.key]; name != "" {
				return refuse("%s: %s requires anthropic-beta: %s", m.key, m.key, name)
			}
			return refuse("%s: Extra inputs are not permitted", m.key)
		}
	}
	return nil
}

// betaOfField holds the one member that names the header it wants (wire row 131).
var betaOfField = map[string]string{"compaction": "compact-2026-09-04"}

// isLarge names the members that are read with the help of what was read before.
func isLarge(key string) bool { return key == "messages" || key == "tools" || key == "system" }

// A messageReader reads the messages of a request, those that are not known
// already. A conversation sends its history again with every step; so the
// message that came after another one the last time is tried first, which takes
// no more than comparing bytes.
type messageReader struct {
	s       *Server
	r       *request
	refusal *Refusal
}

// read reads the array that starts at text[i] and returns the index behind it,
// or -1 if it isn't JSON.
func (mr *messageReader) read(text []byte, i int) int {
	mr.r.messages, mr.refusal = nil, nil
	if i >= len(text) || text[i] != '[' {
		mr.refusal = refuse("messages: Input should be a valid list")
		end := rawjson.Skip(text, i)
		if end < 0 || !wellFormed(text[i:end]) {
			return -1
		}
		return end
	}
	if i = skipSpace(text, i+1); i < len(text) && text[i] == ']' {
		return i + 1
	}
	var prev *message
	for i < len(text) {
		m, end := mr.one(text, i, prev)
		if end < 0 {
			return -1
		}
		if m != nil {
			if prev != nil && prev.next.Load() != m {
				prev.next.Store(m)
			}
			mr.r.messages = append(mr.r.messages, m)
			prev = m
		}
		if i = skipSpace(text, end); i >= len(text) {
			return -1
		}
		if text[i] == ']' {
			return i + 1
		}
		if text[i] != ',' {
			return -1
		}
		i = skipSpace(text, i+1)
	}
	return -1
}

// one reads the message that starts at text[i]. It returns nil for one that is
// refused.
func (mr *messageReader) one(text []byte, i int, prev *message) (*message, int) {
	salt := mr.r.salt()
	if prev != nil {
		if m := prev.next.Load(); m != nil && m.salt == salt && bytes.HasPrefix(text[i:], m.raw) {
			return m, i + len(m.raw)
		}
	}
	end := rawjson.Skip(text, i)
	if end < 0 {
		return nil, -1
	}
	raw := text[i:end:end]
	key := mr.s.messages.key(raw, salt)
	if m, ok := mr.s.messages.get(key); ok && bytes.Equal(m.raw, raw) {
		return m, end
	}
	if !wellFormed(raw) {
		return nil, -1
	}
	if mr.refusal == nil {
		path := fmt.Sprintf("messages.%d", len(mr.r.messages))
		if why := shape.CheckElement("CreateMessageParams", "messages", path, raw, mr.r.terms()); why != "" {
			mr.refusal = refuse("%s", why)
		}
	}
	if mr.refusal != nil {
		return nil, end
	}
	m := mr.s.readMessage(raw)
	m.salt = salt
	mr.s.messages.put(key, m, 4*len(raw))
	return m, end
}

// readTools reads the tools, or takes them as they were read before.
func (s *Server) readTools(r *request, body, raw []byte) *Refusal {
	key := s.toolLists.key(raw, r.salt())
	if l, ok := s.toolLists.get(key); ok && bytes.Equal(l.raw, raw) {
		r.tools = l
		return nil
	}
	if !wellFormed(raw) {
		return notJSON(body)
	}
	if text := shape.CheckMember("CreateMessageParams", "tools", "tools", raw, r.terms()); text != "" {
		return refuse("%s", text)
	}
	l := &toolList{raw: bytes.Clone(raw)}
	for e := range rawjson.Elements(l.raw) {
		t := tool{block: s.readBlock(e), deferred: string(rawjson.Get(e, "defer_loading")) == "true"}
		if t.typ == "" {
			t.typ = "custom"
		}
		l.tools = append(l.tools, t)
		if d, err := transport.ParseToolDefinition(e); err == nil {
			l.definitions = append(l.definitions, d)
		}
	}
	s.toolLists.put(key, l, 4*len(raw))
	r.tools = l
	return nil
}

// readSystem reads the system prompt, or takes it as it was read before.
func (s *Server) readSystem(r *request, body, raw []byte) *Refusal {
	key := s.systems.key(raw, r.salt())
	if sys, ok := s.systems.get(key); ok && bytes.Equal(sys.raw, raw) {
		r.system = sys.blocks
		return nil
	}
	if !wellFormed(raw) {
		return notJSON(body)
	}
	if text := shape.CheckMember("CreateMessageParams", "system", "system", raw, r.terms()); text != "" {
		return refuse("%s", text)
	}
	sys := systemPrompt{raw: bytes.Clone(raw)}
	for _, e := range contentBlocks(sys.raw) {
		sys.blocks = append(sys.blocks, s.readBlock(e))
	}
	s.systems.put(key, sys, 4*len(raw))
	r.system = sys.blocks
	return nil
}

type systemPrompt struct {
	raw    []byte
	blocks []block
}

// decode reads the small members that the checks need.
func (r *request) decode() {
	f := r.fields
	json.Unmarshal(f["model"], &r.modelName)
	json.Unmarshal(f["max_tokens"], &r.maxTokens)
	json.Unmarshal(f["stream"], &r.stream)
	json.Unmarshal(f["stop_sequences"], &r.stops)
	json.Unmarshal(f["thinking"], &r.thinking)
	json.Unmarshal(f["tool_choice"], &r.toolChoice)
	json.Unmarshal(f["output_config"], &r.outputConfig)
	r.thinking.raw = f["thinking"]
	if rawjson.IsNull(r.outputConfig.Format) {
		r.outputConfig.Format = nil
	}
	if of := f["output_format"]; r.outputConfig.Format == nil && !rawjson.IsNull(of) {
		r.outputConfig.Format = of
	}
	r.auto = ttlOf(f["cache_control"])
}

// has reports whether the request has the member and it isn't null.
func (r *request) has(name string) bool { return !rawjson.IsNull(r.fields[name]) }

type member struct {
	key   string
	value []byte
}

// splitObject cuts an object into its members. It checks what stands between
// the values, not the values: skip finds the end of each, or returns -1.
func splitObject(text []byte, skip func(key string, i int) int) ([]member, bool) {
	i := skipSpace(text, 0)
	if i >= len(text) || text[i] != '{' {
		return nil, false
	}
	var list []member
	if i = skipSpace(text, i+1); i < len(text) && text[i] == '}' {
		return nil, skipSpace(text, i+1) == len(text)
	}
	for i < len(text) && text[i] == '"' {
		end := rawjson.Skip(text, i)
		if end < 0 || !wellFormed(text[i:end]) {
			return nil, false
		}
		m := member{key: rawjson.Unquote(text[i:end])}
		if i = skipSpace(text, end); i >= len(text) || text[i] != ':' {
			return nil, false
		}
		i = skipSpace(text, i+1)
		if end = skip(m.key, i); end < 0 {
			return nil, false
		}
		m.value = text[i:end:end]
		list = append(list, m)
		if i = skipSpace(text, end); i >= len(text) {
			return nil, false
		}
		if text[i] == '}' {
			return list, skipSpace(text, i+1) == len(text)
		}
		if text[i] != ',' {
			return nil, false
		}
		i = skipSpace(text, i+1)
	}
	return nil, false
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}
