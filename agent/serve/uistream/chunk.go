package uistream

import (
	"encoding/json"
	"slices"
)

// A chunk is a chunk of the stream, with the members that its type has.
type chunk struct {
	Type string `json:"type"`

	MessageID string          `json:"messageId,omitempty"`
	Metadata  json.RawMessage `json:"messageMetadata,omitempty"`
	Finish    string          `json:"finishReason,omitempty"`
	Error     string          `json:"errorText,omitempty"`

	ID    string     `json:"id,omitempty"`
	Delta string     `json:"delta,omitempty"`
	Parts []textPart `json:"parts,omitempty"`

	ToolCallID string          `json:"toolCallId,omitempty"`
	ToolName   string          `json:"toolName,omitempty"`
	Provider   bool            `json:"providerExecuted,omitempty"`
	InputDelta string          `json:"inputTextDelta,omitempty"`
	Input      json.RawMessage `json:"input,omitempty"`
	Output     json.RawMessage `json:"output,omitempty"`
	ApprovalID string          `json:"approvalId,omitempty"`
	Approved   *bool           `json:"approved,omitempty"`
	Reason     string          `json:"reason,omitempty"`

	SourceID  string          `json:"sourceId,omitempty"`
	URL       string          `json:"url,omitempty"`
	Title     string          `json:"title,omitempty"`
	MediaType string          `json:"mediaType,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Transient bool            `json:"transient,omitempty"`
}

type textPart struct {
	Type string `json:"type"` // text
	Text string `json:"text"`
}

// A Message is a message of a chat: the AI SDK's UIMessage.
type Message struct {
	ID       string          `json:"id"`
	Role     string          `json:"role"` // user, assistant
	Metadata json.RawMessage `json:"metadata,omitempty"`
	Parts    []Part          `json:"parts"`
}

// A Part is a part of a message. Its Type decides which members are set.
type Part struct {
	Type  string  `json:"type"`
	ID    string  `json:"id,omitempty"`
	Text  *string `json:"text,omitempty"`
	State string  `json:"state,omitempty"`

	// The next fields are those of a tool's part, whose Type is "tool-" followed by the
	// tool's name.
	ToolCallID string          `json:"toolCallId,omitempty"`
	ToolName   string          `json:"toolName,omitempty"` // where the type is dynamic-tool
	Provider   bool            `json:"providerExecuted,omitempty"`
	Input      json.RawMessage `json:"input,omitempty"`
	Output     json.RawMessage `json:"output,omitempty"`
	Error      string          `json:"errorText,omitempty"`
	Approval   *Approval       `json:"approval,omitempty"`

	// The next fields are those of sources and files.
	SourceID  string `json:"sourceId,omitempty"`
	URL       string `json:"url,omitempty"`
	Title     string `json:"title,omitempty"`
	MediaType string `json:"mediaType,omitempty"`
	Filename  string `json:"filename,omitempty"`

	Data  json.RawMessage `json:"data,omitempty"`
	Parts []textPart      `json:"parts,omitempty"` // of a message that the user sent during the answer

	open string // the id of a text that is open
}

// An Approval is the request to approve a call, and the decision.
type Approval struct {
	ID       string `json:"id"`
	Approved *bool  `json:"approved,omitempty"`
	Asked    string `json:"requestReason,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func text(s string) *string { return &s }

// apply is what a chunk makes of a message: the rule of the AI SDK, by which the
// messages of a chat are made here.
func (m *Message) apply(c chunk) {
	open := func(typ, id string) *Part {
		for i := len(m.Parts) - 1; i >= 0; i-- {
			if p := &m.Parts[i]; p.Type == typ && p.open == id {
				return p
			}
		}
		return nil
	}
	tool := func(id string) *Part {
		for i := len(m.Parts) - 1; i >= 0; i-- {
			if m.Parts[i].ToolCallID == id {
				return &m.Parts[i]
			}
		}
		return new(Part)
	}
	switch c.Type {
	case "start":
		if c.MessageID != "" {
			m.ID = c.MessageID
		}
	case "finish", "message-metadata":
		if c.Metadata != nil {
			m.Metadata = c.Metadata
		}
	case "start-step":
		m.Parts = append(m.Parts, Part{Type: "step-start"})
	case "reset-step":
		at := len(m.Parts)
		for at > 0 && m.Parts[at-1].Type != "step-start" {
			at--
		}
		m.Parts = slices.Delete(m.Parts, at, len(m.Parts))
	case "text-start", "reasoning-start":
		p := Part{Type: c.Type[:len(c.Type)-len("-start")], Text: text(""), State: "streaming", open: c.ID}
		if p.Type == "reasoning" {
			p.ID = c.ID
		}
		m.Parts = append(m.Parts, p)
	case "text-delta", "reasoning-delta":
		if p := open(c.Type[:len(c.Type)-len("-delta")], c.ID); p != nil {
			p.Text = text(*p.Text + c.Delta)
		}
	case "text-end", "reasoning-end":
		if p := open(c.Type[:len(c.Type)-len("-end")], c.ID); p != nil {
			p.State, p.open = "done", ""
		}
	case "tool-input-start":
		m.Parts = append(m.Parts, Part{Type: "tool-" + c.ToolName, ToolCallID: c.ToolCallID, State: "input-streaming", Provider: c.Provider})
	case "tool-input-available", "tool-input-error":
		p := tool(c.ToolCallID)
		if p.Type == "" {
			m.Parts = append(m.Parts, Part{Type: "tool-" + c.ToolName, ToolCallID: c.ToolCallID, Provider: c.Provider})
			p = &m.Parts[len(m.Parts)-1]
		}
		p.State, p.Input = "input-available", c.Input
		if c.Type == "tool-input-error" {
			p.State, p.Error = "output-error", c.Error
		}
	case "tool-approval-request":
		p := tool(c.ToolCallID)
		p.State, p.Approval = "approval-requested", &Approval{ID: c.ApprovalID, Asked: c.Reason}
	case "tool-approval-response":
		for i := range m.Parts {
			if p := &m.Parts[i]; p.Approval != nil && p.Approval.ID == c.ApprovalID {
				p.State, p.Approval.Approved, p.Approval.Reason = "approval-responded", c.Approved, c.Reason
			}
		}
	case "tool-output-available":
		p := tool(c.ToolCallID)
		p.State, p.Output = "output-available", c.Output
	case "tool-output-error":
		p := tool(c.ToolCallID)
		p.State, p.Error = "output-error", c.Error
	case "tool-output-denied":
		tool(c.ToolCallID).State = "output-denied"
	case "source-url":
		m.Parts = append(m.Parts, Part{Type: c.Type, SourceID: c.SourceID, URL: c.URL, Title: c.Title})
	case "source-document":
		m.Parts = append(m.Parts, Part{Type: c.Type, SourceID: c.SourceID, MediaType: c.MediaType, Title: c.Title})
	case "file":
		m.Parts = append(m.Parts, Part{Type: c.Type, URL: c.URL, MediaType: c.MediaType})
	case "steering-message":
		m.Parts = append(m.Parts, Part{Type: c.Type, ID: c.ID, Parts: c.Parts})
	default:
		if c.Data != nil && !c.Transient {
			for i := range m.Parts {
				if p := &m.Parts[i]; c.ID != "" && p.Type == c.Type && p.ID == c.ID {
					p.Data = c.Data
					return
				}
			}
			m.Parts = append(m.Parts, Part{Type: c.Type, ID: c.ID, Data: c.Data})
		}
	}
}
