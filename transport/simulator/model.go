package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Model takes the place of a language model. Respond is called for each sampling: once
// for a plain request, and again after each server tool call that the simulator ran, with
// the result at the end of the turn's messages. It must be safe for concurrent use.
//
// An error that is a [*Refusal] is sent as it is; any other becomes a 500 api_error.
// After the response has begun, it becomes an error event.
type Model interface {
	Respond(ctx context.Context, turn *Turn) (*Reply, error)
}

// A ModelFunc is a function that is a Model.
type ModelFunc func(ctx context.Context, turn *Turn) (*Reply, error)

// Respond calls f.
func (f ModelFunc) Respond(ctx context.Context, turn *Turn) (*Reply, error) { return f(ctx, turn) }

// A Turn is the conversation that a Model continues. The Model must not change it, and
// may use it only until Respond returns.
type Turn struct {
	Model     string // resolved id
	System    string // the text of the system prompt
	Tools     []transport.ToolDefinition
	Messages  []transport.Message
	MaxTokens int
	// Thinking is true if the answer may hold thinking.
	Thinking bool
	// Effort in force: "low" to "max".
	Effort string
	// ToolChoice as in the request: "", "auto", "any", "tool" or "none".
	ToolChoice string
	// ForcedTool is the tool that ToolChoice "tool" names.
	ForcedTool string
	// Format is the output_config.format of the request, or nil.
	Format json.RawMessage
	// PromptTokens is the estimated size of the prompt.
	PromptTokens int
	// Step counts the samplings of this request, from 0.
	Step int
	// Seed is the same for all requests of a conversation, and differs between
	// conversations that begin differently and between values of [Options].Seed.
	Seed uint64

	server *Server
	held   int                  // of the messages: those that the thread holds
	folds  *map[any]foldedTurns // see fold; nil without a thread
	looked *int                 // counts the messages that fold goes through
}

// HasTool reports whether the turn has a tool of that name.
func (t *Turn) HasTool(name string) bool {
	for _, d := range t.Tools {
		if d.Name() == name {
			return true
		}
	}
	return false
}

// Open returns the text of an encrypted_content that this simulator made, as the
// service's own model can read it. It returns false for any other string.
func (t *Turn) Open(encrypted string) (string, bool) {
	plain, ok := t.server.sealer.open(kindPage, encrypted)
	return string(plain), ok
}

// LastUserText returns the text of the last user message that has any, or "".
func (t *Turn) LastUserText() string {
	last := t.fold("user text", func(last, i int, m *transport.Message) int {
		if m.Role == transport.RoleUser && m.Text() != "" {
			return i + 1
		}
		return last
	})
	if last == 0 {
		return ""
	}
	return t.Messages[last-1].Text()
}

// A Reply is the output of a Model in one sampling. The zero Reply is an empty end_turn.
type Reply struct {
	Content []Part

	// StopReason is found from Content if empty: tool_use if it has a client call,
	// else end_turn. If it is "pause_turn", a server call at the end of Content is
	// left without its result, which the next request brings.
	StopReason   transport.StopReason
	StopSequence string                 // with stop_sequence
	StopDetails  *transport.StopDetails // with refusal

	// Delay is the time before each delta of a streamed response.
	Delay time.Duration
	// DeltaBytes is the maximum number of bytes of a delta; 0 lets them vary.
	DeltaBytes int
}

// A Part is a part of a Reply. Make one with [Text], [Cited], [Thinking], [Redacted],
// [Call], [ServerCall], [MCPCall] or [Raw].
type Part struct {
	kind      partKind
	text      string
	name      string
	id        string
	input     json.RawMessage
	citations []Citation
	raw       json.RawMessage
	toolset   string
	server    string // of an MCP call
	truncated bool   // only the first half of the input is sent, with max_tokens
}

type partKind int

const (
	partText partKind = iota
	partThinking
	partRedacted
	partCall
	partServerCall
	partRaw
)

// Text returns a text block.
func Text(text string) Part { return Part{kind: partText, text: text} }

// Cited returns a text block with citations.
func Cited(text string, citations ...Citation) Part {
	return Part{kind: partText, text: text, citations: citations}
}

// Thinking returns a thinking block, which the simulator signs. Its text is left out if
// the request's display says so. The block is left out if the request has thinking off.
//
// With thinking of type "enabled" the service starts every turn with thinking, and so
// does the simulator: it adds thinking to a Reply without it. Thinking after other blocks
// in the same message is left out.
func Thinking(text string) Part { return Part{kind: partThinking, text: text} }

// Redacted returns a redacted_thinking block, which the simulator encrypts.
func Redacted(text string) Part { return Part{kind: partRedacted, text: text} }

// Call returns a call of a client tool. input is encoded as JSON; a [json.RawMessage] is
// sent byte for byte.
func Call(name string, input any) Part {
	return Part{kind: partCall, name: name, input: encodeInput(input)}
}

// WithID returns the call with an id of its own, instead of one that the simulator makes
// up.
func (p Part) WithID(id string) Part {
	p.id = id
	return p
}

// WithToolset returns the call marked as a call of a member of a toolset.
func (p Part) WithToolset(name string) Part {
	p.toolset = name
	return p
}

// ServerCall returns a call of a server tool: "web_search", "web_fetch" and so on. The
// simulator runs it, adds the result block, and calls the model again.
func ServerCall(name string, input any) Part {
	return Part{kind: partServerCall, name: name, input: encodeInput(input)}
}

// MCPCall returns a call of a tool of an MCP server that the service connects to.
func MCPCall(server, name string, input any) Part {
	return Part{kind: partServerCall, name: name, server: server, input: encodeInput(input)}
}

// Raw returns a block that is sent as it is, complete in its content_block_start.
func Raw(block json.RawMessage) Part { return Part{kind: partRaw, raw: block} }

func encodeInput(input any) json.RawMessage {
	switch v := input.(type) {
	case nil:
		return json.RawMessage("{}")
	case json.RawMessage:
		return v
	}
	raw, err := rawjson.Marshal(input)
	if err != nil {
		panic(fmt.Sprintf("simulator: tool input: %v", err)) // a mistake in a test's script
	}
	return raw
}

// A Citation names the source of a text. Type decides which fields are used:
//
//   - "web_search_result_location": URL, Title, CitedText; the encrypted index
//     is made by the simulator
//   - "char_location": Document, Title, Start, End (characters), CitedText
//   - "page_location": Document, Title, Start, End (pages, End exclusive), CitedText
//   - "content_block_location": Document, Title, Start, End (blocks), CitedText
//   - "search_result_location": URL as source, Title, Document as
//     search_result_index, Start, End (blocks), CitedText
//
// An empty Type means web_search_result_location.
type Citation struct {
	Type       string
	URL, Title string
	CitedText  string
	Document   int
	Start, End int
}

// A Loop is a Model for load tests. It calls Tool, Parallel times, in each of Turns
// steps, and then says Answer. It counts the steps by the tool results after the last
// user text, so many conversations may use one Loop.
type Loop struct {
	Turns    int             // steps with calls
	Parallel int             // calls in a step; 0 means 1
	Tool     string          // "" means the first tool of the request
	Input    json.RawMessage // nil means {"query":"step N","limit":10}
	Answer   string          // "" means "done"
	Think    bool            // begin each step with a thinking block
}

// Respond implements [Model].
func (l Loop) Respond(ctx context.Context, turn *Turn) (*Reply, error) {
	step := turn.fold("steps of a loop", func(step, _ int, m *transport.Message) int {
		switch {
		case m.Role != transport.RoleUser:
			return step
		case len(m.Content) == 0 || m.Content[0].Type() != transport.TypeToolResult:
			return 0
		}
		return step + 1
	})
	if step >= l.Turns {
		answer := l.Answer
		if answer == "" {
			answer = "done"
		}
		return &Reply{Content: []Part{Text(answer)}}, nil
	}
	name := l.Tool
	if name == "" {
		if len(turn.Tools) == 0 {
			return nil, fmt.Errorf("the loop has no tool to call: the request has none")
		}
		name = turn.Tools[0].Name()
	}
	var parts []Part
	if l.Think {
		parts = append(parts, Thinking("The next step is to look up more."))
	}
	for i := range max(1, l.Parallel) {
		input := l.Input
		if input == nil {
			input = json.RawMessage(fmt.Sprintf(`{"query":"step %d of %d, call %d","limit":10}`, step+1, l.Turns, i+1))
		}
		parts = append(parts, Call(name, input))
	}
	return &Reply{Content: parts}, nil
}

// Echo is the default Model. It repeats what the user said.
type Echo struct{}

// Respond implements [Model].
func (Echo) Respond(ctx context.Context, turn *Turn) (*Reply, error) {
	return &Reply{Content: []Part{Text("You said: " + strings.TrimSpace(turn.LastUserText()))}}, nil
}
