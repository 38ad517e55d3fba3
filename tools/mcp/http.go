package mcp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/auth"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
)

// overHTTP is t with its messages repaired below the SDK. The SDK is given an
// address without path, query and user, so that no key that stands in the URL can
// get into an error or a log of the SDK's or of net/http; the real one is put into
// each request.
func overHTTP(t *sdk.StreamableClientTransport, x *exchanges, o Options, tokens *sentTokens) sdk.Transport {
	endpoint, err := url.Parse(t.Endpoint)
	if err != nil { // the SDK tells it
		return t
	}
	user := cmp.Or(t.HTTPClient, http.DefaultClient)
	rt := &roundTripper{base: user.Transport, jar: user.Jar, endpoint: endpoint, token: o.Token, most: o.messageBytes(), tokens: tokens, exchanges: x}
	if rt.base == nil {
		rt.base = http.DefaultTransport
	}
	own := *t
	own.HTTPClient = &http.Client{Transport: rt, Timeout: user.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	own.Endpoint = origin(endpoint) + "/"
	if t.OAuthHandler != nil { // which looks for the issuer at the endpoint
		own.OAuthHandler = &realAddress{t.OAuthHandler, endpoint}
		if proving, ok := t.OAuthHandler.(interface {
			Transport(http.RoundTripper) http.RoundTripper
		}); ok {
			rt.base = proving.Transport(rt.base)
		}
	}
	own.MaxEventSize = -1 // they are bounded here
	return &own
}

// realAddress has an OAuth handler see the endpoint that requests really go to.
type realAddress struct {
	auth.OAuthHandler
	endpoint *url.URL
}

// Authorize implements [auth.OAuthHandler].
func (h *realAddress) Authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	sent, address := req.Clone(ctx), *h.endpoint
	address.User = nil
	sent.URL = &address
	return h.OAuthHandler.Authorize(ctx, sent, resp)
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

type roundTripper struct {
	base     http.RoundTripper
	jar      http.CookieJar
	endpoint *url.URL
	token    secret.Value
	most     int // bytes of a message
	tokens   *sentTokens
	*exchanges

	mu        sync.Mutex
	listening bool // the stream for the server's own messages was asked for
}

// RoundTrip implements [http.RoundTripper].
func (t *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet && req.Header.Get("Last-Event-ID") == "" && t.first() {
		// The SDK waits for the response before it goes on. A server may take its time.
		return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: &lateBody{t: t, req: req}, Request: req}, nil
	}
	return t.do(req)
}

func (t *roundTripper) first() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.listening
	t.listening = true
	return first
}

func (t *roundTripper) do(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body.Close()
	}
	ctx := req.Context()
	s, traced := t.sends(ctx, body), false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { traced = true },
		WroteHeaders: func() { s.sent.Store(true) },
	})
	to := *t.endpoint
	for range 10 {
		sent := t.request(ctx, req, &to, body)
		resp, err := t.base.RoundTrip(sent)
		if err != nil {
			if !traced { // nobody knows
				s.sent.Store(true)
			}
			return nil, secret.NewRedactor(secret.InHeader(sent.Header)...).Err(hiderOf(t.endpoint).error(err))
		}
		s.sent.Store(true)
		if t.jar != nil {
			t.jar.SetCookies(&to, resp.Cookies())
		}
		location := resp.Header.Get("Location")
		switch resp.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			location = ""
		}
		if location == "" {
			s.status.Store(int64(resp.StatusCode))
			return t.readable(resp, body), nil
		}
		resp.Body.Close()
		next, err := to.Parse(location)
		if err != nil {
			return nil, errors.New("the server redirects to an address that can't be read")
		}
		if next.Scheme != to.Scheme || next.Host != to.Host {
			return nil, &RedirectError{From: origin(&to), To: origin(next)}
		}
		to.Path, to.RawPath, to.RawQuery = next.Path, next.RawPath, cmp.Or(next.RawQuery, to.RawQuery)
	}
	return nil, errors.New("the server redirects too many times")
}

// A RedirectError reports that a server redirects to another origin. The redirect is not
// followed, because the request and its credentials would go there.
type RedirectError struct{ From, To string }

// Error returns a message with both origins.
func (e *RedirectError) Error() string {
	return fmt.Sprintf("%s redirects to another origin, %s, which is not followed; if you trust that address, connect to it", e.From, e.To)
}

// request is req to the real address.
func (t *roundTripper) request(ctx context.Context, req *http.Request, to *url.URL, body []byte) *http.Request {
	out := req.Clone(ctx)
	address := *to
	out.URL, out.Host = &address, ""
	if user := to.User; user != nil && out.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		out.SetBasicAuth(user.Username(), password)
	}
	address.User = nil
	if !t.token.IsZero() {
		out.Header.Set("Authorization", "Bearer "+t.token.Reveal())
	}
	if bearer, ok := strings.CutPrefix(out.Header.Get("Authorization"), "Bearer "); ok && t.token.IsZero() {
		t.tokens.add(bearer)
	}
	if t.jar != nil {
		for _, cookie := range t.jar.Cookies(to) {
			out.AddCookie(cookie)
		}
	}
	if out.Header.Get("Mcp-Method") != "" && strings.HasPrefix(rawjson.GetString(body, "method"), "tasks/") {
		out.Header.Set("Mcp-Name", rawjson.GetString(rawjson.Get(body, "params"), "taskId"))
	}
	out.Body, out.GetBody = nil, nil
	if req.Body != nil {
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		out.Body, _ = out.GetBody()
		out.ContentLength = int64(len(body))
	}
	return out
}

// readable is resp with messages that the SDK can read.
func (t *roundTripper) readable(resp *http.Response, request []byte) *http.Response {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case kind == "text/event-stream":
		resp.Body = newEvents(resp.Body, t.exchanges, t.most)
	case kind == "application/json":
		body, err := io.ReadAll(io.LimitReader(resp.Body, int64(t.most)+1))
		resp.Body.Close()
		id := string(rawjson.Get(request, "id"))
		switch {
		case err != nil:
			resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
			return resp
		case len(body) > t.most && id != "" && rawjson.GetString(request, "method") != "":
			body = nil
			for _, m := range t.tooLong(id, t.most) {
				body = m
			}
		case resp.StatusCode == http.StatusOK:
			if m := t.received(body); m != nil {
				body = m
			}
		default:
			// An answer with a status that says so; 404 is about the session.
			if resp.StatusCode != http.StatusNotFound && len(rawjson.Get(body, "error")) > 0 {
				if e := t.take(id); e != nil {
					e.answered.Store(true)
				}
			}
		}
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		resp.Header.Del("Content-Length")
	default:
		resp.Body = limited{io.LimitReader(resp.Body, int64(t.most)), resp.Body}
	}
	return resp
}

type limited struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// lateBody is the body of the stream for the server's own messages. A server that
// offers none has a stream without messages.
type lateBody struct {
	t    *roundTripper
	req  *http.Request
	body io.ReadCloser

	mu     sync.Mutex
	closed bool
	cancel context.CancelFunc
}

// Read asks for the stream when it is first called.
func (b *lateBody) Read(p []byte) (int, error) {
	if b.body == nil {
		ctx, cancel := context.WithCancel(b.req.Context())
		b.mu.Lock()
		b.cancel = cancel
		if b.closed {
			cancel()
		}
		b.mu.Unlock()
		resp, err := b.t.do(b.req.WithContext(ctx))
		kind := ""
		if err == nil {
			kind, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
		}
		if err != nil || resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
			if err == nil {
				resp.Body.Close()
			}
			<-ctx.Done()
			return 0, io.EOF
		}
		b.mu.Lock()
		b.body = resp.Body
		b.mu.Unlock()
	}
	return b.body.Read(p)
}

// Close ends the stream.
func (b *lateBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.cancel != nil {
		b.cancel()
	}
	if b.body != nil {
		return b.body.Close()
	}
	return nil
}
