package anthropic

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/wire"
)

// Base URLs that need no setting of their own.
const (
	BaseURL      = "https://api.anthropic.com"
	CometBaseURL = "https://api.cometapi.com"
)

// Options specify which service to reach, and how. The zero value reaches
// Anthropic's, and lacks only a key.
type Options struct {
	// BaseURL is the service's address without "/v1"; empty means [BaseURL].
	BaseURL string
	// APIKey is sent as x-api-key, AuthToken as a Bearer token. The service takes
	// one of them. Neither is needed for a base URL on this machine (a loopback
	// address), with an x-api-key or authorization in Header, or with an HTTPClient,
	// which may sign the requests.
	APIKey, AuthToken secret.Value
	// BearerKey sends APIKey as "Authorization: Bearer" too, instead of as x-api-key:
	// Anthropic's own service takes either (wire §1.2), some gateways only one.
	BearerKey bool

	// HTTPClient sends the requests; nil means one of this Client's own, made for
	// many long streams. Its Timeout would cut streams short: leave it 0. An error of
	// its Transport that has a method Permanent() bool which says so is not retried.
	HTTPClient *http.Client

	// MaxRetries is how often a request is sent again after a failure that may pass;
	// 0 means 4, a negative number none.
	MaxRetries int
	// RetryBudget is how many retries all requests of the Client together may make in
	// a burst. Further ones wait their turn, up to MaxRetryDelay: the budget fills up
	// within a minute, and faster as requests succeed. 0 means 100, a negative number
	// no limit.
	RetryBudget int
	// MaxRestarts is how often a response that broke off after some of it had been
	// delivered may be started over, besides MaxRetries. The consumer of the events must
	// then drop what it has shown at [transport.EventRestarted]. 0 means never.
	MaxRestarts int
	// NoPacing turns off the waiting for rate limits that are nearly used up.
	NoPacing bool
	// MaxRetryDelay caps the pause that the service asks for with Retry-After, and the
	// waiting for rate limits; 0 means a minute.
	MaxRetryDelay time.Duration
	// HeaderTimeout is how long the service may take to begin its answer; 0 means 10
	// minutes, a negative time no limit. A connection that has served before is given
	// up much sooner where it seems dead: see docs/transports.md.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a stream may bring nothing, not even a ping; 0 means 2
	// minutes, a negative time no limit. If the service has sent pings while the model
	// was silent, three of their intervals are enough.
	IdleTimeout time.Duration

	// Models corrects and extends what is known of models. A request is checked
	// against it and [models.Known] before it is sent; an entry with nothing
	// but an ID turns the check off for that model.
	Models []models.Model

	// Version is the anthropic-version header: "2023-06-01", which empty means, or
	// "2026-10-21". The older one is the default as it has no end date, every gateway
	// knows it, and it takes all that the newer one takes. What the newer one refuses
	// (wire §1.11) is not sent under it: the error is a [*transport.RequestError]. It
	// holds for messages, token counts and the items of batches.
	Version string
	// Betas are values of the anthropic-beta header for all requests.
	Betas []string
	// Header is sent with all requests, for instance an anthropic-workspace-id.
	// Printing the Options shows it: a key belongs into APIKey or AuthToken.
	Header http.Header
	// UserAgent replaces "whorl/" and the version of the module.
	UserAgent string

	// Propagator, if not nil, adds the context of the span that a request belongs to
	// to its headers: propagation.TraceContext{} sends traceparent.
	Propagator propagation.TextMapPropagator

	// Features are what the endpoint takes beyond the common core. nil means all for
	// Anthropic's own service, and nothing for others; see [AllFeatures].
	Features *transport.Features

	// Logger is told of requests (debug), of retries and, once a day, of a model that
	// ends within 60 days or has ended (warn), never of keys and contents; nil means
	// silence.
	Logger *slog.Logger
}

// A Client sends requests over HTTP. It is a [transport.Client]; many
// goroutines may use it.
type Client struct {
	base *url.URL
	// header is what every request has, without the betas. It is a function since
	// there are keys in it, which nothing that prints a Client may find.
	header  func() http.Header
	betas   []string
	version string          // of the API
	hide    secret.Redactor // takes them out of errors and log lines
	models  []models.Model
	warned  sync.Map // of a model's id to the day on which the logger was told of its end
	http    *http.Client
	// ownHTTP says that no RoundTripper of somebody else's sees the requests, and
	// perhaps changes their headers.
	ownHTTP bool
	log     *slog.Logger
	trace   propagation.TextMapPropagator // nil for none

	features transport.Features
	budget   *retryBudget // nil: no limit
	pacer    *pacer

	maxRetries    int
	maxRestarts   int
	maxRetryDelay time.Duration
	headerTimeout time.Duration
	idleTimeout   time.Duration

	silence     time.Duration // see silence.go
	slowest     atomic.Int64  // nanoseconds until an answer began, the most that was seen
	multiplexed atomic.Bool   // the endpoint speaks HTTP/2
}

var _ transport.Client = (*Client)(nil)

// New makes a Client. It fails on a base URL that is none, on a missing key, on
// two keys at once, and on an API version that it doesn't know.
func New(o Options) (*Client, error) {
	base, err := parseBase(cmp.Or(o.BaseURL, BaseURL))
	if err != nil {
		return nil, err
	}
	own := make(http.Header, len(o.Header))
	for name, values := range o.Header {
		if slices.ContainsFunc(values, func(v string) bool { return !isHeaderValue(v) }) {
			return nil, fmt.Errorf("anthropic: the header %s holds a line break or another character that no header may have", name)
		}
		own[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	switch {
	case !o.APIKey.IsZero() && !o.AuthToken.IsZero():
		return nil, errors.New("anthropic: both an API key and an auth token are set; the service refuses a request with both, so set one")
	case o.APIKey.IsZero() && o.AuthToken.IsZero() && own.Get("X-Api-Key") == "" && own.Get("Authorization") == "" && o.HTTPClient == nil && !isLoopback(base.Hostname()):
		return nil, fmt.Errorf("anthropic: no key for %s: set Options.APIKey (ANTHROPIC_API_KEY) or Options.AuthToken (ANTHROPIC_AUTH_TOKEN)", base.Host)
	}
	for _, key := range []secret.Value{o.APIKey, o.AuthToken} {
		if strings.ContainsFunc(key.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, errors.New("anthropic: the key holds a space, a line break or another character that no key has; check how it was set")
		}
	}
	version, err := versionOf(&o, own)
	if err != nil {
		return nil, err
	}
	c := &Client{
		base:          base,
		version:       version,
		betas:         slices.Concat(o.Betas, betasIn(own)),
		models:        o.Models,
		http:          o.HTTPClient,
		log:           o.Logger,
		trace:         o.Propagator,
		pacer:         newPacer(),
		maxRetries:    orDefault(o.MaxRetries, 4),
		maxRestarts:   o.MaxRestarts,
		maxRetryDelay: cmp.Or(o.MaxRetryDelay, time.Minute),
		headerTimeout: orDefault(o.HeaderTimeout, 10*time.Minute),
		idleTimeout:   orDefault(o.IdleTimeout, 2*time.Minute),
		features:      featuresOf(base),
		silence:       silence,
	}
	if o.Features != nil {
		c.features = *o.Features
	}
	if n := orDefault(o.RetryBudget, 100); n > 0 {
		c.budget = newRetryBudget(n)
	}
	if o.NoPacing {
		c.pacer = nil
	}
	if c.http == nil {
		c.http, c.ownHTTP = newHTTPClient(), true
	}
	if c.http.CheckRedirect == nil {
		// A redirect could carry x-api-key to another host; it is an error instead.
		own := *c.http
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		c.http = &own
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	header := http.Header{
		"Content-Type":      {"application/json"},
		"Accept":            {"application/json"},
		"Anthropic-Version": {version},
		"User-Agent":        {cmp.Or(o.UserAgent, "whorl/"+wire.Version)},
	}
	maps.Copy(header, own)
	header.Del("Anthropic-Beta") // they are among the betas
	switch {
	case !o.APIKey.IsZero() && o.BearerKey:
		header.Set("Authorization", "Bearer "+o.APIKey.Reveal())
	case !o.APIKey.IsZero():
		header.Set("X-Api-Key", o.APIKey.Reveal())
	case !o.AuthToken.IsZero():
		header.Set("Authorization", "Bearer "+o.AuthToken.Reveal())
	}
	c.header = func() http.Header { return header }
	c.hide = secret.NewRedactor(secret.InHeader(header)...)
	return c, nil
}

// BaseURL is the service's address, without "/v1".
func (c *Client) BaseURL() string { return c.base.String() }

// Features are what the endpoint takes; see [Options].
func (c *Client) Features() transport.Features { return c.features }

// AllFeatures are the features of Anthropic's own service, for [Options.Features]
// of an endpoint that is known to have them too: the simulator, or a gateway that
// passes on whatever it is sent.
func AllFeatures() *transport.Features {
	return &transport.Features{LongCache: true, Diagnostics: true, SystemMessages: true, Compaction: true, InlineTools: true, Threads: true}
}

// featuresOf are an endpoint's features, as far as its host tells. A loopback
// address tells nothing: most gateways that people run stand there, and refuse what
// they don't know.
func featuresOf(base *url.URL) transport.Features {
	if base.Hostname() == "api.anthropic.com" {
		return *AllFeatures()
	}
	return transport.Features{}
}

// CloseIdleConnections closes the connections that no request is using.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// orDefault is v, or def if v is zero, or zero if v is negative.
func orDefault[T int | time.Duration](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return 0
	}
	return v
}

// newHTTPClient makes a client for many long streams at once.
func newHTTPClient() *http.Client { return &http.Client{Transport: &spread{make: newTransport}} }

// Sizes of a connection's buffers, in bytes, which it has as long as it is open.
// The head of a request is to fit, as a body goes past the buffer; and a few
// events, as they come one by one.
const (
	headBuffer = 1 << 10
	readBuffer = 2 << 10
)

// newTransport differs from the standard library's in what many streams need: it
// keeps a connection for each of them, where the default keeps 2 per host and
// dials again for a burst of steps. There is no compression: it holds back events,
// and costs more time than it saves.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAliveConfig: keepAlive, Control: limitUnacknowledged}
	return &http.Transport{
		Proxy:                  proxyFromEnvironment,
		DialContext:            bulkDialer(dialer.DialContext),
		ForceAttemptHTTP2:      true,
		HTTP2:                  http2Config(),
		OnProxyConnectResponse: proxyAnswered,
		MaxIdleConnsPerHost:    perTransport,
		WriteBufferSize:        headBuffer,
		ReadBufferSize:         readBuffer,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    15 * time.Second,
		ExpectContinueTimeout:  time.Second,
		DisableCompression:     true,
	}
}

func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("anthropic: the base URL is not a URL of the form https://host") // it may hold a key
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("anthropic: base URL with a user, a query or a fragment; give https://host and the key in Options.APIKey")
	}
	u.Path = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v1")
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
