package anthropic

import (
	"context"
	"errors"
	"net"
	"net/http"
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

// An attemptContext is the context of one attempt. The dialer finds it there, and
// says that the attempt may have a new connection.
type attemptContext struct {
	context.Context
	header *headerWatch
}

type attemptKey struct{}

func (a *attemptContext) Value(key any) any {
	if key == (attemptKey{}) {
		return a
	}
	return a.Context.Value(key)
}

// A headerWatch cancels an attempt whose answer doesn't begin in time. It starts
// with the time that a connection in use is given, and is put off to the whole
// HeaderTimeout once the attempt dials.
type headerWatch struct {
	timer *time.Timer // nil: no limit
	whole time.Duration
}

// watchHeader starts the watch over an attempt. patience is 0 where a connection
// in use has the whole time, too.
func watchHeader(cancel context.CancelCauseFunc, patience, whole time.Duration) *headerWatch {
	w := &headerWatch{whole: whole}
	began := time.Now()
	fire := func() {
		if whole > 0 && time.Since(began) >= whole {
			cancel(limitError{errHeader, whole})
			return
		}
		cancel(limitError{errSilent, patience})
	}
	switch {
	case patience > 0 && (whole <= 0 || patience < whole):
		w.timer = time.AfterFunc(patience, fire)
	case whole > 0:
		w.timer = time.AfterFunc(whole, func() { cancel(limitError{errHeader, whole}) })
	}
	return w
}

// dialing gives the attempt the whole time.
func (w *headerWatch) dialing() {
	if w.timer == nil {
		return
	}
	if w.whole <= 0 {
		w.timer.Stop()
		return
	}
	w.timer.Reset(w.whole)
}

func (w *headerWatch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
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
