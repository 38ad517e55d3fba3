package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/agent/internal/miss"
	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/agent/internal/pricing"
	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Cache configures the use of the prompt cache. The zero Cache caches all that is
// sent and chooses the lifetimes by what they are expected to save; see
// docs/caching.md.
type Cache struct {
	// TTL fixes how long the service keeps what it caches: [transport.TTL5m] or
	// [transport.TTL1h]. Empty leaves it to the agent: 5 minutes, and an hour for so
	// much as is expected to pay, at endpoints known to take it.
	TTL transport.TTL
	// Pause is how long the conversation is expected to rest where it rests: while a
	// user thinks, or a slow tool runs. If that is from 5 minutes to an hour, the
	// first requests are written so that they outlive it; any other time says that no
	// pause is worth paying for, until one is seen. 0 means that nothing is known:
	// then a first pause may cost a second writing of what was new. Pauses observed in
	// the conversation soon outweigh it.
	Pause time.Duration
	// PauseEvery is after about how many requests a Pause comes: 1, which 0 stands for,
	// where a user is asked after each, as in a chat; 6 where an answer takes about 5
	// rounds of tool calls.
	PauseEvery int
	// Off places no breakpoints. Marks that blocks carry already are kept.
	Off bool
	// KeepWarm is how long tool calls, or the Approver, may hold up the conversation
	// while the cache is kept alive with requests for no tokens, each of which costs
	// a read of the whole prompt; 0 means never.
	KeepWarm time.Duration
}

// options are what the planner has to know of it.
func (c Cache) options() cacheplan.Options {
	return cacheplan.Options{TTL: c.TTL, Pause: c.Pause, PauseEvery: c.PauseEvery, Off: c.Off}
}

// A Miss is a part of a prompt that the previous request had left in the cache, and
// that was billed again nevertheless.
type Miss struct {
	// Reason is the service's word, such as "tools_changed" (wire §8.8), or else
	// "context_edited", "expired" after a pause, or "unknown".
	Reason string
	Tokens int64
	// Cost is what the tokens cost beyond what reading them would have.
	Cost Cost
}

// missBetween is the miss between two responses, or nil.
func missBetween(first, second *transport.Response, gap time.Duration, at time.Time, own []models.Model) *Miss {
	m := miss.Between(first, second, gap, at, own...)
	if m == nil {
		return nil
	}
	return &Miss{Reason: m.Reason, Tokens: m.Tokens, Cost: Cost{USD: m.USD, Incomplete: !m.Known}}
}

// newest is the newest response, and when its request was sent; nil if there is none,
// or if it was to a prompt that is gone.
func (r *Run) newest() (resp *transport.Response, sent time.Time) {
	s := r.log.State()
	if n := len(s.Requests); s.Response != nil && n > 0 {
		return s.Response, s.Requests[n-1].At
	}
	return nil, time.Time{}
}

// sentAt is when the newest response's request was sent: the time of the record before,
// as in [memory.Request].
//
//go:noinline
func (r *Run) sentAt() time.Time {
	for _, rec := range r.log.Records(r.record - 1) {
		return rec.Time
	}
	return time.Time{}
}

// missed looks for a miss of the newest step, and keeps it. before is the response in
// front of it, whose request was sent at last, or nil; at is when the step's came.
func (r *Run) missed(before *transport.Response, last time.Time, resp *transport.Response, at time.Time) *Miss {
	if before == nil {
		return nil
	}
	m := missBetween(before, resp, r.sentAt().Sub(last), at, r.agent.opts.Models)
	if m != nil {
		r.result.Misses = append(r.result.Misses, *m)
	}
	return m
}

// keepWarm reads the newest request's prompt again before the cache forgets it,
// for as long as Cache.KeepWarm allows, until stop is called. stop waits, and
// tells the log what was done.
func (r *Run) keepWarm(ctx context.Context) (stop func() error) {
	most := r.agent.opts.Cache.KeepWarm
	if most <= 0 {
		return func() error { return nil }
	}
	var s memory.State
	r.write(&s)
	if len(s.Requests) == 0 {
		return func() error { return nil }
	}
	sent := s.Requests[len(s.Requests)-1]
	req := r.warmRequest(s, sent)
	if req == nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var notes []memory.Record
	go func() {
		defer close(done)
		for at := sent.At.Add(warmEvery); at.Sub(sent.At) <= most; at = at.Add(warmEvery) {
			if time.Since(at) >= cacheplan.ShortLife-warmEvery {
				return // it is forgotten by now, as behind an answer that took long
			}
			timer := time.NewTimer(time.Until(at))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			if note, ok := r.warm(ctx, s, req); ok {
				notes = append(notes, note)
			} else {
				return
			}
		}
	}()
	return func() error {
		cancel()
		<-done
		l := r.pricer()
		for i := range notes {
			b := l.bill(&notes[i])
			r.spend(&b)
		}
		return r.append(ctx, notes...)
	}
}

// warmEvery leaves the request half a minute to reach the service.
const warmEvery = cacheplan.ShortLife - 30*time.Second

// warm sends one request for no tokens.
func (r *Run) warm(ctx context.Context, s memory.State, req *transport.Request) (memory.Record, bool) {
	q := r.quote(req, s)
	q.least, q.Output = 0, 0
	held, _, _ := r.reserveAll(ctx, q)
	if held == nil {
		return memory.Record{}, false
	}
	defer func() {
		if err := held.release(ctx); err != nil {
			r.warn(ctx, "what keeping the cache warm cost was not booked", "error_type", errorType(err))
		}
	}()
	at := time.Now()
	var chat observe.Chat
	ctx = r.observed.StartChat(ctx, &chat, observe.Call{Request: req, Purpose: observe.KeepWarm, New: -1})
	resp, err := guarded("Client", func() (*transport.Response, error) { return transport.Create(ctx, r.agent.opts.Client, req) })
	var bill Bill
	if resp != nil {
		bill = r.pricer().price(resp, at)
	}
	r.observed.EndChat(ctx, &chat, resp, observe.Cost(bill.Cost), 0, failureOf(err))
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			r.warn(ctx, "the cache was not kept warm", "error_type", errorType(err))
		}
		return memory.Record{}, false
	}
	held.charge(&bill)
	return memory.Record{Kind: memory.KindNote, Note: notes.Warm, Time: at, Data: pricing.NoteData(resp)}, true
}

// writesLong reports whether the whole prompt is written to the cache for an hour.
func writesLong(req *transport.Request) bool {
	return req.CacheControl != nil && req.CacheControl.TTL == transport.TTL1h || slices.ContainsFunc(req.Breakpoints, func(b transport.Breakpoint) bool {
		return b.TTL == transport.TTL1h && b.Part == transport.PartMessages && b.Index == len(req.Messages)-1
	})
}

// warmRequest is the newest request once more, for no tokens. It is nil where the
// service doesn't take one (wire §2.2).
func (r *Run) warmRequest(s memory.State, sent memory.Request) *transport.Request {
	req := r.nextRequest()
	if t := req.Thinking; t != nil && t.Type == "enabled" {
		return nil
	}
	if c := req.ToolChoice; c != nil && (c.Type == "any" || c.Type == "tool") {
		return nil
	}
	if o := req.OutputConfig; o != nil && o.Format != nil || sent.Messages > len(req.Messages) {
		return nil
	}
	req.Messages = req.Messages[:sent.Messages]
	req.MaxTokens, req.Diagnostics = 0, nil
	if req.CacheControl == nil {
		p := r.agent.prompt(req, r.key, nil, &s)
		req.Breakpoints = cacheplan.Plan(&p, r.agent.opts.Cache.options())
	}
	return req
}

// A request is a function of the log, the agent and the clock. So that the log
// alone can tell later what was sent, it is told of the other two: a run's first
// record holds the part of the request that is the same in all of its steps, if
// it isn't that of the run before, and a response's record holds where the
// request was marked, and what it asked to be diagnosed.

// sentConfig is the request without messages and marks, and without secrets.
func sentConfig(r transport.Request) []byte {
	r.Messages, r.Breakpoints, r.Diagnostics, r.Container = nil, nil, nil, nil
	r.MCPServers = withoutTokens(r.MCPServers)
	body, err := r.StreamBody()
	if err != nil {
		return nil // the first request will fail, and say why
	}
	return body.Bytes()
}

// withoutTokens blanks the authorization_token of each MCP server.
func withoutTokens(servers json.RawMessage) json.RawMessage {
	if !strings.Contains(string(servers), "authorization_token") {
		return servers
	}
	out := []byte{'['}
	for e := range rawjson.Elements(servers) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		if rawjson.Get(e, "authorization_token") != nil {
			e = rawjson.Merge(e, []byte(`{"authorization_token":"[left out]"}`))
		}
		out = append(out, e...)
	}
	return append(out, ']')
}

// lacks is what the endpoint, or the model, doesn't take inside a conversation.
func (a *Agent) lacks() sentdata.Lacks {
	system := a.takesSystemMessages()
	compaction := a.features.Compaction && a.model.Supports.Compaction == models.Supported
	return sentdata.Lacks{
		System: !system, ToolChanges: !system || !a.features.InlineTools,
		Summaries: !compaction && a.request.ContextManagement == nil,
	}
}

// write makes of a log what is sent of it, and the state that goes with that. A log
// goes on with whichever model and endpoint it is given: it stays as it is, and what
// the endpoint lacks is written otherwise, each time a request is made.
func (a *Agent) write(log *memory.Log) (sentdata.Conversation, memory.State) {
	c, s := sentdata.Write(log.Messages(), a.lacks()), log.State()
	c.Adjust(&s)
	return c, s
}

// write is [Agent.write] of the run's log, whose state it puts into s. A State is large,
// and requests are made deep in the stack.
func (r *Run) write(s *memory.State) sentdata.Conversation {
	c := r.written.Write(r.log.Messages(), r.agent.lacks())
	*s = r.log.State()
	c.Adjust(s)
	return c
}

// sentWith is what the response to req is recorded with: a sentdata.Data.
func (r *Run) sentWith(req *transport.Request) []byte {
	a, thread := r.agent, r.thread.kind
	var room [256]byte
	out := append(room[:0], '{')
	for i, b := range req.Breakpoints {
		if i == 0 {
			out = append(out, `"breakpoints":["`...)
		} else {
			out = append(out, `","`...)
		}
		out = sentdata.AppendPlace(out, b)
	}
	if len(req.Breakpoints) > 0 {
		out = append(out, `"]`...)
	}
	if req.MaxTokens != a.request.MaxTokens {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(append(out, `"max_tokens":`...), int64(req.MaxTokens), 10)
	}
	if req.Diagnostics != nil {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, `"previous_message_id":`...)
		out = rawjson.AppendString(out, req.Diagnostics.PreviousMessageID)
	}
	if thread != "" {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(append(out, `"thread":`...), thread), `,"cache_control":`...)
		switch {
		case req.CacheControl == nil || req.Thread == nil || a.request.CacheControl != nil:
			out = append(out, "null"...)
		default:
			out = rawjson.AppendString(out, string(req.CacheControl.TTL))
		}
	}
	if lacks := a.lacks(); r.written.Write(r.log.Messages(), lacks).Changed {
		for i, name := range lacks.Names() {
			switch {
			case i > 0:
				out = append(out, `","`...)
			case len(out) > 1:
				out = append(out, `,"without":["`...)
			default:
				out = append(out, `"without":["`...)
			}
			out = append(out, name...)
		}
		out = append(out, `"]`...)
	}
	return bytes.Clone(append(out, '}')) // as many bytes as it has: it is kept for long
}

// responseAt is the position of the newest response.
func (r *Run) responseAt() int {
	if r.record == 0 {
		r.record = newestResponse(r.log)
	}
	return r.record
}
