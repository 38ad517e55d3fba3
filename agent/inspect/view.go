package inspect

import (
	"encoding/json"

	"github.com/whorl-go/whorl/agent/internal/pricing"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// An entry is a record as the page gets it. Long texts are cut; the page asks
// for the whole block when it is opened.
type entry struct {
	N      int         `json:"n"`
	Kind   memory.Kind `json:"kind"`
	Time   int64       `json:"time"` // milliseconds since 1970
	Role   string      `json:"role,omitempty"`
	Blocks []blockView `json:"blocks,omitempty"`

	Step     *stepView     `json:"step,omitempty"`     // of a response
	Calls    []string      `json:"calls,omitempty"`    // of started
	Asks     []askView     `json:"asks,omitempty"`     // of ask
	Decision *decisionView `json:"decision,omitempty"` // of decision
	Final    bool          `json:"final,omitempty"`
	Replaces int           `json:"replaces,omitempty"` // messages that a summary stands for
	Aside    *stepView     `json:"aside,omitempty"`    // of a note that reports a request beside the conversation
	Note     string        `json:"note,omitempty"`
	Config   *configView   `json:"config,omitempty"` // of run, if it says something new
}

type askView struct {
	Call   string `json:"call"`
	Reason string `json:"reason,omitempty"`
}

type decisionView struct {
	Call    string `json:"call"`
	Approve bool   `json:"approve"`
	Reason  string `json:"reason,omitempty"`
	Input   string `json:"input,omitempty"` // the arguments in place of the model's
}

// A configView is what is the same in all requests of a run.
type configView struct {
	Model     string      `json:"model"`
	MaxTokens int         `json:"maxTokens"`
	Tools     []string    `json:"tools"`
	System    []blockView `json:"system"`
}

// A blockView is a content block.
type blockView struct {
	Type  string `json:"type"`
	Name  string `json:"name,omitempty"` // of the tool
	ID    string `json:"id,omitempty"`   // of the call, or of the call that is answered
	Hash  string `json:"hash,omitempty"` // of the call, which a decision on it names
	Text  string `json:"text,omitempty"`
	JSON  string `json:"json,omitempty"` // of what has no text: arguments, unknown blocks
	Image string `json:"image,omitempty"`
	Error bool   `json:"error,omitempty"`
	Cut   bool   `json:"cut,omitempty"` // there is more of Text or JSON
	Bytes int    `json:"bytes"`
}

// Limits of what is sent of a block at first, in bytes.
const (
	textLimit = 6000
	dataLimit = 2000
	noLimit   = -1
)

// clip cuts text behind most bytes, between characters.
func clip(text string, most int) (string, bool) {
	if most < 0 || len(text) <= most {
		return text, false
	}
	return runes.Cut(text, most), true
}

// viewBlock shows a block; limit is 0 for the usual limits.
func viewBlock(b transport.Block, limit int) blockView {
	raw := b.Raw()
	v := blockView{Type: string(b.Type()), Bytes: len(raw)}
	texts, data := limit, limit
	if limit == 0 {
		texts, data = textLimit, dataLimit
	}
	switch transport.BlockType(v.Type) {
	case transport.TypeText:
		v.Text, v.Cut = clip(rawjson.GetString(raw, "text"), texts)
		if c := rawjson.Get(raw, "citations"); len(c) > 2 {
			v.JSON, _ = clip(string(c), data)
		}
	case transport.TypeThinking:
		v.Text, v.Cut = clip(rawjson.GetString(raw, "thinking"), texts)
	case transport.TypeToolUse, transport.TypeServerToolUse, view.TypeMCPToolUse:
		v.Name, v.ID = rawjson.GetString(raw, "name"), rawjson.GetString(raw, "id")
		v.JSON, v.Cut = clip(string(rawjson.Get(raw, "input")), data)
	case transport.TypeToolResult:
		v.ID = b.ToolUseID()
		v.Error = string(rawjson.Get(raw, "is_error")) == "true"
		v.Text, v.JSON = resultText(rawjson.Get(raw, "content"))
		var c1, c2 bool
		v.Text, c1 = clip(v.Text, data)
		v.JSON, c2 = clip(v.JSON, data)
		v.Cut = c1 || c2
	case transport.TypeImage:
		v.Image = imageURL(rawjson.Get(raw, "source"))
		v.JSON, v.Cut = clip(string(raw), 200)
	default:
		v.ID = b.ToolUseID()
		v.JSON, v.Cut = clip(string(raw), data)
	}
	return v
}

// resultText joins the texts of a result, and keeps its other blocks as JSON.
func resultText(content []byte) (text, other string) {
	if len(content) == 0 || content[0] != '[' {
		return rawjson.Unquote(content), ""
	}
	var rest []byte
	for e := range rawjson.Elements(content) {
		if rawjson.GetString(e, "type") == string(transport.TypeText) {
			text += rawjson.GetString(e, "text")
			continue
		}
		rest = append(append(rest, e...), '\n')
	}
	return text, string(rest)
}

// imageURL is a data URL of a small image of a type that browsers show.
func imageURL(source []byte) string {
	const most = 300_000
	data := rawjson.GetString(source, "data")
	switch media := rawjson.GetString(source, "media_type"); media {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		if len(data) > 0 && len(data) <= most {
			return "data:" + media + ";base64," + data
		}
	}
	return ""
}

func blocksOf(r *memory.Record) []transport.Block {
	switch r.Kind {
	case memory.KindInput, memory.KindSummary:
		return r.Message.Content
	case memory.KindResponse:
		return r.Response.Content
	case memory.KindResult:
		return []transport.Block{r.Block}
	}
	return nil
}

// viewRecord shows a record, but for the step that a response is of.
func viewRecord(n int, r *memory.Record, prices pricing.Prices) entry {
	e := entry{N: n, Kind: r.Kind, Time: r.Time.UnixMilli(), Calls: r.Calls, Final: r.Final, Note: r.Note}
	e.Replaces = r.Replaces
	if r.Kind == memory.KindInput {
		e.Role = string(r.Message.Role)
	}
	for _, b := range blocksOf(r) {
		v := viewBlock(b, 0)
		if c, ok := b.ToolCall(); ok {
			v.Hash = memory.HashCall(c)
		}
		e.Blocks = append(e.Blocks, v)
	}
	for _, a := range r.ApprovalRequests {
		e.Asks = append(e.Asks, askView{a.CallID, a.Reason})
	}
	if d := r.Decision; d != nil {
		e.Decision = &decisionView{d.CallID, d.Approve, d.Reason, string(d.Input)}
	}
	if r.Kind == memory.KindOmission {
		e.Note = "left out"
		if raw, err := json.Marshal(r.Omission); err == nil {
			text, cut := clip(string(raw), dataLimit)
			e.Blocks = append(e.Blocks, blockView{Type: "note", JSON: text, Cut: cut, Bytes: len(raw)})
		}
	}
	if r.Kind == memory.KindNote && len(r.Data) > 0 {
		if resp, err := pricing.OfNote(r.Data); err == nil && resp.Model != "" {
			e.Aside = viewResponse(resp, r.Time, prices)
			e.Aside.USD.Known = e.Aside.USD.Known && r.Note != notes.Interrupted // that was billed for more than is known
		}
		text, cut := clip(string(r.Data), dataLimit)
		e.Blocks = append(e.Blocks, blockView{Type: "note", JSON: text, Cut: cut, Bytes: len(r.Data)})
	}
	return e
}

func viewConfig(r *transport.Request) *configView {
	c := &configView{Model: r.Model, MaxTokens: r.MaxTokens, Tools: []string{}, System: []blockView{}}
	for _, t := range r.Tools {
		name := t.Name()
		if name == "" {
			name = t.Type()
		}
		c.Tools = append(c.Tools, name)
	}
	for _, b := range r.System {
		c.System = append(c.System, viewBlock(b, 0))
	}
	return c
}
