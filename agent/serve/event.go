package serve

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// An Event is the JSON data of an event in a stream. docs/serve.md describes the kinds. A
// version may add members, but never changes the meaning of one.
type Event struct {
	Version int    `json:"v"` // 1
	Kind    string `json:"kind"`
	Session string `json:"session"`
	// At is the position after the event, for Last-Event-ID. It is set only for events of
	// the session that the client listens to, not for those of its sub-agents.
	At string `json:"at,omitempty"`

	Time    *time.Time `json:"time,omitempty"`
	Number  int        `json:"n,omitempty"` // of the record, counted from 1
	Role    string     `json:"role,omitempty"`
	Content []Content  `json:"content,omitempty"`
	// Of a response.
	Model      string `json:"model,omitempty"`
	StopReason string `json:"stop_reason,omitempty"`
	// Of a result.
	CallID  string `json:"call_id,omitempty"`
	IsError bool   `json:"is_error,omitempty"`
	// Of a response that is being written. Block counts its blocks from 0; other kinds of
	// events than block, delta and stop have none.
	Block *int   `json:"block,omitempty"`
	Type  string `json:"type,omitempty"`
	Name  string `json:"name,omitempty"`
	Delta string `json:"delta,omitempty"` // text_delta, thinking_delta, input_json_delta
	Text  string `json:"text,omitempty"`
	// Of a state: idle, working, waiting.
	State     string                  `json:"state,omitempty"`
	Calls     []agent.PendingCall     `json:"calls,omitempty"`
	Questions []agent.PendingQuestion `json:"questions,omitempty"`
	// Of a decision.
	Decision string `json:"decision,omitempty"` // allow, deny
	Reason   string `json:"reason,omitempty"`

	Problem *Problem `json:"problem,omitempty"`
}

// A Content is a block of a message, without signatures and encrypted content.
type Content struct {
	Type  string          `json:"type"`
	Text  string          `json:"text,omitempty"` // of text and thinking
	ID    string          `json:"id,omitempty"`   // of a call
	Name  string          `json:"name,omitempty"`
	Input json.RawMessage `json:"input,omitempty"`
	// Raw is the block in the API's form, for all other types and for text with
	// citations.
	Raw json.RawMessage `json:"raw,omitempty"`
}

// event is an item of the feed for a listener; ok is false for what isn't told, such
// as the settings of a run.
func (h *Handler) event(it feed.Item) (e Event, ok bool) {
	at, err := it.At.MarshalText()
	if err != nil {
		return e, false
	}
	e = Event{Version: 1, Kind: string(it.Kind), Session: it.Session, At: string(at)}
	switch it.Kind {
	case feed.Record:
		return e, e.record(it.Record, it.At.Records)
	case feed.Begin, feed.Over:
	case feed.Block:
		e.Block, e.Type, e.Name, e.CallID = &it.Block, string(it.Type), it.Name, it.ID
	case feed.Delta:
		e.Block, e.Delta, e.Text = &it.Block, string(it.Delta), it.Text
	case feed.Stop:
		e.Block = &it.Block
	case feed.Progress:
		e.CallID, e.Text = it.ID, it.Text
	case feed.State:
		if e.State = stateOf(it.Next); e.State == "waiting" {
			e.Calls, e.Questions = it.Pending, it.Next.Questions
		}
	case feed.End:
		if it.Err != nil && !isWait(it.Err) {
			e.Problem = h.problemOf(it.Err)
		}
	}
	return e, true
}

// record reports a record, unless it is one that users aren't told of.
func (e *Event) record(r memory.Record, number int) bool {
	e.Number = number
	if !r.Time.IsZero() {
		t := r.Time.UTC()
		e.Time = &t
	}
	switch r.Kind {
	case memory.KindInput:
		e.Kind, e.Role, e.Content = "message", string(r.Message.Role), contents(r.Message.Content)
		return r.Message.Role == transport.RoleUser
	case memory.KindResponse:
		e.Kind, e.Role, e.Content = "response", string(transport.RoleAssistant), contents(r.Response.Content)
		e.Model, e.StopReason = r.Response.Model, string(r.Response.StopReason)
	case memory.KindResult:
		e.Kind, e.CallID = "result", r.Block.ToolUseID()
		e.IsError = string(rawjson.Get(r.Block.Raw(), "is_error")) == "true"
		content := rawjson.Get(r.Block.Raw(), "content")
		if len(content) > 0 && content[0] == '"' {
			e.Content = []Content{{Type: "text", Text: rawjson.Unquote(content)}}
			break
		}
		for raw := range rawjson.Elements(content) {
			if b, err := transport.ParseBlock(raw); err == nil {
				e.Content = append(e.Content, contentOf(b))
			}
		}
	case memory.KindSummary:
		e.Kind, e.Text = "summary", r.Message.Text()
	case memory.KindDecision:
		e.Kind, e.CallID, e.Decision, e.Reason = "decision", r.Decision.CallID, "deny", r.Decision.Reason
		if r.Decision.Approve {
			e.Decision = "allow"
		}
	default:
		return false
	}
	return true
}

func contents(blocks []transport.Block) []Content {
	list := make([]Content, len(blocks))
	for i, b := range blocks {
		list[i] = contentOf(b)
	}
	return list
}

// hidden are members that are the service's own, and of no use to people.
var hidden = []string{"signature", "encrypted_content", "encrypted_index", "data", "cache_control"}

func contentOf(b transport.Block) Content {
	c := Content{Type: string(b.Type())}
	switch b.Type() {
	case "text":
		c.Text = rawjson.GetString(b.Raw(), "text")
		if rawjson.Get(b.Raw(), "citations") == nil {
			return c
		}
	case "thinking":
		c.Text = rawjson.GetString(b.Raw(), "thinking")
		return c
	case "redacted_thinking":
		return c
	case "tool_use", "server_tool_use":
		c.ID, c.Name, c.Input = rawjson.GetString(b.Raw(), "id"), rawjson.GetString(b.Raw(), "name"), rawjson.Get(b.Raw(), "input")
		return c
	}
	c.Raw = b.Raw()
	if b.Type() != "image" && b.Type() != "document" {
		c.Raw = Shown(c.Raw)
	}
	return c
}

// Shown returns the API's JSON without signatures and encrypted content, at any depth,
// for showing it to people. It returns nil if raw is not valid JSON.
func Shown(raw json.RawMessage) json.RawMessage {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range hidden {
				delete(v, name)
			}
			for _, e := range v {
				strip(e)
			}
		case []any:
			for _, e := range v {
				strip(e)
			}
		}
	}
	strip(v)
	out, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return out
}
