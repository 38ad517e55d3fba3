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

// A Model answers in place of a language model. Respond is called once per
// sampling: once for a plain request, and again after each server tool call
// that the simulator carried out, with the result at the end of the turn's
// messages. It must be safe for use by many goroutines.
//
// An error that is a [*Refusal] is sent as it is; any other becomes a 500
// api_error. After the response has begun it becomes an error event.
type Model interface {
	Respond(ctx context.Context, turn *Turn) (*Reply, error)
}

// A ModelFunc is a function that is a Model.
type ModelFunc func(ctx context.Context, turn *Turn) (*Reply, error)

// Respond calls f.
func (f ModelFunc) Respond(ctx context.Context, turn *Turn) (*Reply, error) { return f(ctx, turn) }

// A Turn is what a Model is asked to go on from. It is the model's to read
// only, and valid until Respond returns.
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
}

// HasTool reports whether the turn's tools have one of that name.
func (t *Turn) HasTool(name string) bool {
	for _, d := range t.Tools {
		if d.Name() == name {
			return true
		}
	}
	return false
}

// Open reads the text behind an encrypted_content that this simulator made, as
// the service's own model can. It is false for any other string.
func (t *Turn) Open(encrypted string) (string, bool) {
	plain, ok := t.server.sealer.open(kindPage, encrypted)
	return string(plain), ok
}

// LastUserText is the text of the last user message that has any, or "".
func (t *Turn) LastUserText() string {
	for i := len(t.Messages) - 1; i >= 0; i-- {
		if m := t.Messages[i]; m.Role == transport.RoleUser {
			if text := m.Text(); text != "" {
				return text
			}
		}
	}
	return ""
}

// A Reply is what a Model says in one sampling. The zero Reply is an empty
// end_turn.
type Reply struct {
	Content []Part

	// StopReason is found from Content if empty: tool_use if it has a client call,
	// else end_turn. If it is "pause_turn", a server call at the end of Content is
	// left without its result, which the next request brings.
	StopReason   transport.StopReason
	StopSequence string                 // with stop_sequence
	StopDetails  *transport.StopDetails // with refusal

	// Delay is waited before each delta of a streamed answer.
	Delay time.Duration
	// DeltaBytes is the most bytes that a delta adds; 0 lets them vary.
	DeltaBytes int
}

// A Part is a piece of a Reply. Make one with [Text], [Cited], [Thinking],
// [Redacted], [Call], [ServerCall], [MCPCall] or [Raw].
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

// Text is a text block.
func Text(text string) Part { return Part{kind: partText, text: text} }

// Cited is a text block with citations.
func Cited(text string, citations ...Citation) Part {
	return Part{kind: partText, text: text, citations: citations}
}

// Thinking is a thinking block, which the simulator signs. Its text is left out
// if the request's display says so. It is dropped if the request has thinking off.
//
// With thinking of type "enabled" the service starts every turn with thinking, and
// so does the simulator: where a Reply lacks it, it is added. Thinking behind
// something else in the same message is dropped.
func Thinking(text string) Part { return Part{kind: partThinking, text: text} }

// Redacted is a redacted_thinking block of the simulator's making.
func Redacted(text string) Part { return Part{kind: partRedacted, text: text} }

// Call is a call of a client tool. input is encoded as JSON; a
// json.RawMessage is sent byte for byte.
func Call(name string, input any) Part {
	return Part{kind: partCall, name: name, input: encodeInput(input)}
}

// WithID gives a call an id, in place of one that the simulator makes up.
func (p Part) WithID(id string) Part {
	p.id = id
	return p
}

// WithToolset marks a call as that of a member of a toolset.
func (p Part) WithToolset(name string) Part {
	p.toolset = name
	return p
}

// ServerCall is a call of a server tool: "web_search", "web_fetch" and so on.
// The simulator carries it out, adds the result block, and asks the model again.
func ServerCall(name string, input any) Part {
	return Part{kind: partServerCall, name: name, input: encodeInput(input)}
}

// MCPCall is a call of a tool of an MCP server that the service connects to.
func MCPCall(server, name string, input any) Part {
	return Part{kind: partServerCall, name: name, server: server, input: encodeInput(input)}
}

// Raw is a block that is sent as it is, whole in its content_block_start.
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

// A Citation points at what a text rests on. Which fields count depends on Type:
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

// A Loop is a Model for load tests: it calls Tool in each of Turns steps,
// Parallel times, and then says Answer. It counts the steps by the tool results
// behind the last user text, so that many conversations may use one Loop.
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
	step := 0
	for i := len(turn.Messages) - 1; i >= 0; i-- {
		m := turn.Messages[i]
		if m.Role != transport.RoleUser {
			continue
		}
		if len(m.Content) == 0 || m.Content[0].Type() != transport.TypeToolResult {
			break
		}
		step++
	}
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

// Echo is the Model of a Server without one: it repeats what the user said.
type Echo struct{}

// Respond implements [Model].
func (Echo) Respond(ctx context.Context, turn *Turn) (*Reply, error) {
	return &Reply{Content: []Part{Text("You said: " + strings.TrimSpace(turn.LastUserText()))}}, nil
}
