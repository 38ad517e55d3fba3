package inspect

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strings"

	"github.com/whorl-go/whorl/agent/internal/begin"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// write gives a session what the page's user says, or begins one with it, and has it
// run on.
func (p *Page) write(w http.ResponseWriter, r *http.Request) {
	var form struct {
		ID   string `json:"id"` // empty for a new session
		Text string `json:"text"`
	}
	if !readJSON(w, r, &form) {
		return
	}
	m := transport.UserText(form.Text)
	switch {
	case p.opts.Resume == nil:
		http.Error(w, "This page can't run sessions: Options.Resume is not set.", http.StatusForbidden)
		return
	case strings.TrimSpace(form.Text) == "":
		http.Error(w, "There is nothing to say.", http.StatusUnprocessableEntity)
		return
	}
	if err := memory.CheckInput(m); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	id := form.ID
	var err error
	if id == "" {
		id = strings.ToLower(rand.Text())
		err = begin.Session(r.Context(), p.store, id, nil)
	} else {
		var info memory.Info
		if info, err = p.store.Info(r.Context(), id); err == nil && info.Parent != "" {
			err = errBelow
		}
	}
	if errors.Is(err, errBelow) {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	if err == nil {
		err = memory.Enqueue(r.Context(), p.store, id, m)
	}
	if err != nil {
		p.fail(w, err)
		return
	}
	p.opts.Resume(id)
	writeJSON(w, map[string]string{"id": id})
}

var errBelow = errors.New("This is a sub-agent's session: it is told what to do by its caller, in the session above it.")
