package platform

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// Paths of the API's endpoints, for [Rules].Paths. A path includes those below it, except
// Messages.
const (
	Messages    = "/v1/messages"
	CountTokens = "/v1/messages/count_tokens"
	Batches     = "/v1/messages/batches"
	Files       = "/v1/files"
	Models      = "/v1/models"
)

// A front is between the client and the network: it gives each attempt the platform's
// form and the credentials.
type front struct {
	rules     *Rules
	origin    string // credentials go nowhere else
	path      string // of the base URL, in front of the API's
	next      http.RoundTripper
	authorize func(*http.Request) error
	adapt     func(*http.Request) error
	answer    func(*http.Request, *http.Response) (bool, error)
	hide      atomic.Pointer[hider] // the newest credentials
}

func newFront(c *Config, base string, given *http.Client) (*front, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" {
		return nil, &SettingError{Platform: c.Rules.Name, Setting: "base URL", Why: "it is not a URL of the form https://host", Remedy: "set Options.API.BaseURL, or leave it empty"}
	}
	f := &front{
		rules: &c.Rules, origin: originOf(u), path: strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v1"),
		authorize: c.Authorize, adapt: c.Adapt, answer: c.Answer,
	}
	if given != nil && given.Transport != nil {
		f.next = given.Transport
	} else {
		f.next = newTransport()
	}
	return f, nil
}

func originOf(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

// RoundTrip implements http.RoundTripper.
func (f *front) RoundTrip(req *http.Request) (*http.Response, error) {
	sent, err := f.prepare(req)
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	for once := true; ; once = false {
		resp, err := f.next.RoundTrip(sent)
		if err != nil {
			return nil, f.Redactor().Err(err)
		}
		again := false
		if f.answer != nil {
			if again, err = f.answer(sent, resp); err != nil {
				resp.Body.Close()
				return nil, f.Redactor().Err(err)
			}
		}
		if !again || !once || req.Body != nil && req.GetBody == nil {
			return f.cleaned(resp), nil
		}
		second := req.Clone(req.Context())
		if req.GetBody != nil {
			if second.Body, err = req.GetBody(); err != nil {
				return f.cleaned(resp), nil // the first answer tells what is wrong
			}
		}
		prepared, err := f.prepare(second)
		if err != nil {
			if second.Body != nil {
				second.Body.Close()
			}
			resp.Body.Close()
			return nil, err
		}
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
		resp.Body.Close()
		sent = prepared
	}
}

// prepare makes the request that goes over the network.
func (f *front) prepare(req *http.Request) (*http.Request, error) {
	if originOf(req.URL) != f.origin {
		return nil, &SettingError{Platform: f.rules.Name, Setting: "origin", Why: fmt.Sprintf("the request goes to %s, but the credentials are for %s", originOf(req.URL), f.origin), Remedy: "they are sent nowhere else"}
	}
	if e := f.rules.checkPath(req.Method, strings.TrimPrefix(req.URL.Path, f.path)); e != nil {
		return nil, &UnsupportedError{Platform: f.rules.Name, Request: e}
	}
	sent := req.Clone(req.Context())
	if f.adapt != nil {
		if err := f.adapt(sent); err != nil {
			return nil, err
		}
	}
	if most := f.rules.MaxBody; most > 0 && sent.ContentLength > most {
		return nil, &UnsupportedError{Platform: f.rules.Name, Request: &transport.RequestError{
			Field: "the request", Reason: fmt.Sprintf("it has %d bytes, and the platform's limit is %d", sent.ContentLength, most), Remedy: "shorten the conversation, or send fewer pictures and documents",
		}}
	}
	if f.authorize != nil {
		if err := f.authorize(sent); err != nil {
			return nil, err
		}
		f.remember(sent)
	}
	return sent, nil
}

// CloseIdleConnections closes those of the transport that is wrapped.
func (f *front) CloseIdleConnections() {
	if c, ok := f.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// checkPath refuses endpoints that the platform doesn't serve.
func (r *Rules) checkPath(method, path string) *transport.RequestError {
	if path == Messages && method == http.MethodPost && slices.Contains(r.Paths, Messages) {
		return nil
	}
	for _, p := range r.Paths {
		if p != Messages && (path == p || strings.HasPrefix(path, p+"/")) {
			return nil
		}
	}
	served := strings.Join(r.Paths, ", ")
	return &transport.RequestError{Field: method + " " + path, Reason: "the platform doesn't serve this endpoint", Remedy: cmp.Or(r.insteadOfPath(path), "it serves "+served)}
}

func (r *Rules) insteadOfPath(path string) string {
	switch {
	case strings.HasPrefix(path, CountTokens):
		return "count by what the answers report, in Response.Usage, or ask the Claude API"
	case strings.HasPrefix(path, Batches):
		return "send the requests one by one, or use the batches of the Claude API"
	case strings.HasPrefix(path, Files):
		return "put the content into the messages, as data"
	case strings.HasPrefix(path, Models):
		return "use package models, which has a table"
	}
	return ""
}

// newTransport makes a transport for many long streams, which finds out about dead
// connections. It is anthropic's own as far as that can be set from outside.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 3 * time.Second, Count: 3}}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   15 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
}

// errNotOurs is a body that wasn't written by package transport.
var errNotOurs = errors.New("platform: the body of the request doesn't begin as package transport writes it")
