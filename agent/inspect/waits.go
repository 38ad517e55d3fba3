package inspect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/waits"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A waitView is a call or a question that waits, in a session or below it.
type waitView struct {
	Session  string        `json:"session"`          // that waits
	Agents   []string      `json:"agents,omitempty"` // names of the sub-agents, from the outermost
	Kind     string        `json:"kind"`             // "approval", or the question's
	Tool     string        `json:"tool"`
	Why      string        `json:"why,omitempty"`
	Since    int64         `json:"since,omitempty"` // milliseconds since 1970
	Until    int64         `json:"until,omitempty"`
	Call     string        `json:"call"`
	Question *questionView `json:"question,omitempty"` // nil for a call of the model's
}

// A questionView is what is asked. Nothing of it is cut: its user answers all of it.
type questionView struct {
	Key     string       `json:"key"`
	Hash    string       `json:"hash"` // of what was asked, which an answer names
	Choices []choiceView `json:"choices,omitempty"`
	Several bool         `json:"several,omitempty"`
	Fields  []fieldView  `json:"fields,omitempty"` // for answers besides the choices; see waiting.Form
	Data    string       `json:"data,omitempty"`
	Schema  string       `json:"schema,omitempty"` // if a field is for JSON
	Default string       `json:"default,omitempty"`
}

type choiceView struct {
	Value string `json:"value"` // JSON
	Label string `json:"label"`
}

type fieldView struct {
	Name        string            `json:"name"`
	Title       string            `json:"title,omitempty"`
	Description string            `json:"description,omitempty"`
	Kind        waiting.FieldKind `json:"kind"`
	Choices     []choiceView      `json:"choices,omitempty"`
	Required    bool              `json:"required,omitempty"`
	Default     string            `json:"default,omitempty"` // JSON, or for "text" the text
}

func viewItem(it waiting.Item) waitView {
	v := waitView{Session: it.Session, Agents: it.Agents, Kind: it.Kind, Tool: it.Tool, Why: it.Why, Since: milli(it.Since), Until: milli(it.Until)}
	if it.Call != nil {
		v.Call = it.Call.CallID
		return v
	}
	q := it.Question.Question
	v.Call = it.Question.Call
	form := waiting.FormOf(q)
	v.Question = &questionView{
		Key: q.Key, Hash: hashItem(it), Choices: viewChoices(form.Choices), Several: form.Several,
		Data: string(q.Data), Default: string(q.Default),
	}
	for _, f := range form.Fields {
		shown := fieldView{f.Name, f.Title, f.Description, f.Kind, viewChoices(f.Choices), f.Required, string(f.Default)}
		if f.Kind == waiting.TextField {
			shown.Default = rawjson.Unquote(f.Default)
		}
		if f.Kind == waiting.JSONField {
			v.Question.Schema = string(q.Schema)
		}
		v.Question.Fields = append(v.Question.Fields, shown)
	}
	return v
}

func viewChoices(list []tools.Choice) []choiceView {
	var views []choiceView
	for _, c := range list {
		views = append(views, choiceView{string(c.Value), c.Label})
	}
	return views
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// hashItem is the hash of a question, with the session that it was asked in.
func hashItem(it waiting.Item) string {
	raw, err := json.Marshal(struct {
		Incarnation string
		Question    *agent.PendingQuestion
	}{it.Incarnation, it.Question})
	if err != nil {
		return "" // matches no answer; see answer
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// waits serves what waits in a session and below it.
func (p *Page) waits(w http.ResponseWriter, r *http.Request) {
	items, err := waiting.List(r.Context(), p.store, r.PathValue("id"))
	if err != nil {
		p.fail(w, err)
		return
	}
	list := []waitView{}
	for _, it := range items {
		list = append(list, viewItem(it))
	}
	writeJSON(w, map[string]any{"waits": list})
}

// An answerForm is what the page sends of an answer. Session, Call, Key and Hash say
// what its user saw.
type answerForm struct {
	Session string  `json:"session"`
	Call    string  `json:"call"`
	Key     string  `json:"key"`
	Hash    string  `json:"hash"`
	Value   *string `json:"value"` // JSON
	Decline bool    `json:"decline"`
	Reason  string  `json:"reason"`

	Given map[string][]string `json:"given"` // in the place of Value: see waiting.Form.Value
}

// answer records an answer to a question, or that there will be none.
func (p *Page) answer(w http.ResponseWriter, r *http.Request) {
	var form answerForm
	if !readJSON(w, r, &form) {
		return
	}
	id := r.PathValue("id")
	items, err := waiting.List(r.Context(), p.store, id)
	if err != nil {
		p.fail(w, err)
		return
	}
	i := slices.IndexFunc(items, func(it waiting.Item) bool {
		q := it.Question
		return q != nil && form.Hash != "" && it.Session == form.Session && q.Call == form.Call && q.Question.Key == form.Key && hashItem(it) == form.Hash
	})
	switch {
	case i < 0:
		http.Error(w, "The question that was shown does not wait for an answer any more. Reload the page.", http.StatusConflict)
		return
	case form.Decline == (form.Value != nil || form.Given != nil) || form.Value != nil && form.Given != nil:
		http.Error(w, "Give a value, or what was filled in, or decline.", http.StatusBadRequest)
		return
	}
	root := p.outermost(r.Context(), id)
	it := items[i]
	it.Root = root
	var value json.RawMessage
	switch {
	case form.Decline:
		err = it.Cancel(r.Context(), p.store, form.Reason)
	case form.Value != nil:
		err = it.Answer(r.Context(), p.store, json.RawMessage(*form.Value), "inspect")
	default:
		if value, err = waiting.FormOf(it.Question.Question).Value(form.Given); err == nil {
			err = it.Answer(r.Context(), p.store, value, "inspect")
		}
	}
	if wrong, ok := errors.AsType[*tools.AnswerError](err); ok {
		http.Error(w, wrong.Error(), http.StatusBadRequest)
		return
	}
	if err != nil {
		p.fail(w, err)
		return
	}
	writeJSON(w, map[string]bool{"resumed": p.goOn(r.Context(), root)})
}

// outermost is the session that has to be run on for another to go on: the highest
// above it that waits for it.
func (p *Page) outermost(ctx context.Context, id string) string {
	const deepest = 100
	for range deepest {
		info, err := p.store.Info(ctx, id)
		if err != nil || info.Parent == "" {
			break
		}
		above, err := waits.Below(ctx, p.store, info.Parent)
		if err != nil || !above.Sessions[id] {
			break
		}
		id = info.Parent
	}
	return id
}

// goOn resumes a session if nothing waits in it or below it any more.
func (p *Page) goOn(ctx context.Context, root string) bool {
	if p.opts.Resume == nil {
		return false
	}
	if items, err := waiting.List(ctx, p.store, root); err != nil || len(items) > 0 {
		return false
	}
	p.opts.Resume(root)
	return true
}
