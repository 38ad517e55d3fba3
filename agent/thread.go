package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
	"github.com/whorl-go/whorl/transport/wire"
)

// What Options.Threads may be.
const (
	threadsAuto = "auto"
	threadsOn   = "on"
	threadsOff  = "off"
)

// A service that holds the conversation is sent what is new only (wire §15). All that
// is kept of it is what the newest response's record tells: that its request was in a
// thread. The log can always say the whole again, and does so wherever it isn't
// certain that the service holds just this.

// threadLife is how long a service holds a conversation behind the newest response,
// less the time that a request may take to reach it.
const threadLife = 5*time.Minute - 5*time.Second

// endpointThreads is what the client was found to do with threads.
type endpointThreads struct {
	off    atomic.Bool // it refuses them, or lost what it was to hold
	proven atomic.Bool // it held what it was to hold
}

// A heldThread is the conversation that the service holds, as this run knows it.
type heldThread struct {
	known bool // the other fields are in force; else the log tells
	sent  *transport.Request
	betas []string // that all of its requests have
	kind  string   // see sentdata.Data
	again string   // the kind of a thread that was begun for one that was refused
	anew  bool     // the log is a fork: another one may go on with the thread
}

// inThread is the request as it goes into a thread, or nil if it goes by itself.
func (r *Run) inThread(req *transport.Request) *transport.Request {
	a := r.agent
	if a.opts.Threads == "" || a.opts.Threads == threadsOff || !a.features.Threads || a.threads.off.Load() || !threadable(req) {
		return nil
	}
	var s memory.State
	r.write(&s)
	prev, kind := r.previous(s)
	if kind == sentdata.ThreadOff {
		return nil
	}
	held := 0
	if prev != nil && r.goesOn(prev, req, s) {
		held = len(prev.Messages) + 1
	}
	t := *req
	t.Thread = new(transport.Thread)
	alone := held > 0
	if req.CacheControl == nil {
		p := a.prompt(req, r.key, &r.seen, &s)
		plan, ok := cacheplan.PlanThread(&p, a.opts.Cache.options(), held, a.opts.Threads == threadsOn)
		if !ok {
			return nil
		}
		t.CacheControl, t.Breakpoints, alone = plan.Control, plan.Marks, plan.Alone
	} else if a.opts.Threads != threadsOn {
		return nil
	}
	if alone && !a.threads.proven.Load() {
		alone = r.tellsApart(req.Messages[held:], s)
	}
	if alone {
		t.Breakpoints = nil
		*t.Thread = transport.Thread{PreviousMessageID: s.Response.ID, Held: held}
		if r.thread.betas == nil {
			first := *prev
			first.Betas, first.Thread = req.Betas, new(transport.Thread)
			r.thread.betas = wire.NeededBetas(&first)
		}
		t.Betas = r.thread.betas
	}
	return &t
}

// threadable reports whether a request has nothing that threads exclude (wire §15.5).
func threadable(req *transport.Request) bool {
	if req.MaxTokens == 0 || len(req.Compaction) > 0 || len(req.Messages) == 0 {
		return false
	}
	for e := range rawjson.Elements(rawjson.Get(req.ContextManagement, "edits")) {
		keep := rawjson.Get(e, "keep")
		if rawjson.GetString(e, "type") != "clear_thinking_20251015" || string(keep) != `"all"` && rawjson.GetString(keep, "type") != "all" {
			return false
		}
	}
	return !slices.ContainsFunc(req.Messages[0].Content, func(b transport.Block) bool { return b.Type() == view.TypeCompaction })
}

// previous is the request that brought the newest response, if that is held in a
// thread, and what the log says of it. The log is asked once; then the run knows.
func (r *Run) previous(s memory.State) (*transport.Request, string) {
	if r.thread.known || s.Response == nil {
		return r.thread.sent, r.thread.kind
	}
	r.thread.known = true
	at := r.responseAt()
	var d sentdata.Data
	for _, rec := range r.log.Records(at) {
		if json.Unmarshal(rec.Data, &d) != nil {
			return nil, ""
		}
		break
	}
	if d.Thread == "" || !bytes.Equal(sentdata.NewestConfig(r.log, at), r.config) {
		return nil, ""
	}
	if r.thread.kind = d.Thread; d.Thread == sentdata.ThreadOff || r.thread.anew {
		return nil, d.Thread
	}
	if sent, err := sentdata.Request(r.log, at); err == nil && sent.Configured {
		r.thread.sent = sent.Request
	}
	return r.thread.sent, r.thread.kind
}

// goesOn reports whether req goes on from what the service holds since prev: it was
// stored, it is not too long ago, and nothing of it has changed.
func (r *Run) goesOn(prev, req *transport.Request, s memory.State) bool {
	resp := s.Response
	reply, ok := resp.Replay()
	n := len(prev.Messages)
	switch {
	case !ok, resp.ID == "", !heldAsSent(resp, &reply), resp.StopReason == transport.StopRefusal, resp.HasCutCalls(), fellBack(resp):
		return false // not stored
	case n >= len(req.Messages), len(s.Requests) == 0, s.Requests[len(s.Requests)-1].Sums && !r.agent.threads.proven.Load():
		return false
	case time.Since(r.respondedAt()) >= threadLife:
		return false
	case !bytes.Equal(withoutTokens(prev.MCPServers), withoutTokens(req.MCPServers)),
		!bytes.Equal(prev.ContextManagement, req.ContextManagement),
		!bytes.Equal(rawjson.Get(prev.Container, "skills"), rawjson.Get(req.Container, "skills")),
		(len(prev.Fallbacks) > 0) != (len(req.Fallbacks) > 0):
		return false
	}
	if !sameMessage(&reply, &req.Messages[n]) {
		return false
	}
	if n > 0 && &prev.Messages[0] == &req.Messages[0] {
		return !newBetas(req, n) // one list that only grows
	}
	for i := range prev.Messages {
		if !sameMessage(&prev.Messages[i], &req.Messages[i]) {
			return false
		}
	}
	return !newBetas(req, n)
}

// heldAsSent reports whether the service holds a response as later requests have it: it
// holds all of it, also what is left out or repaired because the service refuses it.
func heldAsSent(resp *transport.Response, reply *transport.Message) bool {
	i := 0
	for _, b := range resp.Content {
		if b.Type() == transport.TypeText && rawjson.GetString(b.Raw(), "text") == "" {
			continue // it is no part of a conversation
		}
		if i == len(reply.Content) || !bytes.Equal(b.Raw(), reply.Content[i].Raw()) {
			return false
		}
		i++
	}
	return i == len(reply.Content)
}

// respondedAt is when the newest response was recorded.
func (r *Run) respondedAt() time.Time {
	for _, rec := range r.log.Records(r.responseAt()) {
		return rec.Time
	}
	return time.Time{}
}

// fellBack reports whether another model than the one asked for has answered.
func fellBack(resp *transport.Response) bool {
	return slices.ContainsFunc(resp.Usage.Iterations, func(i transport.Iteration) bool { return i.Type == "fallback_message" }) ||
		slices.ContainsFunc(resp.Content, func(b transport.Block) bool { return b.Type() == "fallback" })
}

// sameMessage reports whether two messages have the same bytes.
func sameMessage(a, b *transport.Message) bool {
	if a.Role != b.Role || a.ClearAt != b.ClearAt || len(a.Content) != len(b.Content) || !bytes.Equal(a.OutputConfig, b.OutputConfig) ||
		!maps.EqualFunc(a.Extra, b.Extra, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) }) {
		return false
	}
	if len(a.Content) > 0 && &a.Content[0] == &b.Content[0] {
		return true
	}
	for i := range a.Content {
		if !bytes.Equal(a.Content[i].Raw(), b.Content[i].Raw()) {
			return false
		}
	}
	return true
}

// newBetas reports whether the messages from the n-th on need a beta value that the
// request does not need without them: the values of a thread are the same in all of
// its requests.
func newBetas(req *transport.Request, n int) bool {
	fresh := transport.Request{Messages: req.Messages[n:]}
	needed := wire.NeededBetas(&fresh)
	if len(needed) == 0 {
		return false
	}
	before := *req
	before.Messages = req.Messages[:n]
	known := wire.NeededBetas(&before)
	return slices.ContainsFunc(needed, func(b string) bool { return !slices.Contains(known, b) })
}

// tellsApart reports whether the usage will tell a prompt that has the conversation
// from one that has not: what is new, at two bytes a token, is less than the rest.
func (r *Run) tellsApart(fresh []transport.Message, s memory.State) bool {
	size := 0
	for i := range fresh {
		for j := range fresh[i].Content {
			size += len(fresh[i].Content[j].Raw())
		}
	}
	return int64(size) < 2*s.Requests[len(s.Requests)-1].Prompt
}

// errNoHistory is an answer to a request in a thread whose conversation the
// endpoint does not have.
var errNoHistory = errors.New("the endpoint answered without the conversation that its thread was to hold")

// send sends a step's request, in a thread where that is possible. It returns what
// was answered. Whatever way a thread is refused in, the whole is sent instead.
func (r *Run) send(ctx context.Context, req *transport.Request, tries *attempts, emit func(transport.Event) bool) (*transport.Request, *transport.Response, error) {
	in := r.inThread(req)
	if in == nil {
		resp, err := r.stream(ctx, req, tries, emit)
		r.keepThread(req, resp, err, r.thread.kind == sentdata.ThreadOff)
		return req, resp, err
	}
	again := ""
	for {
		resp, shown, err := r.streamThread(ctx, in, tries, emit)
		remedy := r.remedy(in, err)
		if remedy != none && ctx.Err() != nil {
			remedy, err = none, context.Cause(ctx) // the whole would have been sent
		}
		if remedy == none {
			r.thread.again = again
			r.keepThread(in, resp, err, false)
			return in, resp, err
		}
		tries.failed(err) // what was lost before it was refused may have been billed
		if shown && !emitRestarted(emit, tries) {
			return in, nil, ErrStopped
		}
		if remedy == createAnew {
			again = sentdata.ThreadReplay
			if in = r.created(req); in != nil {
				continue
			}
		}
		resp, err = r.stream(ctx, req, tries, emit)
		if err == nil && remedy == withoutThreads {
			r.agent.threads.off.Store(true)
		}
		r.keepThread(req, resp, err, err == nil)
		return req, resp, err
	}
}

// created is the request as the first of a new thread, or nil.
func (r *Run) created(req *transport.Request) *transport.Request {
	r.thread.sent = nil
	return r.inThread(req)
}

// streamThread streams a request in a thread. It says whether anything was shown of
// the answer that did not stand.
func (r *Run) streamThread(ctx context.Context, in *transport.Request, tries *attempts, emit func(transport.Event) bool) (_ *transport.Response, shown bool, _ error) {
	least := int64(0) // tokens that a prompt with the conversation has
	if in.Thread.PreviousMessageID != "" {
		var s memory.State
		r.write(&s)
		if newest := s.Requests[len(s.Requests)-1]; !newest.Sums {
			least = newest.Prompt
		}
	}
	checked, lost := least == 0, false
	resp, err := r.stream(ctx, in, tries, func(ev transport.Event) bool {
		if !checked && ev.Response != nil {
			u := ev.Response.Usage
			if checked = true; u.InputTokens+u.CacheReadInputTokens+u.CacheCreationInputTokens < least {
				lost = true
				return false
			}
			r.agent.threads.proven.Store(true)
		}
		switch {
		case ev.Type == transport.EventRestarted:
			shown, checked = false, least == 0
		default:
			shown = true
		}
		return emit(ev)
	})
	if lost {
		tries.failed(nil)
		return nil, shown, errNoHistory
	}
	return resp, shown, err
}

// A remedy is what is done about a thread that was refused.
type remedy int

const (
	none           remedy = iota // it isn't the thread's fault
	createAnew                   // the whole conversation, in a new thread
	withoutThread                // the whole, and no threads in this conversation any more
	withoutThreads               // nor in any other one with this client
)

// remedy says what to do about an error (wire §15.4). All of these come before the
// model runs.
func (r *Run) remedy(in *transport.Request, err error) remedy {
	if errors.Is(err, errNoHistory) {
		return withoutThreads
	}
	var e *transport.Error
	if !errors.As(err, &e) || e.InStream {
		return none
	}
	goesOn := in.Thread.PreviousMessageID != ""
	switch e.Code {
	case "thread_not_found":
		if !goesOn || r.thread.kind == sentdata.ThreadReplay {
			return withoutThread // twice in a row
		}
		return createAnew
	case "thread_already_continued", "thread_continue_in_flight", "thread_fingerprint_mismatch":
		if !goesOn {
			return withoutThread
		}
		return createAnew
	case "thread_unsupported_request":
		return withoutThread
	case "":
	default:
		if e.Code != string(e.Type) {
			return none
		}
	}
	refused := e.Status == http.StatusBadRequest || e.Status == http.StatusUnprocessableEntity
	if refused && !errors.Is(e, transport.ErrPromptTooLong) && !errors.Is(e, transport.ErrThinkingMismatch) && !errors.Is(e, transport.ErrBilling) {
		return withoutThreads // perhaps; if the whole is refused too, that wasn't it
	}
	return none
}

// keepThread keeps what the run knows of the thread behind a response. Behind an
// error the log is asked again.
func (r *Run) keepThread(sent *transport.Request, resp *transport.Response, err error, off bool) {
	switch again := r.thread.again; {
	case err != nil:
		r.thread.again = ""
		return
	case off:
		r.thread = heldThread{known: true, kind: sentdata.ThreadOff}
	case sent.Thread == nil:
		r.thread = heldThread{known: true}
	case sent.Thread.PreviousMessageID != "":
		r.thread = heldThread{known: true, sent: sent, kind: sentdata.ThreadContinue, betas: r.thread.betas}
	case again != "":
		r.thread = heldThread{known: true, sent: sent, kind: again}
	default:
		r.thread = heldThread{known: true, sent: sent, kind: sentdata.ThreadCreate}
	}
}
