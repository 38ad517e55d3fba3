package uistream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// Kind is the Kind of the question as which a call waits that the page answers. Make such
// a tool with [tools.External] and this Kind; the page answers with addToolOutput.
const Kind = "ui"

// New returns a handler that runs the sessions of h by the UI message stream. Its paths
// are "" for POST, and ID, ID/stream and ID/stop; see docs/serve.md.
func New(h *serve.Handler) http.Handler { return &handler{h: h} }

type handler struct {
	h         *serve.Handler
	branching branching
}

// recent is how long a turn that has ended is given again to a client that asks for
// what goes on: it may not have seen the end.
const recent = time.Minute

func (s *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(r.URL.Path, "/")
	id, what := path, ""
	for _, end := range []string{"stream", "stop"} { // an id may have slashes, such as a schedule's
		if of, ok := strings.CutSuffix(path, "/"+end); ok {
			id, what = of, end
		}
	}
	var err error
	switch {
	case r.Method == http.MethodPost && path == "":
		err = s.send(w, r)
	case r.Method == http.MethodGet && id != "" && what == "":
		err = s.history(w, r, id)
	case r.Method == http.MethodGet && what == "stream":
		err = s.resume(w, r, id)
	case r.Method == http.MethodPost && what == "stop":
		err = s.stop(w, r, id)
	default:
		err = &serve.Problem{Type: "no_such_request", Title: "There is no such request.", Detail: "See docs/serve.md.", Status: http.StatusNotFound}
	}
	if err != nil {
		s.h.Fail(w, r, err)
	}
}

// open is the session that a chat is in, its newest branch, and what waits in its inbox.
// log is nil if there is none.
func (s *handler) open(r *http.Request, chat string) (*serve.Access, *memory.Log, []memory.Record, error) {
	a, err := s.h.Access(r, chat)
	if err != nil || a.New {
		return a, nil, nil, err
	}
	// Users write the meta of their sessions: one that names the chat of somebody else
	// is no branch of it.
	owner := a.Info.Meta["user"]
	q := memory.Query{Meta: map[string]string{"chat": chat}, Roots: true, Sort: "created"}
	if owner != "" {
		q.Meta["user"], q.Limit = owner, 1
	}
	for info, err := range s.h.Store().List(r.Context(), q) {
		if err != nil {
			return nil, nil, nil, err
		}
		if info.Meta["user"] != owner {
			continue
		}
		if a, err = s.h.Access(r, info.ID); err != nil {
			return nil, nil, nil, err
		}
		break
	}
	log, waits, err := flow.Open(r.Context(), s.h.Store(), a.Info.ID)
	return a, log, waits, err
}

// history is GET ID: the messages of a chat, and what waits in it without a part.
func (s *handler) history(w http.ResponseWriter, r *http.Request, chat string) error {
	a, log, _, err := s.open(r, chat)
	if err != nil {
		return err
	}
	out := struct {
		Messages []Message `json:"messages"`
		Waits    []wait    `json:"waits"`
	}{[]Message{}, []wait{}}
	if log != nil {
		stored, err := flow.Stored(r.Context(), s.h.Store(), a.Info.ID)
		if err != nil {
			return err
		}
		out.Messages = messages(r.Context(), s.h, stored, log, turnsOf(log, log.Len()))
		items, err := s.waits(r.Context(), a)
		if err != nil {
			return err
		}
		if n := len(out.Messages); n > 0 {
			for _, c := range items.chunks() {
				out.Messages[n-1].apply(c)
			}
		}
		out.Waits = append(out.Waits, items.others()...)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(raw)
	return nil
}

// stop is POST ID/stop.
func (s *handler) stop(w http.ResponseWriter, r *http.Request, chat string) error {
	a, log, _, err := s.open(r, chat)
	if err != nil {
		return err
	}
	if log == nil {
		return memory.ErrNoSession
	}
	stopped, err := a.Stop(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	raw, _ := json.Marshal(map[string]bool{"stopped": stopped})
	_, _ = w.Write(raw)
	return nil
}

// resume is GET ID/stream: the turn that goes on, from its beginning; 204 if none does.
func (s *handler) resume(w http.ResponseWriter, r *http.Request, chat string) error {
	a, log, waits, err := s.open(r, chat)
	if err != nil {
		return err
	}
	if log == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	turns := turnsOf(log, log.Len())
	var t turn
	if n := len(turns); n > 0 {
		t = turns[n-1]
	}
	going := a.Going()
	var skip []transport.Message
	if going != nil {
		// What was said last may not be in the log yet.
		for _, e := range entries(waits, t.n) {
			skip = append(skip, e.message)
			t = turn{n: e.n, record: log.Len(), before: t.last, last: t.last}
		}
	}
	goesOn := going != nil || agent.Next(log).Waits() || time.Since(a.Info.Changed) < recent
	if t.n == 0 || !goesOn {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	s.stream(w, r, a, t, going, skip)
	return nil
}

// send is POST: a message, or decisions and results.
func (s *handler) send(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.h.Whose(r); err != nil {
		return err
	}
	in := new(input)
	if err := s.h.ReadBody(w, r, in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	release, err := s.h.Hold(r.Context(), in.ID)
	if err != nil {
		return err
	}
	defer release()
	a, log, waits, err := s.open(r, in.ID)
	if err != nil {
		return err
	}
	if in.last().Role == "assistant" && !in.branches() {
		return s.goOn(w, r, a, log, in, release)
	}
	n, said := in.known()
	if len(said) == 0 {
		return bad("there is nothing to answer: the chat has no message of the user's behind the last answer")
	}
	parsed := make([]transport.Message, len(said))
	for i := range said {
		if parsed[i], err = said[i].said(); err != nil {
			return err
		}
	}
	if before := a; in.branches() && log != nil {
		if s.branching.session(in) != a.Info.ID {
			if a, log, err = s.branch(r, a, log, in.ID, n); err != nil {
				return err
			}
		}
		if a != before {
			waits = nil
		}
		defer s.branching.listen(in, a.Info.ID)()
	}
	t, sent := answering(log, waits, n, parsed)
	var skip []transport.Message
	skip = append(skip, parsed[sent:]...)
	going := a.Going()
	if len(skip) > 0 || going == nil && (unfinished(log) || len(waits) > 0) {
		if going, err = a.Run(r.Context(), serve.Change{Messages: parsed[sent:], Meta: in.Meta}); err != nil {
			return err
		}
	}
	release()
	s.stream(w, r, a, t, going, skip)
	return nil
}

func unfinished(log *memory.Log) bool {
	if log == nil {
		return false
	}
	next := agent.Next(log)
	return !next.Done() && !next.Waits()
}

// answering is the turn that answers a client's messages behind turn n, and how many of
// them were sent before: what follows in the session is the same. The answer to those is
// told from its beginning.
func answering(log *memory.Log, waits []memory.Record, n int, said []transport.Message) (t turn, sent int) {
	if log == nil {
		return turn{n: len(said)}, 0
	}
	turns := turnsOf(log, log.Len())
	count := 0
	var all, has []entry
	for i := range turns {
		count = turns[i].n
		t.before = turns[i].last
		all = append(all, turns[i].said...)
	}
	all = append(all, entries(waits, count)...)
	for _, e := range all {
		if e.n > n {
			has = append(has, e)
		}
	}
	// A page without history says something new, even if it was said before.
	if n > 0 || len(turns) == 0 || len(has) == len(said) {
		for sent < len(said) && sent < len(has) && flow.Same(said[sent], has[sent].message) {
			sent++
		}
	}
	if sent == len(said) && len(waits) == 0 {
		return turns[len(turns)-1], sent
	}
	t.record, t.n = log.Len(), len(all)+len(said)-sent
	return t, sent
}

// branch forks the chat's session in front of what follows on turn n.
func (s *handler) branch(r *http.Request, a *serve.Access, log *memory.Log, chat string, n int) (*serve.Access, *memory.Log, error) {
	records := 0
	for _, t := range turnsOf(log, log.Len()) {
		for _, e := range t.said {
			if e.n > n && records == 0 {
				records = e.record - 1
			}
		}
	}
	if records == 0 {
		return a, log, nil // nothing follows
	}
	stopped, err := a.Stop(r.Context())
	if err != nil {
		return nil, nil, err
	}
	if stopped {
		if going := a.Going(); going != nil {
			select {
			case <-going.Over():
			case <-r.Context().Done():
				return nil, nil, r.Context().Err()
			}
		}
	}
	id := strings.ToLower(rand.Text())
	start := &memory.Start{Meta: map[string]string{"user": a.Info.Meta["user"], "chat": chat}}
	if _, err := memory.ForkSession(r.Context(), s.h.Store(), a.Info.ID, records, id, start); err != nil {
		return nil, nil, err
	}
	b, err := s.h.Access(r, id)
	if err != nil {
		return nil, nil, err
	}
	fork, err := memory.Open(r.Context(), s.h.Store(), id)
	return b, fork, err
}

// goOn takes decisions and results, releases the chat, and goes on with the turn.
func (s *handler) goOn(w http.ResponseWriter, r *http.Request, a *serve.Access, log *memory.Log, in *input, release func()) error {
	if log == nil {
		return memory.ErrNoSession
	}
	items, err := s.waits(r.Context(), a)
	if err != nil {
		return err
	}
	has := map[string]bool{}
	record, err := s.decide(r.Context(), a, items, in, has)
	if err != nil {
		return err
	}
	turns := turnsOf(log, log.Len())
	if len(turns) == 0 || record == nil && in.last().ID != turns[len(turns)-1].name() {
		return &serve.Problem{Type: "conflict", Title: "The chat has changed in the meantime.", Detail: "Load it again.", Status: http.StatusConflict}
	}
	t := turn{record: log.Len(), calls: turns[len(turns)-1].record, before: turns[len(turns)-1].last, id: in.last().ID, has: has}
	going := a.Going()
	if record != nil || going == nil && unfinished(log) {
		if going, err = a.Run(r.Context(), serve.Change{Record: record}); err != nil {
			return err
		}
	}
	release()
	s.stream(w, r, a, t, going, nil)
	return nil
}

// stream tells a turn from its beginning, or from where it goes on.
func (s *handler) stream(w http.ResponseWriter, r *http.Request, a *serve.Access, t turn, going *serve.Going, skip []transport.Message) {
	out := new(serve.Stream)
	send := func(c chunk) {
		raw, err := json.Marshal(c)
		if err != nil {
			raw = []byte(`{"type":"error","errorText":"A chunk can't be written."}`)
		}
		out.Data(raw)
	}
	wr := newWriter(send)
	wr.skip, wr.mute = skip, len(skip) > 0
	if t.has != nil {
		wr.has = t.has
	}
	f, tree := flow.New(wr, t.before), newTree(s.h, wr)
	out.Tree = true
	ctx := r.Context()
	if log, err := memory.Open(ctx, s.h.Store(), a.Info.ID); err == nil && t.callsFrom() < log.Len() {
		// What was called in the turn before this: its sub-agents go on.
		for i, rec := range log.Records(t.callsFrom()) {
			tree.Calls(a.Info.ID, rec, i+1)
		}
	}
	out.Begin = func(head http.Header) {
		tree.LookAll(ctx, a.Info.ID)
		head.Set("X-Vercel-AI-UI-Message-Stream", "v1")
		send(chunk{Type: "start", MessageID: t.name(), Metadata: metadata(a.Info.ID, wr)})
	}
	out.Item = func(it feed.Item) { tellItem(ctx, a.Info.ID, f, tree, it) }
	out.End = func(err error) {
		f.End()
		wr.unmute()
		tree.Rest(context.WithoutCancel(ctx))
		tree.End(unfinishedBelow(context.WithoutCancel(ctx), s.h))
		s.end(context.WithoutCancel(r.Context()), a, wr, err)
		out.Data([]byte("[DONE]"))
	}
	a.Stream(w, r, feed.Position{Incarnation: a.Info.Incarnation, Records: t.record}, going, out)
}

// end writes how a turn ends: what waits, why, and what it took.
func (s *handler) end(ctx context.Context, a *serve.Access, w *writer, err error) {
	finish := w.finish()
	switch p := s.h.ProblemOf(err); {
	case serve.Stopped(err):
		w.endStep()
		w.send(chunk{Type: "abort", Reason: "stopped"})
		w.send(chunk{Type: "finish", Finish: "interrupted", Metadata: metadata(a.Info.ID, w)})
		return
	case p != nil:
		w.endStep()
		said := p.Title
		if p.Detail != "" {
			said += " " + p.Detail
		}
		w.send(chunk{Type: "message-metadata", Metadata: metadata(a.Info.ID, w)})
		w.send(chunk{Type: "error", Error: said})
		return
	}
	items, err := s.waits(ctx, a)
	if err == nil {
		for _, c := range items.chunks() {
			w.send(c)
		}
		for _, o := range items.others() {
			if raw, err := json.Marshal(o); err == nil {
				w.send(chunk{Type: "data-waiting", Data: raw, Transient: true})
			}
		}
		switch log, err := memory.Open(ctx, s.h.Store(), a.Info.ID); {
		case len(items) > 0:
			finish = "tool-calls"
		case err == nil && unfinished(log): // it was stopped, and doesn't go on by itself
			finish = "interrupted"
		}
	}
	w.endStep()
	w.send(chunk{Type: "finish", Finish: finish, Metadata: metadata(a.Info.ID, w)})
}

// metadata is that of the assistant's message: the session that it is in, and of its
// newest response the model and why that ended.
func metadata(session string, w *writer) json.RawMessage {
	m := map[string]any{"session": session}
	if w.last != nil {
		m["model"], m["stopReason"] = w.last.Model, w.last.StopReason
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	return raw
}
