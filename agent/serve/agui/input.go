package agui

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/transport"
)

// An Input is AG-UI's RunAgentInput, which a client sends to run a thread. Other members
// are ignored.
type Input struct {
	ThreadID    string          `json:"threadId"` // the session's id
	RunID       string          `json:"runId"`
	ParentRunID string          `json:"parentRunId,omitempty"`
	State       json.RawMessage `json:"state,omitempty"`
	Messages    []Message       `json:"messages"`
	Tools       []Tool          `json:"tools,omitempty"`
	Context     []Context       `json:"context,omitempty"`
	Forwarded   json.RawMessage `json:"forwardedProps,omitempty"`
	Resume      []Resume        `json:"resume,omitempty"`
}

// A Tool is a front-end tool.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters,omitempty"` // a JSON Schema of an object
}

// A Context is information that the client's program has for the agent.
type Context struct {
	Description string `json:"description"`
	Value       string `json:"value"`
}

// A Resume answers an interrupt. With the status "resolved", Payload is the answer to a
// question, or {"approved": …, "reason"?, "editedArgs"?} for a call. The status
// "cancelled" denies the call or declines the question.
type Resume struct {
	InterruptID string          `json:"interruptId"`
	Status      string          `json:"status"` // resolved, cancelled
	Payload     json.RawMessage `json:"payload,omitempty"`
}

// A Message is a message of a thread in AG-UI's form.
type Message struct {
	ID         string          `json:"id"`
	Role       string          `json:"role"` // user, assistant, tool, reasoning; others are ignored
	Name       string          `json:"name,omitempty"`
	Content    json.RawMessage `json:"content,omitempty"` // a string, or a list of parts
	ToolCalls  []ToolCall      `json:"toolCalls,omitempty"`
	ToolCallID string          `json:"toolCallId,omitempty"`
	Error      string          `json:"error,omitempty"`
	Metadata   map[string]any  `json:"metadata,omitempty"`
	Activity   string          `json:"activityType,omitempty"`
	Encrypted  string          `json:"encryptedValue,omitempty"`
	Subagent   string          `json:"subagentRunId,omitempty"` // the sub-agent that wrote it
}

// A ToolCall is a call in an assistant's message.
type ToolCall struct {
	ID       string         `json:"id"`
	Type     string         `json:"type"` // function
	Function Function       `json:"function"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// A Function is the function that a ToolCall calls.
type Function struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON
}

// most bounds the ids and names of an input.
const most = 200

func (in *Input) check() error {
	switch {
	case in.ThreadID == "":
		return bad("threadId is missing")
	case in.RunID == "":
		return bad("runId is missing")
	case len(in.RunID) > most || len(in.ParentRunID) > most:
		return bad("runId and parentRunId may have %d bytes", most)
	}
	for i, t := range in.Tools {
		if _, err := t.external().Definition(); err != nil {
			return bad("tools %d: %v", i, err)
		}
	}
	for i, m := range in.Messages {
		if m.ID == "" || len(m.ID) > most {
			return bad("messages %d: the id is missing, or longer than %d bytes", i, most)
		}
		if ours(m.ID) && (m.Role == "user" && m.ID[0] != 'u' || m.Role == "tool" && m.ID[0] == 'u') {
			return bad("messages %d: the id %s of a message of the role %s is in the form of those that the server makes for other roles; take another one, such as a UUID", i, m.ID, m.Role)
		}
	}
	return nil
}

// A part is a part of a message's content.
type part struct {
	Type   string  `json:"type"` // text, image, document, audio, video
	Text   string  `json:"text,omitempty"`
	Source *source `json:"source,omitempty"`
}

type source struct {
	Type     string `json:"type"` // data, url, file
	Value    string `json:"value"`
	MimeType string `json:"mimeType,omitempty"`
	Provider string `json:"provider,omitempty"`
}

// parts are those of a message's content.
func (m *Message) parts() ([]part, error) {
	if len(m.Content) == 0 || string(m.Content) == "null" {
		return nil, nil
	}
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return []part{{Type: "text", Text: text}}, nil
	}
	var list []part
	if err := json.Unmarshal(m.Content, &list); err != nil {
		return nil, bad("message %s: its content is neither a string nor a list of parts", m.ID)
	}
	return list, nil
}

// text is the text of a message's content.
func (m *Message) text() string {
	list, _ := m.parts()
	var texts []string
	for _, p := range list {
		if p.Type == "text" {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// answer is the value of a tool's message: its text.
func (m *Message) answer() (json.RawMessage, error) {
	list, err := m.parts()
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.Type != "text" {
			return nil, bad("message %s: the result of a front-end tool is text, and it has a part of type %q", m.ID, p.Type)
		}
	}
	value, err := json.Marshal(m.text())
	return value, err
}

// said is a user's message as the session takes it.
func (m *Message) said() (transport.Message, error) {
	list, err := m.parts()
	if err != nil {
		return transport.Message{}, err
	}
	var blocks []json.RawMessage
	for i, p := range list {
		var b map[string]any
		switch p.Type {
		case "text":
			b = map[string]any{"type": "text", "text": p.Text}
		case "image", "document":
			from, err := p.Source.block()
			if err != nil {
				return transport.Message{}, bad("message %s, part %d: %v", m.ID, i, err)
			}
			b = map[string]any{"type": p.Type, "source": from}
		default:
			return transport.Message{}, bad("message %s, part %d: the model doesn't take parts of type %q; it takes text, image and document", m.ID, i, p.Type)
		}
		raw, err := json.Marshal(b)
		if err != nil {
			return transport.Message{}, err
		}
		blocks = append(blocks, raw)
	}
	return serve.Message("", blocks...)
}

func (s *source) block() (map[string]any, error) {
	switch {
	case s == nil || s.Value == "":
		return nil, fmt.Errorf("it has no source")
	case s.Type == "data" && s.MimeType == "text/plain":
		return nil, fmt.Errorf("text must be a part of type text")
	case s.Type == "data":
		return map[string]any{"type": "base64", "media_type": s.MimeType, "data": s.Value}, nil
	case s.Type == "url":
		return map[string]any{"type": "url", "url": s.Value}, nil
	}
	return nil, fmt.Errorf("the type of the source is %q; it must be data or url", s.Type)
}
