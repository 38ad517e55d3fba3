package platform

import (
	"cmp"
	"context"
	"iter"
	"net/http"
	"slices"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/models"
)

// A Config describes a platform and the way to it.
type Config struct {
	Rules   Rules
	BaseURL string // of the platform, without "/v1"; Options.BaseURL replaces it

	// Options are those of the client that sends the requests: retries, time limits,
	// logging, models, betas. Its HTTPClient, if there is one, sends what this package
	// has adapted. Features replace those of Rules.
	Options anthropic.Options

	// Authorize adds the credentials to a request, which is complete by then: its body
	// can be read by GetBody, any number of times. nil adds none.
	Authorize func(*http.Request) error
	// Adapt gives a request the platform's form; nil leaves it in Anthropic's.
	Adapt func(*http.Request) error
	// Answer looks at an answer before the client does: it may change it to
	// Anthropic's form, or ask for the request to be sent once more. nil takes it as it
	// came.
	Answer func(*http.Request, *http.Response) (again bool, err error)
}

// A Client reaches a platform. It is a [transport.Client] that refuses what the
// platform is known not to take, before anything is sent. Many goroutines may use it.
type Client struct {
	api   *anthropic.Client
	front *front
	rules Rules
	own   []models.Model
}

var _ transport.Client = (*Client)(nil)

// New makes a Client. The packages of the clouds do so with their own Config.
func New(c Config) (*Client, error) {
	o := c.Options
	o.BaseURL = cmp.Or(o.BaseURL, c.BaseURL)
	if o.Features == nil {
		features := c.Rules.Features
		o.Features = &features
	}
	own := slices.Concat(o.Models, c.Rules.table())
	o.Models = own
	front, err := newFront(&c, o.BaseURL, o.HTTPClient)
	if err != nil {
		return nil, err
	}
	client := http.Client{}
	if o.HTTPClient != nil {
		client = *o.HTTPClient
	}
	client.Transport = front
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	o.HTTPClient = &client
	api, err := anthropic.New(o)
	if err != nil {
		return nil, err
	}
	return &Client{api: api, front: front, rules: c.Rules, own: own}, nil
}

// Stream sends req and yields the events of the response, as
// [anthropic.Client.Stream] does. What the platform doesn't take is an
// [*UnsupportedError], and is not sent.
func (c *Client) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		if err := c.Check(req); err != nil {
			yield(transport.Event{}, err)
			return
		}
		for ev, err := range c.api.Stream(ctx, req) {
			if !yield(ev, c.hidden(err)) {
				return
			}
		}
	}
}

// Check returns an [*UnsupportedError] for what the platform is known not to take of
// a request, and nil if there is nothing.
func (c *Client) Check(req *transport.Request) error {
	if e := c.rules.check(req); e != nil {
		e.Model = req.Model
		return &UnsupportedError{Platform: c.rules.Name, Request: e}
	}
	return nil
}

// CountTokens asks how many tokens the prompt of req has, where the platform counts.
func (c *Client) CountTokens(ctx context.Context, req *transport.Request) (int, error) {
	if err := c.Check(req); err != nil {
		return 0, err
	}
	n, err := c.api.CountTokens(ctx, req)
	return n, c.hidden(err)
}

// API is the client that sends the requests, for the endpoints beside messages. What
// the platform doesn't serve fails with an [*UnsupportedError].
func (c *Client) API() *anthropic.Client { return c.api }

// Features are what the platform takes.
func (c *Client) Features() transport.Features { return c.api.Features() }

// BaseURL is the platform's address.
func (c *Client) BaseURL() string { return c.api.BaseURL() }

// Platform is the name of the platform, such as "Amazon Bedrock".
func (c *Client) Platform() string { return c.rules.Name }

// Provider is what traces call the platform, such as "aws.bedrock".
func (c *Client) Provider() string { return cmp.Or(c.rules.Provider, "anthropic") }

// RateLimits are what the platform last said of its limits, by model.
func (c *Client) RateLimits() map[string]transport.RateLimit { return c.api.RateLimits() }

// CloseIdleConnections closes the connections that no request is using.
func (c *Client) CloseIdleConnections() { c.api.CloseIdleConnections() }

// Models are the models at this platform's prices, for the Models of agent.Options.
// Answers name a model without what the platform adds to its id, so the ids that
// requests name have to be told where the price hangs on them: on Bedrock. Without
// any, the prices are those of the platform at the place that the client was made for.
func (c *Client) Models(ids ...string) []models.Model {
	var out []models.Model
	for _, id := range ids {
		m, ok := models.Lookup(id, c.own...)
		if !ok {
			continue
		}
		if plain, ok := Plain(id); ok {
			known, _ := models.Lookup(plain)
			m.Aliases = slices.Concat(m.Aliases, []string{known.ID}, known.Aliases)
		}
		out = append(out, m)
	}
	return append(out, c.own...)
}
