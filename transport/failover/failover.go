package failover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// An Endpoint is one of the places where a conversation can be continued.
type Endpoint struct {
	// Name stands for it in events, traces and bills. It is required, and no two are the
	// same.
	Name   string
	Client transport.Client
	// Model is what the endpoint calls a model that a request names; nil, and an empty
	// answer, mean the same. platform.IDForm.ID of transport/clouds knows the clouds' ids.
	Model func(id string) string
	// SameAccount says that it is another way to the account of the first endpoint: ids
	// of files, containers and threads of that one are good here.
	SameAccount bool
	// Prices are those of the endpoint, by its ids or those of its answers; nil means
	// what package models has.
	Prices []models.Model
}

// Options configure a [Client].
type Options struct {
	// Endpoints are tried in this order. There are two at least.
	Endpoints []Endpoint
	// Rest is how long an endpoint that failed is asked only if no other one answers; 0
	// means a minute.
	Rest time.Duration
	// On reports whether another endpoint is asked after an error; nil means
	// [Unavailable].
	On func(error) bool
	// Restart asks another endpoint for a response that broke off after some of it was
	// delivered, too. The consumer of the events must then drop what it has shown at
	// [transport.EventRestarted].
	Restart bool
	// Observe is told of each time that another endpoint answers than before, if not
	// nil, from many goroutines.
	Observe func(context.Context, Switch)
}

// A Switch is a request that another endpoint was asked than the first in order.
type Switch struct {
	From, To string   // names of endpoints
	Err      error    // why; nil if From failed for another request and rests
	LeftOut  []string // what To could not take, in words, such as "thread"
}

// A Client asks one of several endpoints. It is a [transport.Client]; many goroutines
// may use it.
type Client struct {
	o      Options
	known  known
	mu     sync.Mutex
	failed []time.Time // by endpoint; zero if it answered last
	last   int         // the endpoint that answered last
	now    func() time.Time
}

var _ transport.Client = (*Client)(nil)

// New makes a Client. It fails with less than two endpoints, and for one without a
// client or with a name that is empty or used twice.
func New(o Options) (*Client, error) {
	if len(o.Endpoints) < 2 {
		return nil, errors.New("failover: there are less than two endpoints: give the one to use, and another for when it fails")
	}
	names := map[string]bool{}
	for i, e := range o.Endpoints {
		switch {
		case e.Client == nil:
			return nil, fmt.Errorf("failover: Endpoints[%d] has no Client", i)
		case e.Name == "":
			return nil, fmt.Errorf("failover: Endpoints[%d] has no Name: bills and traces need one", i)
		case names[e.Name]:
			return nil, fmt.Errorf("failover: two endpoints are called %q", e.Name)
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

// Features are what all endpoints take of what a log keeps (system messages and
// changes of tools inside a conversation, summaries of the service), and what the first
// takes of the rest, which is left out for the others.
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

// BaseURL is that of the first endpoint; empty if it has none.
func (c *Client) BaseURL() string {
	if b, ok := transport.As[interface{ BaseURL() string }](c.o.Endpoints[0].Client); ok {
		return b.BaseURL()
	}
	return ""
}

// Models are the endpoints' prices, for the Models of agent.Options. Those of the first
// endpoint have their own ids; those of each have them also behind the endpoint's name
// and a slash, by which an agent prices what the endpoint answered.
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
// response.
func (c *Client) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		x := exchange{c: c, ctx: ctx, req: req, yield: yield}
		x.run()
	}
}

// Unavailable reports whether an error says that an endpoint doesn't serve, while
// another one might: a status of 5xx, 529 included, a lack of credit or a limit on
// spending, or no answer at all. What the request is refused for is no such error, nor
// is a rate limit, which passes.
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

// An Error is a request that no endpoint answered. errors.Is and errors.As look at the
// failures in their order.
type Error struct{ Failures []Failure }

// A Failure is why an endpoint didn't answer.
type Failure struct {
	Endpoint string
	Err      error
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
