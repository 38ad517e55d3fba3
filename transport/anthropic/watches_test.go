package anthropic

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// What an attempt is given up for, and when.
func TestTimeOfAnAttempt(t *testing.T) {
	reused, fresh := httptrace.GotConnInfo{Reused: true}, httptrace.GotConnInfo{}
	for name, tt := range map[string]struct {
		patience, whole time.Duration
		do              func(*attemptContext)
		after           time.Duration
		why             error // nil: never
	}{
		"a connection in use":           {10 * time.Second, time.Minute, func(a *attemptContext) { a.wantsConn("h"); a.hasConn(reused) }, 10 * time.Second, errSilent},
		"none yet":                      {10 * time.Second, time.Minute, func(a *attemptContext) {}, 10 * time.Second, errSilent},
		"it dials":                      {10 * time.Second, time.Minute, func(a *attemptContext) { a.wantsConn("h"); a.dialing() }, time.Minute, errHeader},
		"a new connection":              {10 * time.Second, time.Minute, func(a *attemptContext) { a.wantsConn("h"); a.dialing(); a.hasConn(fresh) }, time.Minute, errHeader},
		"it dials, and is given one":    {10 * time.Second, time.Minute, func(a *attemptContext) { a.wantsConn("h"); a.dialing(); a.hasConn(reused) }, 10 * time.Second, errSilent},
		"one is dialled for another":    {10 * time.Second, time.Minute, func(a *attemptContext) { a.hasConn(reused); a.dialing() }, 10 * time.Second, errSilent},
		"the one was closed":            {10 * time.Second, time.Minute, func(a *attemptContext) { a.hasConn(reused); a.wantsConn("h"); a.dialing() }, time.Minute, errHeader},
		"nobody can tell":               {0, time.Minute, func(a *attemptContext) { a.dialing() }, time.Minute, errHeader},
		"patience for longer":           {2 * time.Minute, time.Minute, func(a *attemptContext) { a.dialing() }, time.Minute, errHeader},
		"any time":                      {0, 0, func(a *attemptContext) { a.dialing(); a.stop() }, 0, nil},
		"any time once it dials":        {10 * time.Second, 0, func(a *attemptContext) { a.dialing() }, 0, nil},
		"any time but for one in use":   {10 * time.Second, 0, func(a *attemptContext) { a.hasConn(reused) }, 10 * time.Second, errSilent},
		"the answer began":              {10 * time.Second, time.Minute, func(a *attemptContext) { a.stop() }, 0, nil},
		"it began, and then the report": {10 * time.Second, time.Minute, func(a *attemptContext) { a.stop(); a.hasConn(reused); a.dialing() }, 0, nil},
		"it began and fell silent":      {10 * time.Second, time.Minute, func(a *attemptContext) { a.stop(); a.watchIdle(3 * time.Second) }, 3 * time.Second, errIdle},
		"silent, where nothing watched": {0, 0, func(a *attemptContext) { a.stop(); a.watchIdle(3 * time.Second) }, 3 * time.Second, errIdle},
		"silent for any time":           {10 * time.Second, time.Minute, func(a *attemptContext) { a.stop(); a.watchIdle(0) }, 0, nil},
		"silent, after long":            {10 * time.Second, time.Minute, func(a *attemptContext) { a.stop(); a.watchIdle(2 * time.Minute) }, 2 * time.Minute, errIdle},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				a := newAttempt(t.Context(), tt.patience, tt.whole)
				defer a.cancel(nil)
				defer a.stop()
				tt.do(a)
				select {
				case <-a.Done():
				case <-time.After(time.Hour):
				}
				why := context.Cause(a)
				if tt.why == nil && why != nil || tt.why != nil && (!errors.Is(why, tt.why) || time.Since(began) != tt.after) {
					t.Errorf("after %v: %v", time.Since(began), why)
				}
				var timeout interface{ Timeout() bool }
				if why != nil && (!strings.Contains(why.Error(), "("+tt.after.String()+")") || !errors.As(why, &timeout) || !timeout.Timeout()) {
					t.Errorf("%v", why)
				}
			})
		})
	}
}

type restingTransport struct{ closed int }

func (r *restingTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no network")
}

func (r *restingTransport) CloseIdleConnections() { r.closed++ }

// After which failures the connections that rest are closed.
func TestAbandon(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want int
	}{
		"no connection was had":  {&connectionError{err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, 0},
		"it broke":               {&connectionError{err: io.ErrUnexpectedEOF}, 1},
		"it was read in vain":    {&connectionError{err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}, 1},
		"a stream was reset":     {&transport.StreamError{Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}, 1},
		"a stream fell silent":   {&transport.StreamError{Err: limitError{errIdle, time.Second}}, 1},
		"the service overloaded": {&transport.Error{Status: 529}, 0},
		"an error in a stream":   {&transport.StreamError{Err: &transport.Error{Status: 529}}, 0},
	} {
		rt := &restingTransport{}
		clientOf(t, rt, Options{}).abandon(tt.err)
		if rt.closed != tt.want {
			t.Errorf("%s: closed %d times", name, rt.closed)
		}
	}
}

// What a client learns of its endpoint from answers: the longest wait, and HTTP/2.
func TestAnswered(t *testing.T) {
	c := clientOf(t, failing{}, Options{})
	for _, took := range []time.Duration{2, 5, 3} {
		c.answered(&http.Response{ProtoMajor: 1}, took*time.Second)
	}
	if got := time.Duration(c.slowest.Load()); got != 5*time.Second || c.multiplexed.Load() {
		t.Errorf("the slowest took %v, HTTP/2 %v", got, c.multiplexed.Load())
	}
	c.answered(&http.Response{ProtoMajor: 2}, 0)
	if !c.multiplexed.Load() {
		t.Error("HTTP/2 was not seen")
	}
}

// A watch is only made shorter, and counts from then.
func TestShorten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct{ limit, want time.Duration }{{3 * time.Second, 4 * time.Second}, {20 * time.Second, 10 * time.Second}} {
			ctx, cancel := context.WithCancelCause(t.Context())
			began := time.Now()
			r := &watchedReader{ctx: ctx, watch: startWatch(cancel, errIdle, 10*time.Second)}
			time.Sleep(time.Second)
			r.shorten(tt.limit)
			<-ctx.Done()
			if got := time.Since(began); got != tt.want || !errors.Is(context.Cause(ctx), errIdle) {
				t.Errorf("to %v: ended after %v: %v", tt.limit, got, context.Cause(ctx))
			}
		}
		(&watchedReader{}).shorten(time.Second) // nothing is watched
		if w := startWatch(nil, errIdle, -1); w.timer != nil {
			t.Error("a negative limit is watched")
		}
	})
}

// The tokens that a request takes are what isn't read from the cache, on average.
func TestPacerLearns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer()
		p.learn("m", nil, &transport.Usage{InputTokens: 5}) // of a model without limits
		if len(p.models) != 0 {
			t.Errorf("%v", p.models)
		}
		p.learn("m", &transport.RateLimit{}, nil)
		for _, tt := range []struct {
			usage transport.Usage
			want  float64
		}{
			{transport.Usage{InputTokens: 700, CacheCreationInputTokens: 200, CacheReadInputTokens: 9000, OutputTokens: 50}, 900},
			{transport.Usage{InputTokens: 1700}, 1000},
			{transport.Usage{InputTokens: 200}, 900},
		} {
			p.learn("m", nil, &tt.usage)
			if got := p.models["m"].input; got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		}
		reset := time.Now().Add(100 * time.Second)
		full := transport.Allowance{Limit: 10_000, Remaining: 10_000, Reset: reset}
		c := &Client{pacer: p}
		// Whichever limit has the least left decides; all are drawn from.
		for name, limit := range map[string]transport.RateLimit{
			"requests":     {Requests: transport.Allowance{Limit: 100, Remaining: 0, Reset: reset}, InputTokens: full, Tokens: full},
			"input tokens": {Requests: full, InputTokens: transport.Allowance{Limit: 10_000, Remaining: 500, Reset: reset}, Tokens: full},
			"tokens":       {Requests: full, InputTokens: full, Tokens: transport.Allowance{Limit: 10_000, Remaining: 500, Reset: reset}},
		} {
			p.learn("m", &limit, nil)
			if got := p.wait("m"); got < 5*time.Second || got > 10*time.Second {
				t.Errorf("%s: waits %v", name, got)
			}
			left := c.RateLimits()["m"]
			if left.Requests.Remaining != limit.Requests.Remaining-1 || left.InputTokens.Remaining != limit.InputTokens.Remaining-900 || left.Tokens.Remaining != limit.Tokens.Remaining-900 {
				t.Errorf("%s: left %+v", name, left)
			}
		}
	})
}

// A body may be closed twice, and all transports close what rests.
func TestSpreadCounts(t *testing.T) {
	s := &spread{make: newTransport}
	var shards []*shard
	for range perTransport + 1 {
		shards = append(shards, s.acquire())
	}
	if len(s.shards) != 2 || s.shards[0].inFlight != perTransport || s.shards[1].inFlight != 1 {
		t.Fatalf("%d transports", len(s.shards))
	}
	b := &spreadBody{ReadCloser: io.NopCloser(strings.NewReader("")), spread: s, shard: shards[0]}
	b.Close()
	b.Close()
	if s.shards[0].inFlight != perTransport-1 {
		t.Errorf("%d in flight behind two closings of one body", s.shards[0].inFlight)
	}
	if sh := s.acquire(); sh != s.shards[0] {
		t.Error("the first has room, and another was taken")
	}
}

// Writing a body: the pieces are forgotten, the limited reader knows what was taken,
// and a reader that fails is an error.
func TestBulkConnForgets(t *testing.T) {
	near, far := net.Pipe()
	got := make(chan string)
	go func() {
		all, _ := io.ReadAll(far)
		got <- string(all)
	}()
	req := newRequest()
	req.Messages = append(req.Messages, transport.UserText(strings.Repeat("x", 3*direct)), transport.UserText("short"))
	body, err := req.Body()
	if err != nil {
		t.Fatal(err)
	}
	var b bulk
	n, err := bulkConn{near}.writePieces(&b, body.NewReader().(pieced), body.Len())
	if n != body.Len() || err != nil {
		t.Errorf("%d of %d bytes: %v", n, body.Len(), err)
	}
	closed, _ := net.Pipe()
	closed.Close()
	if n, err := (bulkConn{closed}).writePieces(&b, body.NewReader().(pieced), body.Len()); n != 0 || err == nil {
		t.Errorf("%d bytes written over a closed connection: %v", n, err)
	}
	for i, p := range b.pieces {
		if p != nil {
			t.Fatalf("piece %d is kept", i)
		}
	}
	limited := &io.LimitedReader{R: body.NewReader(), N: body.Len() + 7}
	if n, err := (bulkConn{near}).ReadFrom(limited); n != body.Len() || err != nil || limited.N != 7 {
		t.Errorf("%d bytes, %d left: %v", n, limited.N, err)
	}
	why := errors.New("why")
	if n, err := (bulkConn{near}).ReadFrom(io.MultiReader(strings.NewReader("abc"), broken{why})); n != 3 || !errors.Is(err, why) {
		t.Errorf("%d bytes: %v", n, err)
	}
	near.Close()
	if all := <-got; all != string(body.Bytes())+string(body.Bytes())+"abc" {
		t.Errorf("%d bytes arrived", len(all))
	}
}

// A cutBody is a body in pieces.
type cutBody [][]byte

func (p *cutBody) Next(most int) []byte {
	if len(*p) == 0 {
		return nil
	}
	next := (*p)[0]
	if len(next) > most {
		next, (*p)[0] = next[:most], next[most:]
	} else {
		*p = (*p)[1:]
	}
	return next
}

// Pieces of all sizes arrive whole and in order: where the buffer for short ones is nearly
// full, and where long and short ones are as many as are written at once.
func TestBulkConnPieces(t *testing.T) {
	for name, sizes := range map[string][]int{
		"short ones beyond the buffer": slices.Repeat([]int{direct - 1}, 200),
		"a few bytes beyond it":        slices.Repeat([]int{1000, 7, 900}, 100),
		"long and short ones":          slices.Repeat([]int{direct, 1}, 200),
		"one long one before these":    append([]int{direct}, slices.Repeat([]int{1, direct}, 200)...),
		"long ones":                    slices.Repeat([]int{direct + 1}, 300),
		"huge ones":                    {atOnce - 1, 1, atOnce, 3, atOnce + 1, direct - 1},
	} {
		var body cutBody
		var want []byte
		for i, n := range sizes {
			piece := bytes.Repeat([]byte{byte(i)}, n)
			body, want = append(body, piece), append(want, piece...)
		}
		near, far := net.Pipe()
		got := make(chan []byte)
		go func() {
			all, _ := io.ReadAll(far)
			got <- all
		}()
		n, err := bulkConn{near}.writePieces(new(bulk), &body, int64(len(want)))
		near.Close()
		if all := <-got; err != nil || n != int64(len(want)) || !bytes.Equal(all, want) {
			t.Errorf("%s: %d of %d bytes arrived, %d are told: %v", name, len(all), len(want), n, err)
		}
	}
}
