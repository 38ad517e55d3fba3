package simulator

import (
	"bytes"
	"encoding/json"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
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
	systemRaw    []byte
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
// without knowing the model or comparing one part with another.
func (s *Server) readRequest(body []byte, r *request) *Refusal {
	members, ok := splitObject(body)
	if !ok {
		return refuse("The request body is not valid JSON: %s", syntaxError(body))
	}
	var messages []byte
	r.fields = make(map[string][]byte, len(members))
	for _, m := range members {
		if m.key != "messages" && m.key != "tools" && m.key != "system" && !rawjson.Valid(m.value) {
			return refuse("The request body is not valid JSON: %s", syntaxError(body))
		}
		r.fields[m.key] = m.value
	}
	if why := s.checkTop(r, members); why != nil {
		return why
	}
	if raw := r.fields["tools"]; !rawjson.IsNull(raw) {
		if r.tools, ok = s.readTools(raw); !ok {
			return refuse("The request body is not valid JSON: %s", syntaxError(body))
		}
	}
	if raw := r.fields["system"]; !rawjson.IsNull(raw) {
		if r.system, ok = s.readSystem(raw); !ok {
			return refuse("The request body is not valid JSON: %s", syntaxError(body))
		}
		r.systemRaw = raw
	}
	messages = r.fields["messages"]
	elements, ok := splitArray(messages)
	if !ok {
		if rawjson.Valid(messages) {
			return refuse("messages: Input should be a valid list")
		}
		return refuse("The request body is not valid JSON: %s", syntaxError(body))
	}
	r.messages = make([]*message, 0, len(elements))
	salt := r.betas.hash
	for i, raw := range elements {
		key := s.messages.key(raw, salt)
		m, known := s.messages.get(key)
		if !known || !bytes.Equal(m.raw, raw) {
			if !rawjson.Valid(raw) {
				return refuse("The request body is not valid JSON: %s", syntaxError(body))
			}
			if why := s.checkMessage(r, i, raw); why != nil {
				return why
			}
			m = s.readMessage(raw)
			s.messages.put(key, m, 4*len(raw))
		}
		r.messages = append(r.messages, m)
	}
	return nil
}

// readTools reads the tools, or takes them as they were read before.
func (s *Server) readTools(raw []byte) (*toolList, bool) {
	key := s.toolLists.key(raw, 0)
	if l, ok := s.toolLists.get(key); ok && bytes.Equal(l.raw, raw) {
		return l, true
	}
	if !rawjson.Valid(raw) {
		return nil, false
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
	return l, true
}

// readSystem reads the system prompt, or takes it as it was read before.
func (s *Server) readSystem(raw []byte) ([]block, bool) {
	key := s.systems.key(raw, 0)
	if sys, ok := s.systems.get(key); ok && bytes.Equal(sys.raw, raw) {
		return sys.blocks, true
	}
	if !rawjson.Valid(raw) {
		return nil, false
	}
	sys := systemPrompt{raw: bytes.Clone(raw)}
	for _, e := range contentBlocks(sys.raw) {
		sys.blocks = append(sys.blocks, s.readBlock(e))
	}
	s.systems.put(key, sys, 4*len(raw))
	return sys.blocks, true
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
