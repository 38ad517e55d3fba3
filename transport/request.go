package transport

import (
	"encoding/json"

	"github.com/whorl-go/whorl/transport/internal/strict"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Request is what is sent to the service. Its tools, system prompt and
// messages are frozen bytes already, so that sending one costs little more than
// copying them. Fields left zero are not sent.
type Request struct {
	Model     string
	MaxTokens int // 0 is sent, and warms the cache without an answer

	Tools    []ToolDefinition
	System   []Block // text blocks
	Messages []Message

	// Breakpoints are where cache_control is spliced in: at most 4, with the blocks
	// that are marked already and with CacheControl; 1h before 5m.
	Breakpoints  []Breakpoint
	CacheControl *CacheControl // the service places one breakpoint itself

	ToolChoice    *ToolChoice
	Thinking      *Thinking
	OutputConfig  *OutputConfig
	StopSequences []string
	UserID        string // metadata.user_id
	ServiceTier   string // "auto" or "standard_only"
	Speed         string // "standard" or "fast"
	InferenceGeo  string

	// Sampling parameters are refused by all newer models; leave them nil.
	Temperature *float64
	TopP        *float64
	TopK        *int

	// Container is a container's id, as a JSON string, or an object with skills. The
	// others are the API's own objects and lists.
	Container         json.RawMessage
	ContextManagement json.RawMessage
	Compaction        json.RawMessage
	MCPServers        json.RawMessage
	Fallbacks         json.RawMessage
	Thread            *Thread      // the service holds the conversation
	Diagnostics       *Diagnostics // why the cache missed, compared with an earlier response

	Betas []string // values of anthropic-beta beyond those that what is used calls for
	// Extra holds members of the body that have no field here. They are sent sorted. Under
	// the name of an object that has a field, such as "thinking" or "metadata", it holds an
	// object of the members that the field lacks.
	Extra map[string]json.RawMessage
}

// A ToolDefinition is an entry of a request's "tools", encoded once.
type ToolDefinition struct {
	name   string
	raw    []byte
	marked bool
	strict strict.Size
}

// ParseToolDefinition makes a ToolDefinition of raw, an object that it keeps.
func ParseToolDefinition(raw []byte) (ToolDefinition, error) {
	raw = rawjson.Trim(raw)
	if !rawjson.Valid(raw) || len(raw) == 0 || raw[0] != '{' {
		return ToolDefinition{}, errNotObject("tool definition", raw)
	}
	return ToolDefinition{
		name:   rawjson.GetString(raw, "name"),
		raw:    raw[:len(raw):len(raw)],
		marked: !rawjson.IsNull(rawjson.Get(raw, "cache_control")),
		strict: strict.SizeOf(raw),
	}, nil
}

// Name is the name that the model calls the tool by; empty for a toolset.
func (t ToolDefinition) Name() string { return t.name }

// Type is the wire type: "" or "custom" for a client's own tool, else for
// instance "web_search_20250305".
func (t ToolDefinition) Type() string { return rawjson.GetString(t.raw, "type") }

// Raw is the definition's JSON. The caller must not modify it.
func (t ToolDefinition) Raw() json.RawMessage { return t.raw }

// StrictSize is what a strict tool adds to the bounded sums of a request.
func (t ToolDefinition) StrictSize() strict.Size { return t.strict }

// Marked reports whether the definition has a cache_control of its own.
func (t ToolDefinition) Marked() bool { return t.marked }

// Deferred reports whether the definition says defer_loading: the tool is then
// no part of the prompt, and can't be marked, until it is found or added.
func (t ToolDefinition) Deferred() bool {
	return string(rawjson.Get(t.raw, "defer_loading")) == "true"
}

// A Part is one of the three lists that a prompt is made of, in the order in
// which the service renders them.
type Part int

// The parts of a prompt.
const (
	PartTools Part = iota
	PartSystem
	PartMessages
)

// A Breakpoint is where a cache_control mark goes: after tool Index, after system
// block Index, or after block Block of message Index.
type Breakpoint struct {
	Part  Part
	Index int
	Block int // for PartMessages only
	TTL   TTL
}

// TTL is how long the service keeps what it cached: "5m" or "1h", counted from
// the start of the request that wrote or last read it.
type TTL string

// The two lifetimes. The empty TTL means 5m and writes no "ttl" member.
const (
	TTL5m TTL = "5m"
	TTL1h TTL = "1h"
)

// CacheControl is a cache_control mark.
type CacheControl struct{ TTL TTL }

// ToolChoice specifies whether the model may, must or must not call a tool.
type ToolChoice struct {
	Type                   string `json:"type"` // "auto", "any", "tool" or "none"
	Name                   string `json:"name,omitempty"`
	DisableParallelToolUse bool   `json:"disable_parallel_tool_use,omitempty"`
}

// Thinking configures extended thinking (wire §9.1).
type Thinking struct {
	Type         string        `json:"type"` // "adaptive", "enabled", "disabled" or "between_tools"
	BudgetTokens int           `json:"budget_tokens,omitempty"`
	Display      string        `json:"display,omitempty"` // "summarized", "omitted" or "updates"
	BlockBinding *BlockBinding `json:"block_binding,omitempty"`
}

// BlockBinding specifies what is done with thinking whose prefix has changed.
type BlockBinding struct {
	PrefixMismatchBehavior string `json:"prefix_mismatch_behavior"` // "error" or "drop_block"
}

// An Effort specifies how much a model does for its answer: "low", "medium",
// "high", "xhigh" or "max"; empty for the model's default. Package models lists
// which of them a model has.
type Effort string

// OutputConfig shapes the answer.
type OutputConfig struct {
	Effort     Effort          `json:"effort,omitempty"`
	Format     json.RawMessage `json:"format,omitempty"` // {"type":"json_schema","schema":{…}}
	TaskBudget json.RawMessage `json:"task_budget,omitempty"`
}

// A Thread is a conversation that the service holds (wire §15). The zero Thread begins one.
type Thread struct {
	PreviousMessageID string // the response to go on from
	Held              int    // messages up to it, which are not sent, nor are tools and system
}

// continues reports whether the request goes on with a thread.
func (t *Thread) continues() bool { return t != nil && t.PreviousMessageID != "" }

// Diagnostics asks why the cache missed. An empty id is sent as null.
type Diagnostics struct{ PreviousMessageID string }
