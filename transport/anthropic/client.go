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
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/wire"
)

// Base URLs of known services.
const (
	BaseURL      = "https://api.anthropic.com"
	CometBaseURL = "https://api.cometapi.com"
)

// Options specify which service to use, and how. The zero value is valid for
// Anthropic's service except for the missing key.
type Options struct {
	// BaseURL is the service's address without "/v1"; empty means [BaseURL].
	BaseURL string
	// APIKey is sent as x-api-key, AuthToken as a Bearer token. Set one of them.
	// Neither is required if the base URL is a loopback address, if Header has
	// x-api-key or authorization, or if there is an HTTPClient, which may sign the
	// requests.
	APIKey, AuthToken secret.Value
	// BearerKey sends APIKey as "Authorization: Bearer" instead of x-api-key.
	// Anthropic's own service accepts both (wire §1.2), some gateways only one.
	BearerKey bool

	// HTTPClient sends the requests; nil means a client that is configured for many
	// long streams. Leave its Timeout 0, as it would cut streams short. An error of its
	// Transport is not retried if it has a method Permanent() bool that returns true.
	HTTPClient *http.Client

	// MaxRetries is the maximum number of times that a request is sent again after a
	// temporary failure; 0 means 4, a negative number none.
	MaxRetries int
	// RetryBudget is the number of retries that all requests of the Client together may
	// make in a burst; 0 means 100, a negative number no limit. Further retries wait,
	// up to MaxRetryDelay. The budget refills within a minute, and faster as requests
	// succeed.
	RetryBudget int
	// MaxRestarts is the maximum number of times that a response which broke off after
	// a part of it was delivered is started over, in addition to MaxRetries; 0 means
	// never. At [transport.EventRestarted] the consumer of the events must drop what it
	// has shown.
	MaxRestarts int
	// NoPacing turns off waiting for rate limits that are nearly used up.
	NoPacing bool
	// MaxRetryDelay limits the delay that the service requests with Retry-After, and
	// the wait for rate limits; 0 means one minute.
	MaxRetryDelay time.Duration
	// HeaderTimeout is the maximum time until the response begins; 0 means 10 minutes,
	// a negative time no limit. A reused connection is given up much sooner if it seems
	// dead; see docs/transports.md.
	HeaderTimeout time.Duration
	// IdleTimeout is the maximum time between two events of a stream, pings included; 0
	// means 2 minutes, a negative time no limit. If the service sends pings while the
	// model is silent, the timeout is three times their interval.
	IdleTimeout time.Duration

	// Models corrects and extends the table of models. A request is checked against
	// Models and [models.Known] before it is sent. An entry with only an ID turns the
	// check off for that model.
	Models []models.Model

	// Version is the anthropic-version header, [APIVersion] or [APIVersion2026]; empty
	// means APIVersion. The older version is the default because it has no end date,
	// every gateway knows it, and it accepts all that the newer one accepts. What the
	// newer version refuses (wire §1.11) is not sent under it: the error is a
	// [*transport.RequestError]. Version applies to messages, token counts and the
	// items of batches.
	Version string
	// Betas are values of the anthropic-beta header for all requests.
	Betas []string
	// Header is sent with all requests, for instance an anthropic-workspace-id.
	// Printing the Options shows it, so put keys into APIKey or AuthToken.
	Header http.Header
	// UserAgent replaces "whorl/" and the version of the module.
	UserAgent string

	// Propagator, if not nil, adds the context of a request's span to its headers:
	// propagation.TraceContext{} sends traceparent.
	Propagator propagation.TextMapPropagator

	// Features are the features of the endpoint beyond the common core. Nil means all
	// for Anthropic's own service and none for others; see [AllFeatures].
	Features *transport.Features

	// Logger logs requests (debug), retries and, once a day, the use of a model that
	// ends within 60 days or has ended (warn). It never gets keys or content. Nil means
	// no logging.
	Logger *slog.Logger
}

// A Client sends requests over HTTP. It is a [transport.Client] and safe for concurrent
// use.
type Client struct {
	base     *url.URL
	messages *url.URL // of messagesPath, so that it is parsed once; never written to
	// header is what every request has, without the betas. It is a function since
	// there are keys in it, which nothing that prints a Client may find.
	header  func() http.Header
	betas   []string
	version string // of the API
	hide    hider  // takes them out of errors and log lines
	models  []models.Model
	warned  daily
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

// ErrNoKey is matched by the error of [New], [FromEnv] and [EnvOptions] where there is no
// key for an endpoint that isn't on this machine.
var ErrNoKey = errors.New("no key")

// New returns a Client. It fails if the base URL is not valid, if there is no key
// ([ErrNoKey]) or more than one, and if the API version is unknown.
func New(o Options) (*Client, error) {
	base, err := parseBase(cmp.Or(o.BaseURL, BaseURL))
	if err != nil {
		return nil, err
	}
	own := make(http.Header, len(o.Header))
	for name, values := range o.Header {
		if slices.ContainsFunc(values, func(v string) bool { return !isHeaderValue(v) }) {
			return nil, fmt.Errorf("anthropic: the header %s contains a line break or another character that is not allowed in a header", name)
		}
		own[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	switch {
	case !o.APIKey.IsZero() && !o.AuthToken.IsZero():
		return nil, errors.New("anthropic: both an API key and an auth token are set; the service refuses a request with both, so set one")
	case o.APIKey.IsZero() && o.AuthToken.IsZero() && own.Get("X-Api-Key") == "" && own.Get("Authorization") == "" && o.HTTPClient == nil && !isLoopback(base.Hostname()):
		return nil, fmt.Errorf("anthropic: %w for %s: set Options.APIKey (ANTHROPIC_API_KEY) or Options.AuthToken (ANTHROPIC_AUTH_TOKEN)", ErrNoKey, base.Host)
	}
	for _, key := range []secret.Value{o.APIKey, o.AuthToken} {
		if strings.ContainsFunc(key.Reveal(), func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return nil, errors.New("anthropic: the key contains a space, a line break or another character that keys don't have; check how it was set")
		}
	}
	messages, err := url.Parse(base.String() + messagesPath)
	if err != nil {
		return nil, fmt.Errorf("anthropic: base URL: %w", err)
	}
	version, err := versionOf(&o, own)
	if err != nil {
		return nil, err
	}
	c := &Client{
		base:          base,
		messages:      messages,
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
	c.hide = hider{own: secret.NewRedactor(secret.InHeader(header)...)}
	c.hide.added, _ = c.http.Transport.(redacting)
	return c, nil
}

// BaseURL returns the service's address, without "/v1".
func (c *Client) BaseURL() string { return c.base.String() }

// Features returns the features of the endpoint; see [Options].
func (c *Client) Features() transport.Features { return c.features }

// AllFeatures returns the features of Anthropic's own service. Use them as
// [Options.Features] for an endpoint that has the same features: the simulator, or a
// gateway that passes requests on unchanged.
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

// CloseIdleConnections closes the connections that are not in use.
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
		return nil, errors.New("anthropic: the base URL is not a URL of the form https://host; write the scheme too, such as http://127.0.0.1:8090") // it may hold a key
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("anthropic: the base URL has a user, a query or a fragment; give https://host and the key in Options.APIKey")
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
