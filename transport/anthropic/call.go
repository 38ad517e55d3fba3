package anthropic

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A call is one request to the service, as it is sent at each attempt.
type call struct {
	method, path string
	query        url.Values
	betas        string
	contentType  string // of the body, if it isn't JSON
	length       int64
	body         func() (io.ReadCloser, error) // nil: no body
	once         bool                          // the body can't be read again
	creates      bool                          // sent twice it would do its work twice, at the caller's cost
	needs        []string                      // members that the answer must have
	slow         bool                          // the answer begins when the work is done, however long that takes
}

// bytesCall is a call whose body is in memory.
func bytesCall(method, path string, body []byte) *call {
	return &call{method: method, path: path, length: int64(len(body)), body: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(body)), nil
	}}
}

// request makes the HTTP request of one attempt.
func (c *Client) request(ctx context.Context, k *call) (*http.Request, error) {
	target, err := c.target(k)
	if err != nil {
		return nil, err
	}
	req := (&http.Request{Method: k.method, URL: target, Host: target.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if req.Header = c.header(); !c.ownHTTP || k.betas != "" || k.contentType != "" || c.trace != nil {
		req.Header = req.Header.Clone()
	}
	if k.betas != "" {
		if !isHeaderValue(k.betas) {
			return nil, fmt.Errorf("anthropic: the beta values %q contain a character that is not allowed in a header", k.betas)
		}
		req.Header.Set("Anthropic-Beta", k.betas)
	}
	if k.contentType != "" {
		req.Header.Set("Content-Type", k.contentType)
	}
	if c.trace != nil {
		c.trace.Inject(ctx, propagation.HeaderCarrier(req.Header))
	}
	if k.body != nil {
		if req.Body, err = k.body(); err != nil {
			return nil, err
		}
		req.ContentLength = k.length
		if !k.once {
			req.GetBody = k.body
		}
	}
	return req, nil
}

// messagesPath is where messages are created.
const messagesPath = "/v1/messages"

// target is the URL of a call. Somebody else's RoundTripper gets one of its own.
func (c *Client) target(k *call) (*url.URL, error) {
	if k.path == messagesPath && len(k.query) == 0 && c.ownHTTP {
		return c.messages, nil
	}
	target := c.base.String() + k.path
	if len(k.query) > 0 {
		target += "?" + k.query.Encode()
	}
	return url.Parse(target)
}

// An answer is a response of a status 2xx whose body is being read. It must be closed.
type answer struct {
	header http.Header
	body   *headReader // ends with an error if the context ends or nothing comes for too long
	head   headReader  // of the body as it came
	resp   *http.Response
	cancel context.CancelCauseFunc
	raw    watchedReader
}

func (a *answer) close() {
	a.raw.watch.stop()
	a.resp.Body.Close()
	a.cancel(nil)
}

// send makes one attempt. An error of the service comes back as an [*transport.Error].
func (c *Client) send(parent context.Context, k *call) (*answer, error) {
	ctx := newAttempt(parent, c.patience(k), c.headerTimeout)
	req, err := c.request(ctx, k)
	if err != nil {
		ctx.stop()
		ctx.cancel(nil)
		return nil, err
	}
	resp, err := c.roundTrip(req)
	ctx.stop()
	if err != nil {
		var atURL *url.Error // its text holds the whole URL, and some gateways have keys in theirs
		if errors.As(err, &atURL) {
			err = atURL.Err
		}
		err = &connectionError{host: c.base.Host, err: c.hide.Err(cause(ctx, err))}
		ctx.cancel(nil)
		return nil, err
	}
	c.answered(resp, time.Since(ctx.began))
	if id := resp.Header.Get("Request-Id"); id != "" {
		resp.Header.Set("Request-Id", c.hide.String(id))
	}
	a := &answer{header: resp.Header, resp: resp, cancel: ctx.cancel}
	a.raw = watchedReader{ctx: ctx, r: resp.Body, watch: ctx.watchIdle(c.idleTimeout), text: resp.Header.Get("Content-Encoding") == ""}
	a.head.src = &a.raw
	c.log.LogAttrs(ctx, slog.LevelDebug, "response", slog.String("path", k.path), slog.Int("status", resp.StatusCode), slog.String("request_id", resp.Header.Get("Request-Id")))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		body := errorBody(resp.Header, &a.raw)
		a.close()
		return nil, c.refused(responseError(resp, body))
	}
	if a.body, err = decoded(resp.Header, &a.head); err != nil {
		a.close()
		return nil, &connectionError{host: c.base.Host, err: err}
	}
	return a, nil
}

// roundTrip sends a request. What http.Client adds to a transport (redirects, cookies,
// a copy of the headers) is of no use to a client of our own, and isn't free.
func (c *Client) roundTrip(req *http.Request) (*http.Response, error) {
	if !c.ownHTTP {
		return c.http.Do(req)
	}
	resp, err := c.http.Transport.RoundTrip(req)
	var record tls.RecordHeaderError
	if errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/" {
		err = http.ErrSchemeMismatch // as http.Client says it
	}
	return resp, err
}

// open sends a call, again after failures that may pass, until it is answered.
func (c *Client) open(ctx context.Context, k *call) (a *answer, err error) {
	err = c.retrying(ctx, k, func() error {
		a, err = c.send(ctx, k)
		return err
	})
	return a, err
}

// fetch sends a call and decodes the JSON that comes back into v.
func (c *Client) fetch(ctx context.Context, k *call, v any) error {
	var raw []byte
	err := c.retrying(ctx, k, func() error {
		a, err := c.send(ctx, k)
		if err != nil {
			return err
		}
		defer a.close()
		if raw, err = io.ReadAll(io.LimitReader(a.body, maxWhole)); err != nil {
			return &connectionError{host: c.base.Host, err: err}
		}
		return c.errorIn(raw)
	})
	if err != nil {
		return err
	}
	for _, name := range k.needs {
		if rawjson.IsNull(rawjson.Get(raw, name)) {
			return c.unexpected(k, "it has no "+name, raw)
		}
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return c.unexpected(k, c.hide.String(err.Error()), raw)
	}
	return nil
}

// An UnexpectedAnswerError reports a response with a success status but unexpected
// content, as gateways send it for endpoints that they don't have. A retry doesn't
// help, so none is made.
type UnexpectedAnswerError struct {
	Path string // of the endpoint, such as "/v1/files"
	Why  string // what is wrong with the answer
	Body string // the beginning of the body, without the client's keys
	host string
}

func (e *UnexpectedAnswerError) Error() string {
	return fmt.Sprintf("anthropic: %s%s: the answer is not what was asked for: %s; does the endpoint have this part of the API? %s", e.host, e.Path, e.Why, e.Body)
}

// Permanent reports that the same request would fail again.
func (e *UnexpectedAnswerError) Permanent() bool { return true }

func (c *Client) unexpected(k *call, why string, body []byte) error {
	return &UnexpectedAnswerError{Path: k.path, Why: why, Body: c.brief(body), host: c.base.Host}
}

// retrying calls try, which sends k, again after failures that may pass.
func (c *Client) retrying(ctx context.Context, k *call, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil {
			return nil
		}
		if k.creates && !mayCreateAgain(err) {
			if perhapsCreated(err) {
				err = fmt.Errorf("%w; it may have been created all the same, so it was not sent again", err)
			}
			return withAttempts(err, attempt)
		}
		wait, again := c.retry(ctx, err, attempt)
		if !again || k.once {
			return withAttempts(err, attempt)
		}
		c.abandon(err)
		c.logRetry(ctx, err, attempt, wait)
		if ctxErr := pause(ctx, wait); ctxErr != nil {
			return withAttempts(stoppedWaiting(ctxErr, err), attempt)
		}
	}
}

// errorIn finds the error in a body that came with status 200, as some gateways
// send it.
func (c *Client) errorIn(raw []byte) error {
	raw = rawjson.Trim(raw)
	if !rawjson.Valid(raw) {
		return nil
	}
	is := rawjson.Get(raw, "error")
	switch rawjson.GetString(raw, "type") {
	case "error":
		return c.refused(transport.ParseError(0, raw))
	case "message":
		if slices.Contains([]string{`""`, "{}", "[]", "false", "0"}, string(is)) {
			return nil // some gateways say in each message that there is none
		}
	}
	if rawjson.IsNull(is) {
		return nil
	}
	return c.refused(transport.ParseError(0, raw))
}

// brief is the beginning of a body, for an error message.
func (c *Client) brief(raw []byte) string {
	const most = 100
	raw = c.hide.Bytes(raw)
	return fmt.Sprintf("%q", raw[:min(len(raw), most)])
}

func (c *Client) logRetry(ctx context.Context, err error, attempt int, wait time.Duration) {
	c.log.LogAttrs(ctx, slog.LevelWarn, "request failed, retrying", slog.Int("attempt", attempt), slog.Duration("wait", wait), slog.Any("error", err))
}

// stoppedWaiting is the end of a context between two attempts.
func stoppedWaiting(ctxErr, err error) error {
	return fmt.Errorf("%w, while waiting to try again after: %w", ctxErr, err)
}

// withAttempts adds to an error how often the request was sent.
func withAttempts(err error, attempts int) error {
	var refused *transport.Error
	var broken *transport.StreamError
	switch {
	case errors.As(err, &refused):
		refused.Attempts = attempts
	case attempts > 1 && !errors.As(err, &broken):
		return fmt.Errorf("%w, after %d attempts", err, attempts)
	}
	return err
}

// pathID escapes an id for use in a path. An id that would name another path is refused.
func pathID(kind, id string) (string, error) {
	if id == "" || strings.Trim(id, ".") == "" {
		return "", fmt.Errorf("anthropic: %q is not the id of a %s", id, kind)
	}
	return url.PathEscape(id), nil
}
