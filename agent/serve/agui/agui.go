package agui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/flow"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// ProtocolVersion is the version of AG-UI that this package implements.
const ProtocolVersion = "1.0"

// Options configure a handler. The zero Options serve without shared state.
type Options struct {
	// State returns the shared state, which the client gets when a run begins and when it
	// ends. It is encoded as JSON. If State is nil, the client gets no state and keeps
	// what it has. [InputOf] returns the state that the client sends.
	State func(ctx context.Context, u serve.User, log *memory.Log) (any, error)
}

// New returns a handler that runs the sessions of h by AG-UI. It takes a POST with a
// RunAgentInput and responds with server-sent events.
func New(h *serve.Handler, o Options) http.Handler { return &handler{h: h, o: o} }

type handler struct {
	h *serve.Handler
	o Options
}

type inputKey struct{}

// InputOf returns the input that an AG-UI client sent. ctx is the context that
// [serve.Options].Run gets. State, Context and Forwarded are for the program to use;
// don't trust them. InputOf returns nil for a run that another kind of request begins.
func InputOf(ctx context.Context) *Input {
	in, _ := ctx.Value(inputKey{}).(*Input)
	return in
}

// Kind is the Kind of the question as which a call of a front-end tool waits.
const Kind = "agui"

// Tools returns own and the client's front-end tools, for the session's agent. ctx is the
// context that [serve.Options].Run gets:
//
//	agent.New(agent.Options{Client: c, Model: m, Tools: agui.Tools(ctx, own...)})
//
// A call of a front-end tool ends the run; the client's next input has the result. The
// client must send the same tools with each input, because without them such a call can't
// continue. A front-end tool with the name of one of own is left out.
func Tools(ctx context.Context, own ...tools.Tool) []tools.Tool {
	list := slices.Clone(own)
	in := InputOf(ctx)
	if in == nil {
		return list
	}
	taken := make(map[string]bool)
	for _, t := range own {
		if d, err := t.Definition(); err == nil {
			taken[d.Name()] = true
		}
	}
	for _, t := range in.Tools {
		if !taken[t.Name] {
			taken[t.Name] = true
			list = append(list, t.external())
		}
	}
	return list
}

func (t Tool) external() tools.Tool {
	return tools.External(t.Name, t.Description, t.Parameters, tools.ExternalOptions{Kind: Kind})
}

// ServeHTTP runs a session.
func (s *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.h.Fail(w, r, &serve.Problem{Type: "no_such_request", Title: "AG-UI runs begin with POST.", Status: http.StatusMethodNotAllowed})
		return
	}
	if err := s.serve(w, r); err != nil {
		s.h.Fail(w, r, err)
	}
}

// bad is a problem of what the client sent.
func bad(format string, args ...any) error {
	return &serve.Problem{Type: "bad_message", Title: "The input can't be taken.", Detail: fmt.Sprintf(format, args...), Status: http.StatusUnprocessableEntity}
}

func (s *handler) serve(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.h.Whose(r); err != nil {
		return err
	}
	in := new(Input)
	if err := s.h.ReadBody(w, r, in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	ctx := context.WithValue(r.Context(), inputKey{}, in)
	release, err := s.h.Hold(ctx, in.ThreadID)
	if err != nil {
		return err
	}
	defer release()
	access, err := s.h.Access(r, in.ThreadID)
	if err != nil {
		return err
	}
	var log *memory.Log
	var waits []memory.Record
	if !access.New {
		if log, waits, err = flow.Open(ctx, s.h.Store(), in.ThreadID); err != nil {
			return err
		}
	}
	known, err := read(ctx, s.h, log, waits, in)
	if err != nil {
		return err
	}
	answers, err := s.answers(ctx, access, in, known)
	if err != nil {
		return err
	}
	from := feed.Position{}
	if log != nil {
		from.Incarnation, from.Records = access.Info.Incarnation, known.records
	}
	going := access.Going()
	if len(known.news) > 0 || answers.record != nil || going == nil && log != nil && known.asks(in) && (unfinished(log) || len(waits) > 0) {
		if going, err = access.Run(ctx, serve.Change{Messages: known.messages, Record: answers.record}); err != nil {
			return err
		}
	}
	release()
	if access.New { // nothing was said, and there is nothing to go on with
		going = nil
	}
	out := newWriter(s, access, in, known, answers)
	if access.New {
		return out.nothing(w, r)
	}
	access.Stream(w, r.WithContext(ctx), from, going, out.stream(ctx))
	return nil
}

// answers are what the input says about what waits.
type answers struct {
	record func(context.Context) error
	// late are the interrupts that don't wait any more.
	late []string
	// tools are the ids of the client's messages with results, by their calls.
	tools map[string]string
}

// answers finds out what the input decides and answers. Nothing is written yet.
func (s *handler) answers(ctx context.Context, access *serve.Access, in *Input, k *known) (answers, error) {
	a := answers{tools: k.tools}
	if access.New || len(in.Resume) == 0 && len(a.tools) == 0 {
		if len(in.Resume) > 0 {
			return a, bad("resume: there is no such thread, so nothing waits in it")
		}
		return a, nil
	}
	items, err := waiting.List(ctx, s.h.Store(), access.Info.ID)
	if err != nil {
		return a, err
	}
	var steps []func(context.Context) error
	taken := make(map[string]bool)
	// take fails for a second answer to an item: nothing is written of either.
	take := func(it waiting.Item, step func(context.Context) error) error {
		id := interruptID(it)
		if taken[id] {
			return bad("the call %s of %s is answered twice", callOf(it), it.Tool)
		}
		taken[id] = true
		steps = append(steps, step)
		return nil
	}
	for i, e := range in.Resume {
		found := false
		for _, it := range items {
			if interruptID(it) != e.InterruptID {
				continue
			}
			found = true
			step, err := s.resolve(ctx, it, e, access)
			if refused := new(serve.Problem); errors.As(err, &refused) {
				return a, refused
			}
			if err != nil {
				return a, bad("resume %d: %v", i, err)
			}
			if err := take(it, step); err != nil {
				return a, err
			}
		}
		if !found {
			a.late = append(a.late, e.InterruptID)
		}
	}
	for _, m := range in.Messages {
		for _, it := range items {
			if m.Role != "tool" || k.ours(&m) || it.Question == nil || it.Question.Question.Kind != Kind || it.Session != access.Info.ID || callOf(it) != m.ToolCallID {
				continue
			}
			value, err := m.answer()
			if err != nil {
				return a, err
			}
			if m.Error == "" {
				if err := it.Question.Question.Check(value); err != nil {
					return a, bad("the result of %s: %v", it.Tool, err)
				}
			}
			err = take(it, func(ctx context.Context) error {
				if m.Error != "" {
					return it.Cancel(ctx, s.h.Store(), m.Error)
				}
				return it.Answer(ctx, s.h.Store(), value, access.User.ID)
			})
			if err != nil {
				return a, err
			}
		}
	}
	if len(steps) > 0 {
		a.record = func(ctx context.Context) error {
			for _, step := range steps {
				if err := step(ctx); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return a, nil
}

// resolve is what a resume entry does about an item. It fails if the item doesn't take it.
func (s *handler) resolve(ctx context.Context, it waiting.Item, e Resume, access *serve.Access) (func(context.Context) error, error) {
	store := s.h.Store()
	if e.Status == "cancelled" {
		return func(ctx context.Context) error { return it.Cancel(ctx, store, "the user has cancelled") }, nil
	}
	if e.Status != "resolved" {
		return nil, fmt.Errorf("status is %q; it must be resolved or cancelled", e.Status)
	}
	if it.Question != nil {
		if len(e.Payload) == 0 {
			return nil, errors.New("payload is missing; it must be the answer")
		}
		if err := it.Question.Question.Check(e.Payload); err != nil {
			return nil, err
		}
		if err := access.MayAnswer(ctx, *it.Question, e.Payload); err != nil {
			return nil, err
		}
		return func(ctx context.Context) error { return it.Answer(ctx, store, e.Payload, access.User.ID) }, nil
	}
	var d struct {
		Approved   *bool           `json:"approved"`
		Reason     string          `json:"reason"`
		EditedArgs json.RawMessage `json:"editedArgs"`
	}
	if err := json.Unmarshal(e.Payload, &d); err != nil || d.Approved == nil {
		return nil, errors.New(`payload must be {"approved": true or false, "reason"?, "editedArgs"?}`)
	}
	if string(d.EditedArgs) == "null" {
		d.EditedArgs = nil
	}
	if *d.Approved {
		if err := access.MayAllow(ctx, *it.Call, d.EditedArgs); err != nil {
			return nil, err
		}
	}
	switch {
	case !*d.Approved:
		return func(ctx context.Context) error { return it.Deny(ctx, store, d.Reason) }, nil
	case len(d.EditedArgs) == 0:
		return func(ctx context.Context) error { return it.Approve(ctx, store) }, nil
	case d.EditedArgs[0] != '{':
		return nil, errors.New("editedArgs must be a JSON object")
	}
	return func(ctx context.Context) error { return it.Edit(ctx, store, d.EditedArgs) }, nil
}
