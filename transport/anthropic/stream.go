package anthropic

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// maxWhole is the longest response that is not a stream, and maxErrorBody the
// longest part of an error's body that is read, in bytes.
const (
	maxWhole     = 64 << 20
	maxErrorBody = 1 << 20
)

var (
	errIdle   = errors.New("the service sent nothing for too long")
	errHeader = errors.New("the service took too long to begin its answer")
)

// Stream sends req and yields the events of the response. See [transport.Client].
//
// Until something of the response has been delivered (a delta that adds
// something, or a whole block) a failure that may pass makes Stream send the
// request again, up to Options.MaxRetries times. If events without content had
// been yielded by then, [transport.EventRestarted] tells that they are void.
//
// A request with MaxTokens 0 can't be streamed (reference §2.2): its response
// comes whole, in the same events.
func (c *Client) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		body, err := req.Body(req.MaxTokens > 0)
		if err != nil {
			yield(transport.Event{}, fmt.Errorf("anthropic: %w", err))
			return
		}
		x := exchange{client: c, ctx: ctx, body: body, betas: c.betaHeader(req), yield: yield, began: time.Now()}
		for {
			x.attempts++
			err := x.attempt()
			if err == nil || x.stopped {
				return
			}
			wait, again := c.retry(ctx, err, x.attempts)
			if !again {
				yield(transport.Event{}, x.final(err))
				return
			}
			c.log.LogAttrs(ctx, slog.LevelWarn, "request failed, retrying", slog.Int("attempt", x.attempts), slog.Duration("wait", wait), slog.Any("error", err))
			if ctxErr := pause(ctx, wait); ctxErr != nil {
				yield(transport.Event{}, x.final(errors.Join(ctxErr, err)))
				return
			}
			if x.shown {
				x.shown = false
				if !yield(transport.Event{Type: transport.EventRestarted}, nil) {
					return
				}
			}
		}
	}
}

// An exchange is one call of Stream.
type exchange struct {
	client *Client
	ctx    context.Context
	body   *transport.Body
	betas  string
	yield  func(transport.Event, error) bool

	began    time.Time
	attempts int
	stopped  bool // the caller wants no more events
	shown    bool // events of this attempt have been yielded

	meta transport.Meta
}

// attempt sends the request once and yields what comes. It returns nil after a
// complete response, or if the caller stopped.
func (x *exchange) attempt() error {
	c := x.client
	ctx, cancel := context.WithCancelCause(x.ctx)
	defer cancel(nil)
	x.meta = transport.Meta{Attempts: x.attempts}

	req, err := c.newRequest(ctx, http.MethodPost, "/v1/messages", x.body, x.betas)
	if err != nil {
		return err
	}
	header := startWatch(cancel, errHeader, c.headerTimeout)
	resp, err := c.http.Do(req)
	header.stop()
	if err != nil {
		return &connectionError{host: c.base.Host, err: cause(ctx, err)}
	}
	defer resp.Body.Close()
	x.meta.RequestID = resp.Header.Get("Request-Id")
	x.meta.RateLimit = rateLimit(resp.Header)
	c.log.LogAttrs(ctx, slog.LevelDebug, "response", slog.Int("status", resp.StatusCode), slog.String("request_id", x.meta.RequestID), slog.Int("attempt", x.attempts))

	idle := startWatch(cancel, errIdle, c.idleTimeout)
	defer idle.stop()
	var in io.Reader = &watchedReader{ctx: ctx, r: resp.Body, watch: idle}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if in, err = gzip.NewReader(in); err != nil {
			return &connectionError{host: c.base.Host, err: cause(ctx, err)}
		}
	}
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(in, maxErrorBody))
		return responseError(resp, body)
	}
	if mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mediaType == "application/json" {
		return x.whole(in)
	}
	if err := x.stream(in); err != nil || x.stopped {
		return err
	}
	drain(in, cancel)
	return nil
}

// stream yields the events of a stream.
func (x *exchange) stream(in io.Reader) error {
	for ev, err := range transport.ReadStream(in) {
		if err != nil {
			var broken *transport.StreamError
			if errors.As(err, &broken) {
				if broken.Partial != nil {
					broken.Partial.Meta = x.finish()
				}
				var refused *transport.Error
				if errors.As(broken.Err, &refused) && refused.RequestID == "" {
					refused.RequestID = x.meta.RequestID
				}
			}
			return err
		}
		if !x.pass(ev) {
			return nil
		}
	}
	return nil
}

// pass yields one event, with what the exchange knows added to it.
func (x *exchange) pass(ev transport.Event) bool {
	if ev.Type == transport.EventContentBlockDelta && x.meta.FirstDelta == 0 {
		x.meta.FirstDelta = time.Since(x.began)
	}
	if ev.Response != nil {
		ev.Response.Meta = x.finish()
	}
	x.shown = true
	x.stopped = !x.yield(ev, nil)
	return !x.stopped
}

func (x *exchange) finish() transport.Meta {
	m := x.meta
	m.Duration = time.Since(x.began)
	return m
}

// whole yields the events of a response that came in one piece: because it was
// asked for, or because a gateway doesn't stream.
func (x *exchange) whole(in io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(in, maxWhole))
	if err != nil {
		return &transport.StreamError{Err: err}
	}
	if strings.HasPrefix(string(raw[:min(len(raw), 64)]), `{"type":"error"`) {
		e := transport.ParseError(http.StatusInternalServerError, raw)
		return e
	}
	resp, err := transport.ParseResponse(raw)
	if err != nil {
		return &transport.StreamError{Err: err}
	}
	if !x.pass(transport.Event{Type: transport.EventMessageStart, Response: resp}) {
		return nil
	}
	for i, b := range resp.Content {
		if !x.pass(transport.Event{Type: transport.EventContentBlockStart, Index: i, Block: b}) ||
			!x.pass(transport.Event{Type: transport.EventContentBlockStop, Index: i, Block: b}) {
			return nil
		}
	}
	x.pass(transport.Event{Type: transport.EventMessageStop, Response: resp})
	return nil
}

// final adds to an error what only the end of all attempts knows.
func (x *exchange) final(err error) error {
	var refused *transport.Error
	if errors.As(err, &refused) {
		refused.Attempts = x.attempts
		return err
	}
	var broken *transport.StreamError
	if !errors.As(err, &broken) && x.attempts > 1 {
		return fmt.Errorf("%w, after %d attempts", err, x.attempts)
	}
	return err
}

// newRequest makes a request with the client's headers.
func (c *Client) newRequest(ctx context.Context, method, path string, body *transport.Body, betas string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header = c.header.Clone()
	if betas != "" {
		req.Header.Set("Anthropic-Beta", betas)
	}
	if body != nil {
		req.ContentLength = body.Len()
		req.Body = body.NewReader()
		req.GetBody = func() (io.ReadCloser, error) { return body.NewReader(), nil }
	}
	return req, nil
}

// betaHeader joins the beta values of the client and of the request.
func (c *Client) betaHeader(req *transport.Request) string {
	var all []string
	for _, b := range slices.Concat(c.betas, req.Betas) {
		if b != "" && !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return strings.Join(all, ",")
}

// drain reads the little that follows the last event, so that the connection
// can be used again, but doesn't wait for it long.
func drain(in io.Reader, cancel context.CancelCauseFunc) {
	w := startWatch(cancel, errIdle, 200*time.Millisecond)
	defer w.stop()
	_, _ = io.CopyN(io.Discard, in, 4<<10)
}
