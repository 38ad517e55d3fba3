package agui

import "encoding/json"

// An event is an event of AG-UI, with the members that its type has.
type event struct {
	Type string `json:"type"`

	ThreadID        string   `json:"threadId,omitempty"`
	RunID           string   `json:"runId,omitempty"`
	ParentRunID     string   `json:"parentRunId,omitempty"`
	ProtocolVersion string   `json:"protocolVersion,omitempty"`
	Outcome         *outcome `json:"outcome,omitempty"`
	Usage           []usage  `json:"usage,omitempty"`
	Message         string   `json:"message,omitempty"`
	Code            string   `json:"code,omitempty"`
	StepName        string   `json:"stepName,omitempty"`

	MessageID    string          `json:"messageId,omitempty"`
	Role         string          `json:"role,omitempty"`
	Delta        string          `json:"delta,omitempty"`
	ToolCallID   string          `json:"toolCallId,omitempty"`
	ToolCallName string          `json:"toolCallName,omitempty"`
	ParentID     string          `json:"parentMessageId,omitempty"`
	Content      json.RawMessage `json:"content,omitempty"`
	Metadata     map[string]any  `json:"metadata,omitempty"`

	// The sub-agent that the event is of; none means the thread's agent.
	Subagent       string `json:"subagentRunId,omitempty"`
	ParentSubagent string `json:"parentSubagentRunId,omitempty"`
	ParentToolCall string `json:"parentToolCallId,omitempty"`

	Messages []Message       `json:"messages,omitzero"`
	Snapshot json.RawMessage `json:"snapshot,omitempty"`
	Name     string          `json:"name,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
}

type outcome struct {
	Type       string      `json:"type"` // success, interrupt, cancelled; of a sub-agent success, suspended
	Waits      []string    `json:"interruptIds,omitempty"`
	Pending    []string    `json:"pendingToolCallIds,omitempty"`
	Interrupts []interrupt `json:"interrupts,omitempty"`
}

type interrupt struct {
	ID         string          `json:"id"`
	Reason     string          `json:"reason"` // tool_call, input_required
	Message    string          `json:"message,omitempty"`
	ToolCallID string          `json:"toolCallId,omitempty"`
	Subagent   string          `json:"subagentRunId,omitempty"`
	Schema     json.RawMessage `json:"responseSchema,omitempty"`
	ExpiresAt  string          `json:"expiresAt,omitempty"`
	Metadata   map[string]any  `json:"metadata,omitempty"`
}

type usage struct {
	Provider   string `json:"provider,omitempty"`
	Model      string `json:"model"`
	Input      int64  `json:"inputTokens"`
	Output     int64  `json:"outputTokens"`
	Total      int64  `json:"totalTokens"`
	CacheRead  int64  `json:"cachedInputTokens"`
	CacheWrite int64  `json:"cacheWriteInputTokens"`
}

// apply is what an event makes of a client's messages: the rule of the protocol, by
// which histories are made here.
func apply(messages []Message, e event) []Message {
	find := func(id string) *Message {
		for i := range messages {
			if messages[i].ID == id {
				return &messages[i]
			}
		}
		return nil
	}
	call := func(id string) *ToolCall {
		for i := range messages {
			for j := range messages[i].ToolCalls {
				if messages[i].ToolCalls[j].ID == id {
					return &messages[i].ToolCalls[j]
				}
			}
		}
		return nil
	}
	add := func(id, role string) {
		if find(id) == nil {
			messages = append(messages, Message{ID: id, Role: role, Content: json.RawMessage(`""`), Subagent: e.Subagent})
		}
	}
	more := func(id, delta string) {
		if m := find(id); m != nil {
			var text string
			_ = json.Unmarshal(m.Content, &text)
			m.Content, _ = json.Marshal(text + delta)
		}
	}
	switch e.Type {
	case "TEXT_MESSAGE_START":
		add(e.MessageID, e.Role)
	case "REASONING_MESSAGE_START":
		add(e.MessageID, "reasoning")
	case "TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT":
		more(e.MessageID, e.Delta)
	case "TEXT_MESSAGE_END", "REASONING_MESSAGE_END":
		if m := find(e.MessageID); m != nil && e.Metadata != nil {
			m.Metadata = e.Metadata
		}
	case "TOOL_CALL_START":
		if call(e.ToolCallID) != nil {
			break
		}
		m := find(e.ParentID)
		if m == nil {
			messages = append(messages, Message{ID: e.ParentID, Role: "assistant", Subagent: e.Subagent})
			m = &messages[len(messages)-1]
		}
		m.ToolCalls = append(m.ToolCalls, ToolCall{ID: e.ToolCallID, Type: "function", Function: Function{Name: e.ToolCallName}, Metadata: e.Metadata})
	case "TOOL_CALL_ARGS":
		if c := call(e.ToolCallID); c != nil {
			c.Function.Arguments += e.Delta
		}
	case "TOOL_CALL_RESULT":
		m := Message{ID: e.MessageID, Role: "tool", ToolCallID: e.ToolCallID, Content: e.Content, Metadata: e.Metadata, Subagent: e.Subagent}
		at := len(messages)
		for i := range messages {
			for _, c := range messages[i].ToolCalls {
				if c.ID == e.ToolCallID && at == len(messages) {
					for at = i + 1; at < len(messages) && messages[at].Role == "tool"; at++ {
					}
				}
			}
		}
		messages = append(messages[:at:at], append([]Message{m}, messages[at:]...)...)
	case "MESSAGES_SNAPSHOT":
		messages = merge(messages, e.Messages)
	}
	return messages
}

// merge is what a snapshot makes of a client's messages.
func merge(messages, snapshot []Message) []Message {
	by, reasons := map[string]Message{}, false
	for _, m := range snapshot {
		by[m.ID] = m
		reasons = reasons || m.Role == "reasoning"
	}
	var out []Message
	has := map[string]bool{}
	for _, m := range messages {
		if now, ok := by[m.ID]; ok {
			m = now
		} else if m.Role != "activity" && (m.Role != "reasoning" || reasons) {
			continue
		}
		out = append(out, m)
		has[m.ID] = true
	}
	for _, m := range snapshot {
		if !has[m.ID] {
			out = append(out, m)
		}
	}
	return out
}
