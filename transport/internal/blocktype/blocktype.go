// Package blocktype is the one table of what a content block of a type may do.
package blocktype

// Wire types of content blocks.
const (
	Text              = "text"
	Thinking          = "thinking"
	RedactedThinking  = "redacted_thinking"
	ToolUse           = "tool_use"
	ToolResult        = "tool_result"
	ServerToolUse     = "server_tool_use"
	MCPToolUse        = "mcp_tool_use"
	MCPToolResult     = "mcp_tool_result"
	MCPToolListing    = "mcp_tool_listing"
	Image             = "image"
	Document          = "document"
	SearchResult      = "search_result"
	ContainerUpload   = "container_upload"
	Compaction        = "compaction"
	Fallback          = "fallback"
	ToolAddition      = "tool_addition"
	ToolRemoval       = "tool_removal"
	ToolReference     = "tool_reference"
	BrowserState      = "browser_state"
	ConnectorText     = "connector_text"
	WebSearchResult   = "web_search_tool_result"
	WebFetchResult    = "web_fetch_tool_result"
	CodeResult        = "code_execution_tool_result"
	BashResult        = "bash_code_execution_tool_result"
	TextEditorResult  = "text_editor_code_execution_tool_result"
	ToolSearchResult  = "tool_search_tool_result"
	AdvisorToolResult = "advisor_tool_result"
)

// Traits are what is known of a type. Those of the zero value are the cautious
// answer for a type that nobody knows yet, but for OutOfResult: such a block
// passes.
type Traits struct {
	Name string // the type

	Markable    bool   // the service surely takes a cache_control on it (wire §8.1)
	Unmarkable  bool   // the service surely refuses one
	Thinking    bool   // readable or not
	Model       bool   // only a response brings one
	OutOfResult bool   // a tool result can't hold it
	LeftOutOf   string // the role of messages that stay valid without it, as nothing else refers to it; empty if there is none
	Prefill     bool   // at the end of a conversation the model would have to go on from it
	ServerCall  bool   // a call that the service answers itself, in a block of a type that ends in _tool_result
	Discarded   bool   // in front of a fallback it belongs to the model that refused (wire §3.6)
	Holds       string // the kind of marks inside it: "content" of a result, "definition" of a tool
	Deltas      Deltas // what a stream adds to it; 0 if that isn't known
}

// Roles of messages.
const user, assistant, system = "user", "assistant", "system"

// Deltas are kinds of additions.
type Deltas uint8

// The kinds. None is of a type that comes whole.
const (
	TextDeltas     Deltas = 1 << iota // text_delta, citations_delta
	ThinkingDeltas                    // thinking_delta, signature_delta
	InputDeltas                       // input_json_delta
	None
)

// What several types have in common.
var (
	serverResult = Traits{Markable: true, Model: true, OutOfResult: true, Deltas: None}
	content      = Traits{Markable: true, LeftOutOf: user}
)

var table = named(map[string]Traits{
	Text:             {Markable: true, LeftOutOf: user, Prefill: true, Deltas: TextDeltas},
	Thinking:         {Unmarkable: true, Thinking: true, Model: true, OutOfResult: true, LeftOutOf: assistant, Prefill: true, Discarded: true, Deltas: ThinkingDeltas},
	RedactedThinking: {Unmarkable: true, Thinking: true, Model: true, OutOfResult: true, LeftOutOf: assistant, Prefill: true, Discarded: true, Deltas: None},
	ToolUse:          {Markable: true, Model: true, OutOfResult: true, Prefill: true, Discarded: true, Deltas: InputDeltas},
	ToolResult:       {Markable: true, OutOfResult: true, Holds: "content"},
	ServerToolUse:    {Markable: true, Model: true, OutOfResult: true, ServerCall: true, Deltas: InputDeltas},
	MCPToolUse:       {Markable: true, Model: true, OutOfResult: true, ServerCall: true, Deltas: InputDeltas},
	MCPToolResult:    serverResult,
	MCPToolListing:   {OutOfResult: true, LeftOutOf: assistant},
	Image:            content,
	Document:         content,
	SearchResult:     content,
	ContainerUpload:  {Markable: true, OutOfResult: true, LeftOutOf: user},
	Compaction:       {Markable: true, OutOfResult: true},
	Fallback:         {Model: true, OutOfResult: true},
	ToolAddition:     {Markable: true, OutOfResult: true, LeftOutOf: system, Holds: "definition"},
	ToolRemoval:      {Markable: true, OutOfResult: true, LeftOutOf: system},
	ToolReference:    {},
	BrowserState:     {},
	ConnectorText:    {Discarded: true},

	WebSearchResult: serverResult, WebFetchResult: serverResult, CodeResult: serverResult, BashResult: serverResult,
	TextEditorResult: serverResult, ToolSearchResult: serverResult, AdvisorToolResult: serverResult,
})

func named(t map[string]Traits) map[string]Traits {
	for name, traits := range t {
		traits.Name = name
		t[name] = traits
	}
	return t
}

// Of looks a type up. A server's result of a type that isn't known is told by the
// end of its name.
func Of[T ~string](typ T) Traits {
	if t, ok := table[string(typ)]; ok {
		return t
	}
	if IsResult(typ) {
		return Traits{Model: true, OutOfResult: true}
	}
	return Traits{}
}

// Intern is the one string for a type that is known.
func Intern(typ []byte) (string, bool) {
	t, ok := table[string(typ)]
	return t.Name, ok
}

// IsResult reports whether the type is that of a result of a tool that runs at
// the service.
func IsResult[T ~string](typ T) bool {
	const end = "_tool_result"
	return len(typ) > len(end) && string(typ[len(typ)-len(end):]) == end
}

// Takes reports whether a block that takes these has a place for what a delta adds. A
// type that isn't known may have one for all.
func (d Deltas) Takes(added Deltas) bool { return d == 0 || d&added != 0 }
