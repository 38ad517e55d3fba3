package agui

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A writer writes a session as events. It is a flow.Sink.
type writer struct {
	send func(event)
	// said is given messages of the user, where they are told whole; nil sends events.
	said func(Message)

	ids    map[int]string
	tools  map[string]string // results that the client has
	expect []Message
	back   func() []Message // the messages as they are in the session

	lane string // the prefix of ids of a sub-agent; empty for the thread's agent
	run  string // its subagentRunId
	// broken notes that something stays at the client which doesn't hold. It is set for
	// sub-agents, whose responses are taken back at the end of the run: a snapshot would
	// cut off what others write.
	broken func()
	again  int // responses of that number that were void

	step     string
	texts    []string // of the response: messages that are open
	part     string   // the message that text and calls go to
	mixed    bool     // something else has come since its text
	think    string   // the reasoning that is open
	thought  bool     // it has a message
	thoughts []string // messages with reasoning of the response
	calls    []string // that are open
	usage    []usage
}

func (w *writer) id(response int) string {
	if w.again > 0 {
		return fmt.Sprintf("r%d~%d", response, w.again)
	}
	return fmt.Sprintf("r%d", response)
}

// Begin implements flow.Sink.
func (w *writer) Begin(n int) {
	if step := fmt.Sprintf("step %d", n); step != w.step {
		w.endStep()
		w.step = step
		w.send(event{Type: "STEP_STARTED", StepName: step})
	}
	w.texts, w.part, w.mixed, w.think, w.calls, w.thoughts = nil, "", false, "", nil, nil
}

func (w *writer) endStep() {
	if w.step != "" {
		w.send(event{Type: "STEP_FINISHED", StepName: w.step})
		w.step = ""
	}
}

// Open implements flow.Sink.
func (w *writer) Open(b flow.Block) {
	own := fmt.Sprintf("%s-%d", w.id(b.Response), b.Index)
	switch {
	case b.Type == "text":
		if w.part != "" && !w.mixed {
			return // goes on in the same message
		}
		if w.part == "" {
			own = w.id(b.Response)
		}
		w.part, w.mixed = own, false
		w.texts = append(w.texts, own)
		w.send(event{Type: "TEXT_MESSAGE_START", MessageID: own, Role: "assistant"})
	case b.Type == "thinking":
		w.mixed = true
		w.think, w.thought = own, false
		w.send(event{Type: "REASONING_START", MessageID: own})
	case b.IsCall():
		w.mixed = true
		if w.part == "" {
			w.part = w.id(b.Response)
		}
		w.calls = append(w.calls, b.ID)
		e := event{Type: "TOOL_CALL_START", ToolCallID: b.ID, ToolCallName: b.Name, ParentID: w.part}
		if b.Type != "tool_use" {
			e.Metadata = map[string]any{"type": string(b.Type)}
		}
		w.send(e)
	default:
		w.mixed = true
	}
}

// Text implements flow.Sink.
func (w *writer) Text(b flow.Block, text string) {
	switch {
	case b.Type == "text":
		w.send(event{Type: "TEXT_MESSAGE_CONTENT", MessageID: w.part, Delta: text})
	case b.Type == "thinking":
		if !w.thought { // most thoughts are not shown, and have no text
			w.thought, w.thoughts = true, append(w.thoughts, w.think)
			w.send(event{Type: "REASONING_MESSAGE_START", MessageID: w.think, Role: "reasoning"})
		}
		w.send(event{Type: "REASONING_MESSAGE_CONTENT", MessageID: w.think, Delta: text})
	case b.IsCall():
		w.send(event{Type: "TOOL_CALL_ARGS", ToolCallID: b.ID, Delta: text})
	}
}

// Close implements flow.Sink.
func (w *writer) Close(b flow.Block) {
	switch {
	case b.Type == "thinking":
		w.endThinking()
	case b.IsCall():
		w.send(event{Type: "TOOL_CALL_END", ToolCallID: b.ID})
		for i, id := range w.calls {
			if id == b.ID {
				w.calls = append(w.calls[:i:i], w.calls[i+1:]...)
				break
			}
		}
	}
}

func (w *writer) endThinking() {
	if w.think != "" {
		if w.thought {
			w.send(event{Type: "REASONING_MESSAGE_END", MessageID: w.think})
		}
		w.send(event{Type: "REASONING_END", MessageID: w.think})
		w.think = ""
	}
}

// Stands implements flow.Sink. What texts cite is known now, and the results of the
// service's own tools.
func (w *writer) Stands(r *transport.Response) {
	cited := map[string][]json.RawMessage{}
	text, part, mixed := 0, "", true
	for i, b := range r.Content {
		switch typ := b.Type(); {
		case typ == "text":
			if part == "" || mixed {
				part, mixed = w.texts[text], false
				text++
			}
			for c := range rawjson.Elements(rawjson.Get(b.Raw(), "citations")) {
				if c := serve.Shown(c); c != nil {
					cited[part] = append(cited[part], c)
				}
			}
			continue
		case strings.HasSuffix(string(typ), "_tool_result"):
			content := serve.Shown(rawjson.Get(b.Raw(), "content"))
			if content == nil {
				content = json.RawMessage("null")
			}
			quoted, _ := json.Marshal(string(content))
			w.send(event{Type: "TOOL_CALL_RESULT", MessageID: fmt.Sprintf("%s-%d", w.response(), i), ToolCallID: rawjson.GetString(b.Raw(), "tool_use_id"),
				Role: "tool", Content: quoted, Metadata: map[string]any{"type": string(typ)}})
		case typ == "thinking", flow.Block{Type: typ}.IsCall():
		default:
			if shown := serve.Shown(b.Raw()); shown != nil {
				w.send(event{Type: "CUSTOM", Name: "content_block", Value: shown})
			}
		}
		mixed = true
	}
	w.end(cited)
	w.count(r)
	w.again = 0
}

// response is the id of the response that is told.
func (w *writer) response() string {
	n, _ := strconv.Atoi(strings.TrimPrefix(w.step, "step "))
	return w.id(n)
}

// end closes what is open.
func (w *writer) end(cited map[string][]json.RawMessage) {
	w.endThinking()
	for _, id := range w.calls {
		w.send(event{Type: "TOOL_CALL_END", ToolCallID: id})
	}
	for _, id := range w.texts {
		e := event{Type: "TEXT_MESSAGE_END", MessageID: id}
		if list := cited[id]; list != nil {
			e.Metadata = map[string]any{"citations": list}
		}
		w.send(e)
	}
	w.texts, w.calls = nil, nil
}

func (w *writer) count(r *transport.Response) {
	u := usage{Provider: "anthropic", Model: r.Model}
	at := -1
	for i := range w.usage {
		if w.usage[i].Model == r.Model {
			at, u = i, w.usage[i]
		}
	}
	in := r.Usage.InputTokens + r.Usage.CacheReadInputTokens + r.Usage.CacheCreationInputTokens
	u.Input += in
	u.Output += r.Usage.OutputTokens
	u.Total += in + r.Usage.OutputTokens
	u.CacheRead += r.Usage.CacheReadInputTokens
	u.CacheWrite += r.Usage.CacheCreationInputTokens
	if at < 0 {
		w.usage = append(w.usage, u)
	} else {
		w.usage[at] = u
	}
}

// Void implements flow.Sink.
func (w *writer) Void() {
	if w.lane != "" {
		w.end(nil)
		w.again++
		w.broken()
		return
	}
	// A snapshot without reasoning leaves what there is of it as it is.
	var thoughts []Message
	for _, id := range w.thoughts {
		thoughts = append(thoughts, Message{ID: id, Role: "reasoning", Content: json.RawMessage(`""`)})
	}
	w.end(nil)
	w.send(event{Type: "MESSAGES_SNAPSHOT", Messages: append(w.back(), thoughts...)})
}

// Record implements flow.Sink.
func (w *writer) Record(r memory.Record, number int) {
	switch r.Kind {
	case memory.KindInput:
		if r.Message.Role == transport.RoleUser && w.lane == "" { // a sub-agent's task is in the call
			w.user(r.Message, number)
		}
	case memory.KindResult:
		call := r.Block.ToolUseID()
		if w.tools[call] != "" {
			return
		}
		e := event{Type: "TOOL_CALL_RESULT", MessageID: fmt.Sprintf("t%d", number), ToolCallID: call, Role: "tool", Content: resultOf(r.Block)}
		if string(rawjson.Get(r.Block.Raw(), "is_error")) == "true" {
			e.Metadata = map[string]any{"is_error": true}
		}
		w.send(e)
	case memory.KindDecision:
		decision := "deny"
		if r.Decision.Approve {
			decision = "allow"
		}
		w.custom("decision", map[string]any{"toolCallId": w.lane + r.Decision.CallID, "decision": decision, "reason": r.Decision.Reason})
	case memory.KindSummary:
		w.custom("summary", map[string]any{"text": r.Message.Text()})
	}
}

// user tells a message of the user's, unless the client has sent it.
func (w *writer) user(m transport.Message, number int) {
	if len(w.expect) > 0 && w.said == nil {
		if first, err := w.expect[0].said(); err == nil && flow.Same(first, m) {
			w.ids[number], w.expect = w.expect[0].ID, w.expect[1:]
			return
		}
	}
	id := w.ids[number]
	if id == "" {
		id = fmt.Sprintf("u%d", number)
	}
	if w.said != nil {
		w.said(Message{ID: id, Role: "user", Content: partsOf(m.Content)})
		return
	}
	w.send(event{Type: "TEXT_MESSAGE_START", MessageID: id, Role: "user"})
	if text := m.Text(); text != "" {
		w.send(event{Type: "TEXT_MESSAGE_CONTENT", MessageID: id, Delta: text})
	}
	w.send(event{Type: "TEXT_MESSAGE_END", MessageID: id})
}

// Item implements flow.Sink.
func (w *writer) Item(it feed.Item) {
	if it.Kind == feed.Progress {
		w.custom("progress", map[string]any{"toolCallId": w.lane + it.ID, "text": it.Text})
	}
}

func (w *writer) custom(name string, value map[string]any) {
	raw, err := json.Marshal(value)
	if err == nil {
		w.send(event{Type: "CUSTOM", Name: name, Value: raw})
	}
}

// resultOf is the content of a tool's result: a string, or parts if there are pictures
// or documents in it.
func resultOf(b transport.Block) json.RawMessage {
	content := rawjson.Get(b.Raw(), "content")
	if len(content) == 0 {
		return json.RawMessage(`""`)
	}
	if content[0] == '"' {
		return content
	}
	var blocks []transport.Block
	for raw := range rawjson.Elements(content) {
		if b, err := transport.ParseBlock(raw); err == nil {
			blocks = append(blocks, b)
		}
	}
	return partsOf(blocks)
}

// partsOf are blocks as AG-UI has them: a string if all are text.
func partsOf(blocks []transport.Block) json.RawMessage {
	var list []part
	var texts []string
	for _, b := range blocks {
		p := part{Type: string(b.Type())}
		switch b.Type() {
		case "text":
			p.Text = rawjson.GetString(b.Raw(), "text")
			texts = append(texts, p.Text)
		case "image", "document":
			from := rawjson.Get(b.Raw(), "source")
			switch rawjson.GetString(from, "type") {
			case "base64", "text":
				p.Source = &source{Type: "data", Value: rawjson.GetString(from, "data"), MimeType: rawjson.GetString(from, "media_type")}
			case "url":
				p.Source = &source{Type: "url", Value: rawjson.GetString(from, "url")}
			case "file":
				p.Source = &source{Type: "file", Value: rawjson.GetString(from, "file_id"), Provider: "anthropic"}
			}
		}
		if p.Type != "text" && p.Source == nil {
			p = part{Type: "text", Text: string(serve.Shown(b.Raw()))}
			texts = append(texts, p.Text)
		}
		list = append(list, p)
	}
	if len(texts) == len(list) {
		out, _ := json.Marshal(strings.Join(texts, "\n"))
		return out
	}
	out, _ := json.Marshal(list)
	return out
}
