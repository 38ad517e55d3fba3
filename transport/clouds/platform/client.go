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

// A Config describes a platform and how to connect to it.
type Config struct {
	Rules   Rules
	BaseURL string // of the platform, without "/v1"; Options.BaseURL replaces it

	// Options are those of the client that sends the requests: retries, time limits,
	// logging, models, betas. Its HTTPClient, if there is one, sends what this package
	// has adapted. Features replace those of Rules.
	Options anthropic.Options

	// Authorize adds the credentials to a request. The request is complete; its body can
	// be read with GetBody any number of times. Nil adds none.
	Authorize func(*http.Request) error
	// Adapt converts a request to the platform's form; nil leaves it in Anthropic's.
	Adapt func(*http.Request) error
	// Answer is called with each response before the client reads it. It may convert the
	// response to Anthropic's form, or return true to send the request again. Nil leaves
	// responses as they are.
	Answer func(*http.Request, *http.Response) (again bool, err error)
}

// A Client connects to a platform. It is a [transport.Client] that refuses requests with
// features that the platform is known not to support, before it sends anything. It is
// safe for concurrent use.
type Client struct {
	api   *anthropic.Client
	front *front
	rules Rules
	own   []models.Model
}

var _ transport.Client = (*Client)(nil)

// New returns a Client. The packages of the clouds call it with their own Config.
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

// Stream sends req and yields the events of the response, as [anthropic.Client.Stream]
// does. A request with a feature that the platform doesn't support fails with an
// [*UnsupportedError] and is not sent.
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

// Check returns an [*UnsupportedError] if the platform is known not to support a feature
// of the request, and nil otherwise.
func (c *Client) Check(req *transport.Request) error {
	if req == nil {
		return nil // the client that sends requests says so
	}
	if e := c.rules.check(req); e != nil {
		e.Model = req.Model
		return &UnsupportedError{Platform: c.rules.Name, Request: e}
	}
	return nil
}

// CountTokens returns the number of tokens of the prompt of req, if the platform can
// count them.
func (c *Client) CountTokens(ctx context.Context, req *transport.Request) (int, error) {
	if err := c.Check(req); err != nil {
		return 0, err
	}
	n, err := c.api.CountTokens(ctx, req)
	return n, c.hidden(err)
}

// API returns the client that sends the requests, for the endpoints other than messages.
// Requests to endpoints that the platform doesn't serve fail with an [*UnsupportedError].
func (c *Client) API() *anthropic.Client { return c.api }

// Features returns the features that the platform supports.
func (c *Client) Features() transport.Features { return c.api.Features() }

// BaseURL returns the platform's address.
func (c *Client) BaseURL() string { return c.api.BaseURL() }

// Platform returns the name of the platform, such as "Amazon Bedrock".
func (c *Client) Platform() string { return c.rules.Name }

// Provider returns the platform's name in traces, such as "aws.bedrock".
func (c *Client) Provider() string { return cmp.Or(c.rules.Provider, "anthropic") }

// RateLimits returns the rate limits that the platform last reported, by model.
func (c *Client) RateLimits() map[string]transport.RateLimit { return c.api.RateLimits() }

// CloseIdleConnections closes the connections that no request is using.
func (c *Client) CloseIdleConnections() { c.api.CloseIdleConnections() }

// Models returns the models with this platform's prices, for the Models of agent.Options.
// ids are the ids that requests name. They are needed on Bedrock, where the price depends
// on parts of the id that responses leave out. Without ids, the prices are those of the
// location that the client was made for.
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
