package agui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/memory"
)

// newWriter makes the writer of an answer.
func newWriter(s *handler, access *serve.Access, in *Input, k *known, a answers) *answer {
	return &answer{handler: s, access: access, in: in, known: k, answers: a}
}

// An answer is that to one request.
type answer struct {
	*handler
	access  *serve.Access
	in      *Input
	known   *known
	answers answers
	records int // that were told
}

// begin writes the events that every run begins with.
func (a *answer) begin(ctx context.Context, send func(event)) {
	send(event{Type: "RUN_STARTED", ThreadID: a.in.ThreadID, RunID: a.in.RunID, ParentRunID: a.in.ParentRunID, ProtocolVersion: ProtocolVersion})
	if a.known.behind {
		if n := a.known.prefix; n >= 0 {
			send(event{Type: "MESSAGES_SNAPSHOT", Messages: append([]Message{}, a.known.snapshot[:n]...)})
		}
		send(event{Type: "MESSAGES_SNAPSHOT", Messages: append([]Message{}, a.known.snapshot...)})
	}
	for _, id := range a.answers.late {
		raw, _ := json.Marshal(map[string]string{"interruptId": id})
		send(event{Type: "CUSTOM", Name: "late", Value: raw})
	}
	a.state(ctx, send)
}

// state sends the shared state.
func (a *answer) state(ctx context.Context, send func(event)) {
	if a.o.State == nil {
		return
	}
	log, err := memory.Open(ctx, a.h.Store(), a.access.Info.ID)
	if err != nil {
		return // there is no session yet
	}
	state, err := a.o.State(ctx, a.access.User, log)
	if err != nil {
		return
	}
	if raw, err := json.Marshal(state); err == nil {
		send(event{Type: "STATE_SNAPSHOT", Snapshot: raw})
	}
}

// stream is the answer as a stream of a run.
func (a *answer) stream(ctx context.Context) *serve.Stream {
	s := new(serve.Stream)
	send := func(e event) {
		raw, err := json.Marshal(e)
		if err != nil {
			raw, _ = json.Marshal(event{Type: "CUSTOM", Name: "unwritable", Value: json.RawMessage(`{}`)})
		}
		s.Data(raw)
	}
	w := &writer{send: send, ids: a.known.ids, tools: a.answers.tools, expect: append([]Message(nil), a.known.expect...)}
	root := a.access.Info.ID
	w.back = func() []Message {
		log, err := memory.Open(ctx, a.h.Store(), root)
		if err != nil {
			return append([]Message{}, a.known.snapshot...)
		}
		now := &known{ids: w.ids, tools: a.answers.tools}
		if err := now.tell(ctx, a.h, log, max(a.records, a.known.records)); err != nil {
			return append([]Message{}, a.known.snapshot...)
		}
		return append(now.history, w.expect...)
	}
	broken, waits := false, map[string][]string(nil)
	tree := newTree(a.h, func(e event) {
		if e.Type == "SUBAGENT_FINISHED" && e.Outcome.Type == "suspended" {
			session, _, _ := strings.Cut(e.Subagent, "#")
			e.Outcome.Waits = waits[session]
		}
		send(e)
	}, func() { broken = true }, a.known.places)
	tree.Look(a.known.stored)
	for id, c := range a.known.calls {
		tree.Know(id, c)
	}
	s.Tree, s.Children = true, map[string]feed.Position{}
	for id, p := range a.known.places {
		s.Children[id] = feed.Position{Records: p.Records}
	}
	f := flow.New(w, a.known.responses)
	s.Begin = func(http.Header) {
		tree.LookAll(ctx, root)
		a.begin(ctx, send)
	}
	s.Item = func(it feed.Item) {
		if it.Session != root {
			tree.Item(ctx, it)
			return
		}
		a.records = max(a.records, it.At.Records)
		if it.Kind == feed.Record {
			tree.Calls(root, it.Record, it.At.Records)
			if it.Record.Kind == memory.KindResult {
				tree.Result(ctx, root, it.Record.Block.ToolUseID())
			}
		}
		f.Item(it)
	}
	s.End = func(err error) {
		f.End()
		w.endStep()
		end := event{}
		end, waits = a.end(ctx, err, w.usage)
		tree.Rest(ctx)
		tree.End(func(session string) bool { return waits[session] != nil })
		if broken {
			send(event{Type: "MESSAGES_SNAPSHOT", Messages: w.back()})
		}
		a.state(ctx, send)
		send(end)
	}
	return s
}

// nothing answers an input that says nothing, in a thread that isn't there.
func (a *answer) nothing(rw http.ResponseWriter, r *http.Request) error {
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-cache, no-transform")
	send := func(e event) {
		raw, err := json.Marshal(e)
		if err == nil {
			_, _ = fmt.Fprintf(rw, "data: %s\n\n", raw)
		}
	}
	a.begin(r.Context(), send)
	send(event{Type: "RUN_FINISHED", ThreadID: a.in.ThreadID, RunID: a.in.RunID, Outcome: &outcome{Type: "success"}})
	return nil
}
