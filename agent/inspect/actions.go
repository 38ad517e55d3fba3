package inspect

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/internal/waking"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// maxForm bounds what the page may send, in bytes.
const maxForm = 8 << 20

func readJSON(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm)).Decode(v); err != nil {
		http.Error(w, "not the JSON that is expected here: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// A decisionForm is what the page sends of a decision. Record, Call and Hash say
// what its user saw: ids of calls may repeat, and a page may be older than the log.
type decisionForm struct {
	Record  int     `json:"record"` // of the response that has the call
	Call    string  `json:"call"`
	Hash    string  `json:"hash"` // of the call, as the entry of its response told
	Approve bool    `json:"approve"`
	Reason  string  `json:"reason"`
	Input   *string `json:"input"` // a JSON object in place of the arguments
}

// decide records a decision on a call that waits. Once nothing waits any more the
// session is resumed, or the outermost one that waits for it.
func (p *Page) decide(w http.ResponseWriter, r *http.Request) {
	var form decisionForm
	if !readJSON(w, r, &form) {
		return
	}
	id := r.PathValue("id")
	log, err := memory.Open(r.Context(), p.store, id)
	if err != nil {
		p.fail(w, err)
		return
	}
	pending := agent.Pending(log)
	i := slices.IndexFunc(pending, func(c agent.PendingCall) bool {
		return c.Record == form.Record && c.CallID == form.Call && c.Hash == form.Hash
	})
	switch {
	case i < 0:
		http.Error(w, "The call that was shown does not wait for a decision any more. Reload the page.", http.StatusConflict)
		return
	case form.Input != nil && !isObject(*form.Input):
		http.Error(w, "The arguments are not a JSON object.", http.StatusBadRequest)
		return
	case !form.Approve:
		err = pending[i].Deny(r.Context(), log, form.Reason)
	case form.Input != nil:
		err = pending[i].Edit(r.Context(), log, json.RawMessage(*form.Input))
	default:
		err = pending[i].Approve(r.Context(), log)
	}
	if err != nil {
		p.fail(w, err)
		return
	}
	root := p.outermost(r.Context(), id)
	if err := waking.Now(r.Context(), p.store, root); err != nil {
		p.fail(w, fmt.Errorf("the decision is recorded, but session %q could not be woken; run it again: %w", root, err))
		return
	}
	writeJSON(w, map[string]bool{"resumed": p.goOn(r.Context(), root)})
}

func isObject(text string) bool {
	raw := rawjson.Trim([]byte(text))
	return rawjson.Valid(raw) && raw[0] == '{'
}

// fork makes a session of the first records of another.
func (p *Page) fork(w http.ResponseWriter, r *http.Request) {
	var form struct {
		At int    `json:"at"` // records
		ID string `json:"id"` // of the fork; empty for one that is made up
	}
	if !readJSON(w, r, &form) {
		return
	}
	from, to := r.PathValue("id"), strings.TrimSpace(form.ID)
	if to == "" {
		to = p.freeName(r, fmt.Sprintf("%s-fork-%d", from, form.At))
	}
	forker, err := memory.Need[memory.Forker](p.store)
	if err == nil {
		err = forker.Fork(r.Context(), from, memory.Position{Records: form.At}, to, nil)
	}
	if err != nil {
		p.fail(w, err)
		return
	}
	writeJSON(w, map[string]string{"id": to})
}

// freeName is name, with a number behind it if there is such a session.
func (p *Page) freeName(r *http.Request, name string) string {
	for i, try := 2, name; ; i++ {
		if _, err := p.store.Info(r.Context(), try); err != nil || i > 1000 {
			return try
		}
		try = fmt.Sprintf("%s-%d", name, i)
	}
}

func (p *Page) resume(w http.ResponseWriter, r *http.Request) {
	if p.opts.Resume == nil {
		http.Error(w, "This page can't run sessions: Options.Resume is not set.", http.StatusForbidden)
		return
	}
	id := r.PathValue("id")
	info, err := p.store.Info(r.Context(), id)
	if err != nil {
		p.fail(w, err)
		return
	}
	if info.Parent != "" {
		http.Error(w, errBelow.Error(), http.StatusConflict)
		return
	}
	p.opts.Resume(id)
	writeJSON(w, map[string]bool{"resumed": true})
}
