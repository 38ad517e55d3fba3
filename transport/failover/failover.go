package failover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// An Endpoint is a service that can continue a conversation.
type Endpoint struct {
	// Name names the endpoint in events, traces and bills. It is required and must be
	// unique.
	Name   string
	Client transport.Client
	// Model returns the endpoint's id for the model of a request. If it is nil, or
	// returns "", the id is unchanged. For clouds, platform.IDForm.ID of transport/clouds
	// returns their ids.
	Model func(id string) string
	// SameAccount is true if the endpoint serves the same account as the first one, so
	// that the first one's ids of files, containers and threads are valid here.
	SameAccount bool
	// Prices are the endpoint's prices, by the ids that requests or responses name; nil
	// means those of package models.
	Prices []models.Model
}

// Options configure a [Client].
type Options struct {
	// Endpoints are tried in this order. There must be at least two.
	Endpoints []Endpoint
	// Rest is the time during which an endpoint that failed is tried only after all
	// others; 0 means one minute.
	Rest time.Duration
	// On reports whether to try another endpoint after an error; nil means [Unavailable].
	On func(error) bool
	// Restart also tries another endpoint if a response breaks off after part of it was
	// delivered. At [transport.EventRestarted], the consumer of the events must then
	// discard that part.
	Restart bool
	// Observe, if not nil, is called when a request is answered by another endpoint than
	// the request before. It must be safe for concurrent use.
	Observe func(context.Context, Switch)
}

// A Switch reports that a request was answered by another endpoint than the request
// before.
type Switch struct {
	From, To string   // names of endpoints
	Err      error    // of the endpoint that was asked last before To; nil if this request failed at no endpoint
	LeftOut  []string // what To can't take, such as "thread"
}

// A Client sends each request to one of several endpoints. It is a [transport.Client] and
// safe for concurrent use.
type Client struct {
	o      Options
	known  known
	mu     sync.Mutex
	failed []time.Time // by endpoint; zero if it answered last
	last   int         // the endpoint that answered last
	now    func() time.Time
}

var _ transport.Client = (*Client)(nil)

// An EndpointError reports an endpoint that a [Client] can't have.
type EndpointError struct {
	Index  int    // in Options.Endpoints
	Name   string // may be empty
	Reason string
}

func (e *EndpointError) Error() string {
	return fmt.Sprintf("failover: Endpoints[%d] (%q): %s", e.Index, e.Name, e.Reason)
}

// isNil reports whether a client is a nil pointer, map or function.
func isNil(c transport.Client) bool {
	switch v := reflect.ValueOf(c); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Chan, reflect.Slice:
		return v.IsNil()
	}
	return false
}

// New returns a Client. It fails if there are fewer than two endpoints and, with an
// [*EndpointError], if an endpoint has no client or a nil one, or if a name is empty or
// used twice.
func New(o Options) (*Client, error) {
	if len(o.Endpoints) < 2 {
		return nil, errors.New("failover: Options.Endpoints has fewer than two endpoints; list the first one and another for when it fails")
	}
	names := map[string]bool{}
	for i, e := range o.Endpoints {
		why := ""
		switch {
		case e.Client == nil:
			why = "it has no Client"
		case isNil(e.Client):
			why = fmt.Sprintf("its Client is a nil %T; check the error of the function that made it", e.Client)
		case e.Name == "":
			why = "it has no Name; set one, for bills and traces"
		case names[e.Name]:
			why = fmt.Sprintf("two endpoints have the Name %q; give each its own", e.Name)
		}
		if why != "" {
			return nil, &EndpointError{Index: i, Name: e.Name, Reason: why}
		}
		names[e.Name] = true
	}
	o.Endpoints = slices.Clone(o.Endpoints)
	o.Rest = cmp.Or(o.Rest, time.Minute)
	if o.On == nil {
		o.On = Unavailable
	}
	return &Client{o: o, failed: make([]time.Time, len(o.Endpoints)), now: time.Now}, nil
}

// Features returns the features that an agent may use. Those that become part of the log
// (system messages and changes of tools inside a conversation, summaries of the service)
// are the ones that all endpoints have. The rest are those of the first endpoint, and are
// left out for the others.
func (c *Client) Features() transport.Features {
	f := transport.FeaturesOf(c.o.Endpoints[0].Client)
	for _, e := range c.o.Endpoints[1:] {
		g := transport.FeaturesOf(e.Client)
		f.SystemMessages = f.SystemMessages && g.SystemMessages
		f.InlineTools = f.InlineTools && g.InlineTools
		f.Compaction = f.Compaction && g.Compaction
	}
	return f
}

// BaseURL returns the base URL of the first endpoint; it is empty if that endpoint has
// none.
func (c *Client) BaseURL() string {
	if b, ok := transport.As[interface{ BaseURL() string }](c.o.Endpoints[0].Client); ok {
		return b.BaseURL()
	}
	return ""
}

// Models returns the endpoints' prices, for the Models of agent.Options. The models of
// the first endpoint are listed by their ids. The models of every endpoint are also
// listed as the endpoint's name, a slash and the id, by which an agent prices the
// endpoint's responses.
func (c *Client) Models() []models.Model {
	out := slices.Clone(c.o.Endpoints[0].Prices)
	for _, e := range c.o.Endpoints {
		for _, m := range e.Prices {
			m.Aliases = slices.Clone(m.Aliases)
			m.ID = e.Name + "/" + m.ID
			for i := range m.Aliases {
				m.Aliases[i] = e.Name + "/" + m.Aliases[i]
			}
			out = append(out, m)
		}
	}
	return out
}

// order is the order in which endpoints are asked: those that rest come last.
func (c *Client) order() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	var up, resting []int
	for i, at := range c.failed {
		if !at.IsZero() && now.Sub(at) < c.o.Rest {
			resting = append(resting, i)
		} else {
			up = append(up, i)
		}
	}
	return append(up, resting...)
}

// answered notes how an endpoint did. It reports whether it is another one than
// answered before.
func (c *Client) answered(i int, ok bool) (before int, changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		c.failed[i] = c.now()
		return 0, false
	}
	c.failed[i] = time.Time{}
	before, c.last = c.last, i
	return before, before != i
}

// Stream sends req to the first endpoint that answers, and yields the events of the
// response. A request that is nil is a [*transport.RequestError].
func (c *Client) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		if req == nil {
			yield(transport.Event{}, fmt.Errorf("failover: %w", &transport.RequestError{Field: "request", Reason: "it is nil"}))
			return
		}
		x := exchange{c: c, ctx: ctx, req: req, yield: yield}
		x.run()
	}
}

// Unavailable reports whether err means that an endpoint doesn't serve requests but
// another one might: a status of 5xx, including 529, a lack of credit, a spending limit,
// or no answer at all. It is false if the service refuses the request itself, and for a
// rate limit, which is temporary.
func Unavailable(err error) bool {
	var refused *transport.Error
	var wrong *transport.RequestError
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.As(err, &wrong):
		return false
	case errors.As(err, &refused):
		return refused.Status >= 500 || errors.Is(refused, transport.ErrBilling) || errors.Is(refused, transport.ErrOverloaded) ||
			refused.Code == "enforced_spend_limit_reached" || refused.Code == "contract_spend_limit_reached"
	case errors.Is(err, transport.ErrAuthentication): // credentials that a cloud's library can't find
		return false
	}
	return true
}

// An Error reports a request that no endpoint answered. [errors.Is] and [errors.As]
// examine the failures in order.
type Error struct{ Failures []Failure }

// A Failure is the reason why an endpoint didn't answer.
type Failure struct {
	Endpoint string
	Err      error
	Attempts int // how many times the request was sent to it
}

func (e *Error) Error() string {
	s := "no endpoint answered"
	for i, f := range e.Failures {
		s += map[bool]string{true: ": ", false: "; "}[i == 0] + f.Endpoint + ": " + f.Err.Error()
	}
	return s
}

// Unwrap returns the failures' errors.
func (e *Error) Unwrap() []error {
	var all []error
	for _, f := range e.Failures {
		all = append(all, f.Err)
	}
	return all
}
