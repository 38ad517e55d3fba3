package failover

import (
	"context"
	"encoding/json"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/whorl-go/whorl/transport"
)

// EventSwitched is the type of an event of this package. It precedes the events of any
// endpoint but the first in order. Its Raw names the endpoints and the reason:
//
//	{"type":"failover","from":"anthropic","to":"vertex","reason":"overloaded_error","left_out":["thread"]}
const EventSwitched transport.EventType = "failover"

// mostTries is how often a request is sent to one endpoint, each time without
// something more that the endpoint doesn't take.
const mostTries = 6

// An exchange is one call of Stream.
type exchange struct {
	c     *Client
	ctx   context.Context
	req   *transport.Request
	yield func(transport.Event, error) bool

	shown     bool // events of a response have been yielded, and aren't void
	delivered bool // content was among them
	stopped   bool // the consumer wants no more
	attempts  int  // that failed, at all endpoints
	lost      int
	tried     int // those of them at the endpoint that is asked now
}

func (x *exchange) run() {
	order := x.c.order()
	var failures []Failure
	for n, i := range order {
		var why error
		if n > 0 {
			why = failures[n-1].Err
		}
		x.tried = 0
		err := x.at(i, why, failures)
		if err == nil || x.stopped {
			return
		}
		x.count(err)
		failures = append(failures, Failure{Endpoint: x.c.o.Endpoints[i].Name, Err: err, Attempts: x.tried})
		if x.ctx.Err() != nil {
			break
		}
		serves := !x.c.o.On(err)
		if !serves {
			x.c.answered(i, false)
		}
		// What the first endpoint refuses is the request's own fault. Another one may
		// refuse what the first would take, also while that one rests.
		if serves && i == 0 || x.delivered && !x.c.o.Restart {
			break
		}
	}
	last := failures[len(failures)-1].Err
	if len(failures) > 1 {
		last = &Error{Failures: failures}
	} else if refused, ok := last.(*transport.Error); ok && x.tried > max(1, refused.Attempts) {
		all := *refused // the client's own says nothing of what was sent before
		all.Attempts = x.tried
		last = &all
	}
	x.yield(transport.Event{}, last)
}

// count keeps what a failure cost.
func (x *exchange) count(err error) {
	sent, lost := cost(err)
	x.attempts += sent
	x.tried += sent
	x.lost += lost
}

// cost is how often a request was sent for a failure, and how many of these attempts
// were lost. A failure of a [Client] has those of all of its endpoints.
func cost(err error) (sent, lost int) {
	var all *Error
	if errors.As(err, &all) {
		for _, f := range all.Failures {
			s, l := cost(f.Err)
			sent += max(s, f.Attempts)
			lost += l
		}
		return sent, lost
	}
	var wrong *transport.RequestError
	if !errors.As(err, &wrong) { // which was not sent
		sent = 1
	}
	var refused *transport.Error
	if errors.As(err, &refused) {
		sent = max(sent, refused.Attempts)
	}
	var gone *transport.LostError
	if errors.As(err, &gone) {
		lost = gone.Attempts
	}
	return max(sent, lost), lost
}

// at asks one endpoint, again without what it turns out not to take.
func (x *exchange) at(i int, why error, failures []Failure) error {
	c := x.c
	a := &adapted{c: c, at: i, why: why}
	req, err := a.request(x.req)
	if err != nil {
		return err
	}
	told := false
	for tries := 1; ; tries++ {
		began, err := x.once(i, req, func() bool {
			if told || i == 0 && len(failures) == 0 && len(a.leftOut) == 0 {
				return true
			}
			told = true
			return x.tell(i, why, failures, a.leftOut)
		}, a)
		if err == nil || x.stopped || began || x.ctx.Err() != nil || tries == mostTries {
			return err
		}
		less := a.without(req, err)
		if less == nil {
			return err
		}
		x.count(err)
		req = less
	}
}

// once sends a request and yields what comes. before is called in front of the first
// event. began reports whether there was one.
func (x *exchange) once(i int, req *transport.Request, before func() bool, a *adapted) (began bool, err error) {
	e := &x.c.o.Endpoints[i]
	whole := false
	stream := e.Client.Stream(x.ctx, req)
	if stream == nil {
		stream = func(func(transport.Event, error) bool) {}
	}
	for ev, err := range stream {
		if err != nil {
			return began, err
		}
		if !began {
			began = true
			if x.shown { // what another endpoint, or this one before, had begun is void
				x.shown, x.delivered = false, false
				if !x.pass(transport.Event{Type: transport.EventRestarted}) {
					return true, nil
				}
			}
			if !before() {
				x.stopped = true
				return true, nil
			}
		}
		switch ev.Type {
		case transport.EventMessageStop:
			whole = true
		case transport.EventContentBlockDelta, transport.EventContentBlockStop:
			x.delivered = true
		case transport.EventRestarted:
			x.delivered = false
		}
		if ev.Response != nil {
			r := *ev.Response // the client may keep its own
			ev.Response = &r
			r.Meta.Endpoint = e.Name
			r.Meta.Attempts += x.attempts
			r.Meta.Lost += x.lost
		}
		if ev.Type == transport.EventMessageStop && ev.Response != nil {
			x.c.known.response(i, ev.Response, req.Thread != nil)
			before, changed := x.c.answered(i, true)
			if changed && x.c.o.Observe != nil {
				x.c.o.Observe(x.ctx, Switch{From: x.c.o.Endpoints[before].Name, To: e.Name, Err: a.why, LeftOut: a.leftOut})
			}
			trace.SpanFromContext(x.ctx).SetAttributes(attribute.String("whorl.endpoint", e.Name))
		}
		x.shown = true
		if !x.pass(ev) {
			return true, nil
		}
	}
	if !began {
		return false, &transport.StreamError{Err: errors.New("the endpoint " + e.Name + " sent an empty response")}
	}
	if !whole { // a client of somebody else's may end without an error
		return true, &transport.StreamError{Err: errors.New("the endpoint " + e.Name + " ended the stream without message_stop"), Delivered: x.delivered}
	}
	return true, nil
}

func (x *exchange) pass(ev transport.Event) bool {
	x.stopped = !x.yield(ev, nil)
	return !x.stopped
}

// tell reports that another endpoint answers, or that one answers without something.
func (x *exchange) tell(i int, why error, failures []Failure, leftOut []string) bool {
	from := x.c.o.Endpoints[0].Name
	if len(failures) > 0 {
		from = failures[len(failures)-1].Endpoint
	}
	to := x.c.o.Endpoints[i].Name
	told := struct {
		Type    transport.EventType `json:"type"`
		From    string              `json:"from"`
		To      string              `json:"to"`
		Reason  string              `json:"reason,omitempty"`
		LeftOut []string            `json:"left_out,omitempty"`
	}{EventSwitched, from, to, reason(why), leftOut}
	raw, err := json.Marshal(told)
	if err != nil {
		return true
	}
	attrs := []attribute.KeyValue{attribute.String("whorl.failover.from", from), attribute.String("whorl.failover.to", to)}
	if told.Reason != "" {
		attrs = append(attrs, attribute.String("error.type", told.Reason))
	}
	if len(leftOut) > 0 {
		attrs = append(attrs, attribute.StringSlice("whorl.failover.left_out", leftOut))
	}
	trace.SpanFromContext(x.ctx).AddEvent("whorl.failover", trace.WithAttributes(attrs...))
	return x.yield(transport.Event{Type: EventSwitched, Raw: raw}, nil)
}

// reason is an error in a word: its text may hold what is nobody's business.
func reason(err error) string {
	var refused *transport.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		return string(refused.Type)
	}
	return "unreachable"
}

// An adapted request is one in the form that an endpoint takes.
type adapted struct {
	c       *Client
	at      int
	why     error
	leftOut []string
}
