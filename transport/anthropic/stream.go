package anthropic

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/internal/single"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/wire"
)

// maxWhole is the longest response that is not a stream, and maxErrorBody the
// longest part of an error's body that is read, in bytes.
const (
	maxWhole     = 64 << 20
	maxErrorBody = 1 << 20
)

var (
	errIdle   = errors.New("the service sent nothing for as long as Options.IdleTimeout allows")
	errHeader = errors.New("the service took longer to begin its answer than Options.HeaderTimeout allows")
	errSilent = errors.New("nothing came over a connection that had served before, so it was given up")
)

// Stream sends req and yields the events of the response. See [transport.Client].
//
// Until a part of the response has been delivered (a delta that adds something, or a
// whole block), Stream sends the request again after a temporary failure, up to
// Options.MaxRetries times. After that it starts over at most Options.MaxRestarts
// times. If it has yielded events by then, it yields [transport.EventRestarted], which
// means that they are void.
//
// Stream does not send a request that the service would surely refuse, according to
// [models.Model.Check], [Options.Models] and [Options.Version].
//
// A request with MaxTokens 0 can't be streamed (wire §2.2): its response comes all at
// once, as the same events.
func (c *Client) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		if req == nil {
			yieldError(yield, errNoRequest())
			return
		}
		body, err := c.body(req, req.MaxTokens > 0)
		if err != nil {
			yieldError(yield, fmt.Errorf("anthropic: %w", err))
			return
		}
		var x exchange
		x.client, x.model, x.yield, x.began = c, req.Model, yield, time.Now()
		x.call.carry(body, c.betaHeader(req))
		x.call.slow = req.MaxTokens == 0
		for {
			if err := x.pace(ctx); err != nil {
				yieldError(yield, err)
				return
			}
			x.attempts++
			err := x.attempt(ctx)
			if err == nil || x.stopped {
				return
			}
			if isLost(err) {
				x.lost++
			}
			wait, again := x.again(ctx, err)
			if !again {
				yieldError(yield, x.withLost(withAttempts(err, x.attempts)))
				return
			}
			c.abandon(err)
			c.logRetry(ctx, err, x.attempts, wait)
			if ctxErr := pause(ctx, wait); ctxErr != nil {
				yieldError(yield, x.withLost(withAttempts(stoppedWaiting(ctxErr, err), x.attempts)))
				return
			}
			if x.shown && !x.restarted() {
				return
			}
		}
	}
}

// yieldError and restarted are not inlined: an Event is large, and they are called where
// the whole of an attempt lies above them on the stack.
//
//go:noinline
func yieldError(yield func(transport.Event, error) bool, err error) {
	yield(transport.Event{}, err)
}

// restarted says that what was shown of an attempt is void.
//
//go:noinline
func (x *exchange) restarted() bool {
	x.shown = false
	return x.yield(transport.Event{Type: transport.EventRestarted}, nil)
}

// body checks a request against the API's version and what is known of its model,
// and writes it.
func (c *Client) body(req *transport.Request, stream bool) (*transport.Body, error) {
	if err := c.checkVersion(req, false); err != nil {
		return nil, err
	}
	if m, ok := models.Lookup(req.Model, c.models...); ok {
		if err := m.Check(req); err != nil {
			return nil, err
		}
		c.warnOfEnd(&m)
	}
	if stream {
		return req.StreamBody()
	}
	return req.Body()
}

// warnOfEnd tells the logger once a day that a model ends soon or has ended.
func (c *Client) warnOfEnd(m *models.Model) {
	now := time.Now()
	if !m.EndsSoon(now) {
		return
	}
	if !c.warned.first(m.ID, now.Unix()/(24*60*60)) {
		return
	}
	message := "the model ends soon"
	if !now.Before(m.Ends) {
		message = "the model has ended"
	}
	c.log.Warn(message, "model", m.ID, "ends", m.Ends.Format(time.DateOnly), "successor", m.Successor)
}

// A daily notes on which day the logger was told of a model's end.
type daily struct {
	mu   sync.Mutex
	told map[string]int64 // by the model's id
}

// first reports whether it is asked for the first time about a model on a day.
func (d *daily) first(id string, day int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told[id] == day {
		return false
	}
	if d.told == nil {
		d.told = make(map[string]int64)
	}
	d.told[id] = day
	return true
}

// carry makes k the call that sends a request of messages. It sets what is there, since a
// call is large and lies on the stack of each attempt.
func (k *call) carry(body *transport.Body, betas string) {
	k.method, k.path, k.betas, k.length = http.MethodPost, messagesPath, betas, body.Len()
	k.body = func() (io.ReadCloser, error) { return body.NewReader(), nil }
}

// An exchange is one call of Stream.
type exchange struct {
	client *Client
	model  string
	call   call
	yield  func(transport.Event, error) bool

	began    time.Time
	attempts int
	restarts int  // attempts that followed on a delivered part
	lost     int  // attempts of which nothing came back
	stopped  bool // the caller wants no more events
	shown    bool // events of this attempt have been yielded

	meta transport.Meta
}

// pace waits while the rate limits are nearly used up.
func (x *exchange) pace(ctx context.Context) error {
	wait := min(x.client.pacer.wait(x.model), x.client.maxRetryDelay)
	if wait <= 0 {
		return nil
	}
	x.client.log.LogAttrs(ctx, slog.LevelDebug, "waiting for the rate limit", slog.String("model", x.model), slog.Duration("wait", wait))
	return pause(ctx, wait)
}

// again reports whether the request is sent again after err, and after which
// pause. What came after a delivered part is counted apart.
func (x *exchange) again(ctx context.Context, err error) (time.Duration, bool) {
	if !delivered(err) {
		return x.client.retry(ctx, err, x.attempts-x.restarts)
	}
	if x.restarts >= x.client.maxRestarts || ctx.Err() != nil || single.Is(ctx) || !passes(err) {
		return 0, false
	}
	x.restarts++
	return x.client.pauseAfter(ctx, err, x.restarts)
}

// isLost reports whether the service may have worked, and billed, without a word
// of it: the connection broke before the response began. It doesn't bill what it
// answers with an error.
func isLost(err error) bool {
	var refused *transport.Error
	var broken *transport.StreamError
	switch {
	case errors.As(err, &refused):
		return false
	case errors.As(err, &broken):
		return broken.Partial == nil
	}
	return perhapsDone(err)
}

// withLost adds to an error what it leaves open.
func (x *exchange) withLost(err error) error {
	if x.lost == 0 {
		return err
	}
	return &transport.LostError{Err: err, Attempts: x.lost}
}

// attempt sends the request once and yields what comes. It returns nil after a
// complete response, or if the caller stopped.
func (x *exchange) attempt(ctx context.Context) error {
	x.meta = transport.Meta{Attempts: x.attempts, Lost: x.lost, Sent: int64(x.attempts) * x.call.length}
	a, err := x.client.send(ctx, &x.call)
	if err != nil {
		return err
	}
	defer a.close()
	x.meta.RequestID = a.header.Get("Request-Id")
	x.meta.RateLimit = rateLimit(a.header)
	x.client.pacer.learn(x.model, x.meta.RateLimit, nil)
	switch formOf(a.body) {
	case formJSON:
		return x.whole(a.body)
	case formPage:
		return fmt.Errorf("anthropic: %s answered with a web page: is the base URL right, and is there no proxy in between?", x.client.base.Host)
	}
	if err := x.stream(a); err != nil || x.stopped {
		return err
	}
	drain(a)
	return nil
}

// stream yields the events of a stream.
func (x *exchange) stream(a *answer) error {
	var pings pingWatch
	for ev, err := range transport.ReadStream(a.body) {
		if err != nil {
			var broken *transport.StreamError
			if errors.As(err, &broken) {
				if broken.Partial != nil {
					broken.Partial.Meta = x.finish()
				}
				var refused *transport.Error
				if errors.As(broken.Err, &refused) {
					refused.RequestID = cmp.Or(refused.RequestID, x.meta.RequestID)
					broken.Err = x.client.refused(refused)
				} else {
					broken.Err = x.client.hide.Err(broken.Err)
				}
			}
			return err
		}
		if limit := pings.see(ev.Type == transport.EventPing, time.Now()); limit > 0 {
			a.raw.shorten(limit)
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
	if ev.Type == transport.EventMessageStop {
		x.client.pacer.learn(x.model, nil, &ev.Response.Usage)
		x.client.budget.success()
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
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if err := x.client.errorIn(raw); err != nil {
		return err
	}
	resp, err := transport.ParseResponse(raw)
	if err != nil {
		err = x.client.hide.Err(err) // it quotes what came
		first, rest, _ := bytes.Cut(rawjson.Trim(raw), []byte{'\n'})
		lines := rawjson.Valid(first) && len(rawjson.Trim(rest)) > 0 // a JSON value a line: not cut off
		if !rawjson.Valid(raw) && !lines {                           // cut off, most likely
			return &transport.StreamError{Err: err}
		}
		// It came whole, so that it would come so again, and be billed again.
		return &permanentError{fmt.Errorf("anthropic: %s did not answer with a message: %w: %s", x.client.base.Host, err, x.client.brief(raw))}
	}
	if rawjson.Get(raw, "content") == nil {
		return fmt.Errorf("anthropic: %s did not answer with a message: does the endpoint implement the Messages API? %s", x.client.base.Host, x.client.brief(raw))
	}
	for ev := range resp.Events() {
		if !x.pass(ev) {
			break
		}
	}
	return nil
}

// betaHeader is the anthropic-beta header of a request.
func (c *Client) betaHeader(req *transport.Request) string { return joinBetas(c.requestBetas(req)) }

// requestBetas lists the beta values of the client and of the request.
func (c *Client) requestBetas(req *transport.Request) []string {
	return slices.Concat(c.betas, wire.NeededBetas(req))
}

// joinBetas joins beta values, each once.
func joinBetas(betas []string) string {
	var all []string
	for _, b := range betas {
		if b != "" && !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return strings.Join(all, ",")
}

// drain reads the little that follows the last event, so that the connection
// can be used again, but doesn't wait for it long.
func drain(a *answer) {
	w := startWatch(a.cancel, errIdle, 200*time.Millisecond)
	defer w.stop()
	_, _ = io.CopyN(io.Discard, a.body, 4<<10)
}
