package agent

import (
	"context"
	"errors"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/agent/internal/observe"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// keepWarm reads the newest request's prompt again before the cache forgets it,
// for as long as Cache.KeepWarm allows, until stop is called. stop waits, and
// tells the log what was done.
func (r *Run) keepWarm(ctx context.Context) (stop func() error) {
	most := r.agent.opts.Cache.KeepWarm
	if most <= 0 {
		return func() error { return nil }
	}
	_, s := r.agent.write(r.log)
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
			r.spend(l.bill(&notes[i]))
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
		bill = r.price(resp, at)
	}
	r.observed.EndChat(ctx, &chat, resp, observe.Cost(bill.Cost), 0, failureOf(err))
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			r.warn(ctx, "the cache was not kept warm", "error_type", errorType(err))
		}
		return memory.Record{}, false
	}
	held.charge(bill)
	return memory.Record{Kind: memory.KindNote, Note: notes.Warm, Time: at, Data: resp.Raw()}, true
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
		req.Breakpoints = cacheplan.Plan(r.agent.prompt(req, r.key, s), r.agent.opts.Cache.options())
	}
	return req
}
