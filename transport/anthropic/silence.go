package anthropic

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"syscall"
	"time"
)

// How a connection that has died in silence is told from a model that thinks.
//
// A load balancer, a NAT or a proxy may forget a connection without a word to
// either end. Over HTTP/2 the client sends a ping when nothing has come for
// pingAfter, and closes the connection if no answer comes within pingTimeout. TCP
// keep-alives and, on Linux, a limit on unacknowledged data find a dead path below
// that. What is left is HTTP/1.1 through something that acknowledges and drops:
// there a request on a connection that has served before gets the time that this
// endpoint has been seen to need, and at least silence, and is then sent on a new
// connection.
const (
	pingAfter   = 5 * time.Second
	pingTimeout = 5 * time.Second
	silence     = 10 * time.Second

	// maxPings is how many intervals of a stream's pings may pass without one.
	maxPings = 3
	// leastIdle is the shortest time after which a stream with pings is taken for dead.
	leastIdle = 3 * time.Second
)

// keepAlive finds a dead idle connection within 14 seconds.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 3 * time.Second, Count: 3}

// http2Config has the connection's peer asked whether it is there.
func http2Config() *http.HTTP2Config {
	return &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: pingAfter + pingTimeout}
}

// An attemptContext is the context of one attempt, which it cancels if the answer
// doesn't begin in time. That is the time that a connection in use is given; and the
// whole HeaderTimeout while the attempt dials, and once it has a new connection.
//
// An attempt that has begun to dial may still be given a connection that another one
// has put back. So the transport is asked which it took.
type attemptContext struct {
	context.Context
	cancel   context.CancelCauseFunc
	began    time.Time
	patience time.Duration // 0: a connection in use has the whole time, too
	whole    time.Duration // 0 or less: any
	trace    httptrace.ClientTrace

	mu        sync.Mutex // guards the rest
	timer     *time.Timer
	connected bool // it has a connection
	over      bool // the answer has begun, or will not
	idle      time.Duration
}

type attemptKey struct{}

func (a *attemptContext) Value(key any) any {
	if key == (attemptKey{}) {
		return a
	}
	return a.Context.Value(key)
}

// newAttempt begins an attempt. Its watch over the answer's beginning ends with
// stop, its context with cancel.
func newAttempt(parent context.Context, patience, whole time.Duration) *attemptContext {
	a := &attemptContext{began: time.Now(), whole: whole}
	a.Context, a.cancel = context.WithCancelCause(parent)
	first := whole
	if patience > 0 && (whole <= 0 || patience < whole) {
		a.patience, first = patience, patience
		a.trace.GetConn, a.trace.GotConn = a.wantsConn, a.hasConn
		a.Context = httptrace.WithClientTrace(a.Context, &a.trace)
	}
	if first > 0 {
		a.timer = time.AfterFunc(first, a.late)
	}
	return a
}

// late is called by the timer.
func (a *attemptContext) late() {
	a.mu.Lock()
	idle := a.idle
	a.mu.Unlock()
	if idle > 0 {
		a.cancel(limitError{errIdle, idle})
		return
	}
	if a.whole > 0 && time.Since(a.began) >= a.whole {
		a.cancel(limitError{errHeader, a.whole})
		return
	}
	a.cancel(limitError{errSilent, a.patience})
}

// dialing tells that a connection is made for the attempt.
func (a *attemptContext) dialing() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.connected {
		a.giveTime(a.whole)
	}
}

// wantsConn is called by the transport before it takes or makes a connection. It does
// so again where the one that it took had been closed.
func (a *attemptContext) wantsConn(string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected = false
}

// hasConn is called by the transport once it has a connection.
func (a *attemptContext) hasConn(c httptrace.GotConnInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected = true
	if c.Reused {
		a.giveTime(a.patience)
	} else {
		a.giveTime(a.whole)
	}
}

// giveTime starts the watch again.
func (a *attemptContext) giveTime(limit time.Duration) {
	switch {
	case a.timer == nil || a.over:
	case limit > 0:
		a.timer.Reset(limit)
	default:
		a.timer.Stop()
	}
}

// stop ends the watch.
func (a *attemptContext) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	if a.timer != nil {
		a.timer.Stop()
	}
}

// watchIdle goes on with the same timer as a watch over the rest of the answer. It
// comes behind stop.
func (a *attemptContext) watchIdle(limit time.Duration) watch {
	if limit <= 0 {
		return watch{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.idle = limit; a.timer == nil {
		a.timer = time.AfterFunc(limit, a.late)
	} else {
		a.timer.Reset(limit)
	}
	return watch{timer: a.timer, limit: limit}
}

// patience is how long a connection in use may take to begin its answer, or 0 for
// as long as any. Over HTTP/2 pings watch the connection; and where the program
// brought its own HTTPClient nobody says whether a connection is new.
func (c *Client) patience(k *call) time.Duration {
	if !c.ownHTTP || k.slow || c.multiplexed.Load() || c.headerTimeout <= 0 {
		return 0
	}
	upload := time.Duration(max(0, k.length)) * time.Second / (256 << 10)
	return max(c.silence, 3*time.Duration(c.slowest.Load())) + upload
}

// answered learns from an answer that has begun.
func (c *Client) answered(resp *http.Response, took time.Duration) {
	if resp.ProtoMajor >= 2 {
		c.multiplexed.Store(true)
	}
	for {
		most := c.slowest.Load()
		if int64(took) <= most || c.slowest.CompareAndSwap(most, int64(took)) {
			return
		}
	}
}

// abandon sees to it that what follows on a failure does not take another
// connection that may be as dead as the one that failed: those that rest are
// closed, and the next attempt dials.
func (c *Client) abandon(err error) {
	var failed *connectionError
	var dial *net.OpError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		return // there was no connection
	case errors.As(err, &failed), errors.Is(err, errIdle), errors.Is(err, syscall.ECONNRESET):
		c.http.CloseIdleConnections()
	}
}

// A limitError is a time limit that was reached.
type limitError struct {
	reason error
	limit  time.Duration
}

func (e limitError) Error() string { return e.reason.Error() + " (" + e.limit.String() + ")" }

// Unwrap returns which limit it is.
func (e limitError) Unwrap() error { return e.reason }

// Timeout implements [net.Error]'s method of that name.
func (e limitError) Timeout() bool { return true }

// A pingWatch learns the interval of a stream's pings. Only the time between two
// pings with nothing in between counts: it shows that the service sends them while
// the model is silent.
type pingWatch struct {
	last     time.Time // of the newest event, if that was a ping
	interval time.Duration
}

// see takes in an event. It returns for how long the stream may be silent from
// now on, or 0 if nothing new is known.
func (p *pingWatch) see(ping bool, now time.Time) time.Duration {
	if !ping {
		p.last = time.Time{}
		return 0
	}
	before := p.last
	p.last = now
	if before.IsZero() || now.Sub(before) <= p.interval {
		return 0
	}
	p.interval = now.Sub(before)
	return max(leastIdle, maxPings*p.interval)
}
