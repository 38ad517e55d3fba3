package uistream

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A writer writes a turn as chunks. It is a flow.Sink.
type writer struct {
	out func(chunk)
	// mute leaves out what belongs to turns before the messages of skip.
	mute bool
	// has are the calls whose results the client has given.
	has map[string]bool
	// skip are messages of the user that the client has, in order.
	skip []transport.Message

	nested   bool   // it is of a sub-agent
	step     bool   // a step is open
	again    bool   // a response of it was void
	text     string // the text that is open
	think    string // the reasoning that is open
	thought  bool
	response int
	asked    map[string]bool // approvals that were told
	denied   map[string]bool // calls that may not run
	sources  map[string]bool
	last     *transport.Response
}

func (w *writer) send(c chunk) {
	if !w.mute {
		w.out(c)
	}
}

// unmute begins to tell.
func (w *writer) unmute() {
	if w.mute {
		w.mute, w.step, w.again, w.text, w.think, w.last = false, false, false, "", "", nil
	}
}

func newWriter(out func(chunk)) *writer {
	return &writer{out: out, has: map[string]bool{}, asked: map[string]bool{}, denied: map[string]bool{}, sources: map[string]bool{}}
}

// Begin implements flow.Sink.
func (w *writer) Begin(n int) {
	if !w.again {
		w.endStep()
		w.send(chunk{Type: "start-step"})
	}
	w.step, w.again, w.response = true, false, n
	w.text, w.think = "", ""
}

func (w *writer) endStep() {
	if w.step {
		w.send(chunk{Type: "finish-step"})
		w.step = false
	}
}

// Open implements flow.Sink.
func (w *writer) Open(b flow.Block) {
	if b.Type == "text" {
		if w.text == "" {
			w.text = fmt.Sprintf("t%d-%d", b.Response, b.Index)
			w.send(chunk{Type: "text-start", ID: w.text})
		}
		return
	}
	w.endText()
	switch {
	case b.Type == "thinking":
		w.think, w.thought = fmt.Sprintf("r%d-%d", b.Response, b.Index), false
	case b.IsCall():
		w.send(chunk{Type: "tool-input-start", ToolCallID: b.ID, ToolName: b.Name, Provider: b.Type != "tool_use"})
	}
}

func (w *writer) endText() {
	if w.text != "" {
		w.send(chunk{Type: "text-end", ID: w.text})
		w.text = ""
	}
}

func (w *writer) endThinking() {
	if w.think != "" && w.thought {
		w.send(chunk{Type: "reasoning-end", ID: w.think})
	}
	w.think = ""
}

// Text implements flow.Sink.
func (w *writer) Text(b flow.Block, text string) {
	switch {
	case b.Type == "text":
		w.send(chunk{Type: "text-delta", ID: w.text, Delta: text})
	case b.Type == "thinking":
		if !w.thought { // most thoughts are not shown, and have no text
			w.thought = true
			w.send(chunk{Type: "reasoning-start", ID: w.think})
		}
		w.send(chunk{Type: "reasoning-delta", ID: w.think, Delta: text})
	case b.IsCall():
		w.send(chunk{Type: "tool-input-delta", ToolCallID: b.ID, InputDelta: text})
	}
}

// Close implements flow.Sink.
func (w *writer) Close(b flow.Block) {
	if b.Type == "thinking" {
		w.endThinking()
	}
}

// Stands implements flow.Sink: the arguments of calls are whole, and what texts cite is
// known.
func (w *writer) Stands(r *transport.Response) {
	w.endThinking()
	w.endText()
	cut := map[string]bool{}
	for _, id := range r.Cut {
		cut[id] = true
	}
	for i, b := range r.Content {
		raw, typ := b.Raw(), b.Type()
		id := rawjson.GetString(raw, "id")
		switch {
		case typ == "text":
			for c := range rawjson.Elements(rawjson.Get(raw, "citations")) {
				w.source(c)
			}
		case flow.Block{Type: typ}.IsCall():
			c := chunk{Type: "tool-input-available", ToolCallID: id, ToolName: rawjson.GetString(raw, "name"), Provider: typ != "tool_use", Input: rawjson.Get(raw, "input")}
			if c.Input == nil {
				c.Input = json.RawMessage("{}")
			}
			if cut[id] {
				c.Type, c.Error = "tool-input-error", "The arguments are not whole."
			}
			w.send(c)
		case strings.HasSuffix(string(typ), "_tool_result"):
			content := serve.Shown(rawjson.Get(raw, "content"))
			if content == nil {
				content = json.RawMessage("null")
			}
			c := chunk{Type: "tool-output-available", ToolCallID: rawjson.GetString(raw, "tool_use_id"), Output: content, Provider: true}
			if strings.HasSuffix(rawjson.GetString(content, "type"), "_error") || string(rawjson.Get(raw, "is_error")) == "true" {
				c.Type, c.Error, c.Output = "tool-output-error", rawjson.GetString(content, "error_code"), nil
				if c.Error == "" {
					c.Error = string(content)
				}
			}
			w.send(c)
		case typ == "thinking":
		default:
			if shown := serve.Shown(raw); shown != nil {
				w.send(chunk{Type: "data-block", ID: fmt.Sprintf("b%d-%d", w.response, i), Data: shown})
			}
		}
	}
	w.last = r
}

// source tells what a text cites, once.
func (w *writer) source(citation json.RawMessage) {
	c := chunk{Type: "source-url", URL: rawjson.GetString(citation, "url"), Title: rawjson.GetString(citation, "title")}
	if c.URL == "" { // a search result, or a document
		c.URL = rawjson.GetString(citation, "source")
	}
	if c.URL == "" {
		c.Type, c.MediaType = "source-document", "text/plain"
		if rawjson.GetString(citation, "type") == "page_location" {
			c.MediaType = "application/pdf"
		}
		if c.Title = rawjson.GetString(citation, "document_title"); c.Title == "" {
			c.Title = "document " + string(rawjson.Get(citation, "document_index"))
		}
	}
	key := c.URL + "\n" + c.Title
	if !w.sources[key] {
		w.sources[key] = true
		sum := sha256.Sum256([]byte(key))
		c.SourceID = "s" + hex.EncodeToString(sum[:8])
		w.send(c)
	}
}

// Void implements flow.Sink.
func (w *writer) Void() {
	w.send(chunk{Type: "reset-step"})
	w.text, w.think, w.again = "", "", true
}

// Record implements flow.Sink.
func (w *writer) Record(r memory.Record, number int) {
	switch r.Kind {
	case memory.KindInput:
		if !w.said(r) {
			return
		}
		said := r.Message.Text()
		if len(w.skip) > 0 && flow.Same(w.skip[0], r.Message) {
			w.unmute()
			w.skip = w.skip[1:]
			return
		}
		if said != "" {
			w.send(chunk{Type: "steering-message", ID: fmt.Sprintf("u%d", number), Parts: []textPart{{Type: "text", Text: said}}})
		}
	case memory.KindDecision:
		d := r.Decision
		if len(d.Input) > 0 {
			w.send(chunk{Type: "tool-input-available", ToolCallID: d.CallID, ToolName: w.nameOf(d.CallID), Input: d.Input})
		}
		id := approvalID(d.CallID, d.Hash)
		if !w.asked[id] || len(d.Input) > 0 {
			w.asked[id] = true
			w.send(chunk{Type: "tool-approval-request", ApprovalID: id, ToolCallID: d.CallID})
		}
		approved := d.Approve
		w.denied[d.CallID] = !approved
		w.send(chunk{Type: "tool-approval-response", ApprovalID: id, Approved: &approved, Reason: d.Reason})
	case memory.KindResult:
		w.result(r.Block)
	case memory.KindSummary:
		if raw, err := json.Marshal(map[string]string{"text": r.Message.Text()}); err == nil {
			w.send(chunk{Type: "data-summary", ID: fmt.Sprintf("c%d", number), Data: raw})
		}
	}
}

// nameOf is the name of the tool of a call of the newest response.
func (w *writer) nameOf(call string) string {
	if w.last != nil {
		for _, b := range w.last.Content {
			if rawjson.GetString(b.Raw(), "id") == call {
				return rawjson.GetString(b.Raw(), "name")
			}
		}
	}
	return ""
}

func (w *writer) result(b transport.Block) {
	call := b.ToolUseID()
	if w.has[call] {
		return
	}
	content := rawjson.Get(b.Raw(), "content")
	said, files := "", []chunk(nil)
	if len(content) > 0 && content[0] == '"' {
		said = rawjson.Unquote(content)
	}
	var texts []string
	for raw := range rawjson.Elements(content) {
		switch rawjson.GetString(raw, "type") {
		case "text":
			texts = append(texts, rawjson.GetString(raw, "text"))
		case "image", "document":
			if f := fileOf(raw); f.URL != "" {
				files = append(files, chunk{Type: "file", URL: f.URL, MediaType: f.MediaType})
				break
			}
			texts = append(texts, string(serve.Shown(raw)))
		default:
			texts = append(texts, string(serve.Shown(raw)))
		}
	}
	if texts != nil {
		said = strings.Join(texts, "\n")
	}
	isError := string(rawjson.Get(b.Raw(), "is_error")) == "true"
	switch {
	case isError && w.denied[call]:
		w.send(chunk{Type: "tool-output-denied", ToolCallID: call})
	case isError:
		if said == "" {
			said = "The call failed."
		}
		w.send(chunk{Type: "tool-output-error", ToolCallID: call, Error: said})
	default:
		w.send(chunk{Type: "tool-output-available", ToolCallID: call, Output: outputOf(said)})
	}
	for _, f := range files {
		w.send(f)
	}
}

// outputOf is a result as a value: JSON if it is an object or a list, else a string.
func outputOf(said string) json.RawMessage {
	if s := strings.TrimSpace(said); s != "" && (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s)) {
		return json.RawMessage(s)
	}
	raw, err := json.Marshal(said)
	if err != nil {
		return json.RawMessage(`""`)
	}
	return raw
}

// Item implements flow.Sink.
func (w *writer) Item(it feed.Item) {
	if it.Kind == feed.Progress {
		if raw, err := json.Marshal(map[string]string{"toolCallId": it.ID, "text": it.Text}); err == nil {
			w.send(chunk{Type: "data-progress", Data: raw, Transient: true})
		}
	}
}

// finish is why the turn ended, by its newest response.
func (w *writer) finish() string {
	if w.last == nil {
		return "other"
	}
	switch w.last.StopReason {
	case "end_turn", "stop_sequence":
		return "stop"
	case "max_tokens", "model_context_window_exceeded":
		return "length"
	case "refusal":
		return "content-filter"
	case "tool_use", "pause_turn":
		return "tool-calls"
	}
	return "other"
}

// approvalID names the decision on a call, the same as long as the call is.
func approvalID(call, hash string) string {
	sum := sha256.Sum256([]byte(call + "\n" + hash))
	return "ap" + hex.EncodeToString(sum[:12])
}
