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
	account  uint64 // whose key it came with
	betas    betas
	counting bool // count_tokens: no max_tokens, no answer

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

	changes []transformation // what was made of thinking that doesn't fit
}

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
// the cache (reference §8.5).
func (t *tool) isWeb() bool { return serverToolOf(t.typ) == "web_search" }

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
	members, ok := splitObject(body)
	if !ok {
		return notJSON(body)
	}
	r.fields = make(map[string][]byte, len(members))
	for _, m := range members {
		if !isLarge(m.key) && !rawjson.Valid(m.value) {
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
	shape.Fields(object, r.betas.has, func(name string, required bool) {
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
			why = s.readMessages(r, body, raw)
		case name == "tools":
			why = s.readTools(r, body, raw)
		case name == "system":
			why = s.readSystem(r, body, raw)
		default:
			if text := shape.CheckMember(object, name, name, raw, r.betas.has); text != "" {
				why = refuse("%s", text)
			}
		}
	})
	if why != nil || known == len(r.fields) {
		return why
	}
	for _, m := range members {
		known := false
		shape.Fields(object, r.betas.has, func(name string, _ bool) { known = known || name == m.key })
		if !known {
			if name := betaOfField[m.key]; name != "" {
				return refuse("%s: %s requires anthropic-beta: %s", m.key, m.key, name)
			}
			return refuse("%s: Extra inputs are not permitted", m.key)
		}
	}
	return nil
}

// betaOfField holds the one member that names the header it wants (reference row 131).
var betaOfField = map[string]string{"compaction": "compact-2026-09-04"}

// isLarge names the members that are read with the help of what was read before.
func isLarge(key string) bool { return key == "messages" || key == "tools" || key == "system" }

func notJSON(body []byte) *Refusal {
	return refuse("The request body is not valid JSON: %s", syntaxError(body))
}

// readMessages reads the messages, those that are not known already.
func (s *Server) readMessages(r *request, body, raw []byte) *Refusal {
	elements, ok := splitArray(raw)
	if !ok {
		if rawjson.Valid(raw) {
			return refuse("messages: Input should be a valid list")
		}
		return notJSON(body)
	}
	r.messages = make([]*message, 0, len(elements))
	for i, raw := range elements {
		key := s.messages.key(raw, r.betas.hash)
		m, known := s.messages.get(key)
		if !known || !bytes.Equal(m.raw, raw) {
			if !rawjson.Valid(raw) {
				return notJSON(body)
			}
			if text := shape.Check("InputMessage", fmt.Sprintf("messages.%d", i), raw, r.betas.has); text != "" {
				return refuse("%s", text)
			}
			m = s.readMessage(raw)
			s.messages.put(key, m, 4*len(raw))
		}
		r.messages = append(r.messages, m)
	}
	return nil
}

// readTools reads the tools, or takes them as they were read before.
func (s *Server) readTools(r *request, body, raw []byte) *Refusal {
	key := s.toolLists.key(raw, r.betas.hash)
	if l, ok := s.toolLists.get(key); ok && bytes.Equal(l.raw, raw) {
		r.tools = l
		return nil
	}
	if !rawjson.Valid(raw) {
		return notJSON(body)
	}
	if text := shape.CheckMember("CreateMessageParams", "tools", "tools", raw, r.betas.has); text != "" {
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
	key := s.systems.key(raw, r.betas.hash)
	if sys, ok := s.systems.get(key); ok && bytes.Equal(sys.raw, raw) {
		r.system = sys.blocks
		return nil
	}
	if !rawjson.Valid(raw) {
		return notJSON(body)
	}
	if text := shape.CheckMember("CreateMessageParams", "system", "system", raw, r.betas.has); text != "" {
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
// the values, not the values.
func splitObject(text []byte) ([]member, bool) {
	text = rawjson.Trim(text)
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, false
	}
	var list []member
	i := skipSpace(text, 1)
	if text[i] == '}' {
		return nil, i == len(text)-1
	}
	for {
		end := rawjson.Skip(text, i)
		if end < 0 || text[i] != '"' {
			return nil, false
		}
		m := member{key: rawjson.Unquote(text[i:end])}
		if i = skipSpace(text, end); i >= len(text) || text[i] != ':' {
			return nil, false
		}
		i = skipSpace(text, i+1)
		if end = rawjson.Skip(text, i); end < 0 {
			return nil, false
		}
		m.value = text[i:end:end]
		list = append(list, m)
		i = skipSpace(text, end)
		if i == len(text)-1 {
			return list, true
		}
		if i >= len(text) || text[i] != ',' {
			return nil, false
		}
		i = skipSpace(text, i+1)
	}
}

// splitArray cuts an array into its elements, as splitObject does.
func splitArray(text []byte) ([][]byte, bool) {
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return nil, false
	}
	var list [][]byte
	i := skipSpace(text, 1)
	if i == len(text)-1 {
		return nil, true
	}
	for {
		end := rawjson.Skip(text, i)
		if end < 0 || end >= len(text) {
			return nil, false
		}
		list = append(list, text[i:end:end])
		i = skipSpace(text, end)
		if i == len(text)-1 {
			return list, true
		}
		if text[i] != ',' {
			return nil, false
		}
		i = skipSpace(text, i+1)
	}
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

func syntaxError(body []byte) string {
	var v json.RawMessage
	if err := json.Unmarshal(body, &v); err != nil {
		return err.Error()
	}
	return "expected an object"
}
