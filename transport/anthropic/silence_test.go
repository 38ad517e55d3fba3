package anthropic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// A path is a TCP proxy in front of a server. It can swallow what comes over the
// connections that are there, while it acknowledges it and passes on new ones.
type path struct {
	listener net.Listener
	made     atomic.Int32 // connections
	mu       sync.Mutex
	alive    []*atomic.Bool // what the server sends is passed on
	heard    []*atomic.Bool // what the client sends is passed on
	conns    []net.Conn
}

func newPath(t *testing.T, to string) *path {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &path{listener: l}
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			p.made.Add(1)
			alive, heard := new(atomic.Bool), new(atomic.Bool)
			alive.Store(true)
			heard.Store(true)
			p.mu.Lock()
			p.alive, p.heard, p.conns = append(p.alive, alive), append(p.heard, heard), append(p.conns, near, far)
			p.mu.Unlock()
			pass := func(dst, src net.Conn, alive *atomic.Bool) {
				buf := make([]byte, 4<<10)
				for {
					n, err := src.Read(buf)
					if n > 0 && alive.Load() {
						_, _ = dst.Write(buf[:n])
					}
					if err != nil {
						if alive.Load() {
							dst.Close()
						}
						return
					}
				}
			}
			go pass(far, near, heard)
			go pass(near, far, alive)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.conns {
			c.Close()
		}
	})
	return p
}

// swallow makes all connections that are there dead.
func (p *path) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.alive {
		p.alive[i].Store(false)
		p.heard[i].Store(false)
	}
}

// deafen makes the connections that are there swallow what the client sends.
func (p *path) deafen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.heard {
		h.Store(false)
	}
}

// throughPath is a client whose requests to srv go through a path. The times
// until it gives up a silent connection are short.
func throughPath(t *testing.T, srv *httptest.Server, o Options) (*Client, *path) {
	at, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := newPath(t, at.Host)
	at.Host = p.listener.Addr().String()
	o.BaseURL, o.APIKey = at.String(), secret.New("sk-test")
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.silence = 300 * time.Millisecond
	if srv.TLS != nil {
		c.http.Transport = &spread{make: func() *http.Transport {
			rt := newTransport()
			rt.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			rt.HTTP2.SendPingTimeout, rt.HTTP2.PingTimeout = 150*time.Millisecond, 150*time.Millisecond
			return rt
		}}
	}
	t.Cleanup(c.CloseIdleConnections)
	return c, p
}

// A connection that swallows all bytes is left for a new one, by one conversation
// and by many, whether the request meets it idle or waits on it (case K1).
func TestSilentConnectionIsLeft(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		for _, many := range []int{1, 20} {
			t.Run(fmt.Sprintf("http2 %v, %d conversations", http2, many), func(t *testing.T) {
				srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					w.Header().Set("Content-Type", "text/event-stream")
					io.WriteString(w, streamOf("hello"))
				}))
				if srv.EnableHTTP2 = http2; http2 {
					srv.StartTLS()
				} else {
					srv.Start()
				}
				t.Cleanup(srv.Close)
				c, p := throughPath(t, srv, Options{RetryBudget: -1})
				all := func() {
					var wg sync.WaitGroup
					for range many {
						wg.Go(func() {
							if resp, err := transport.Create(t.Context(), c, newRequest()); err != nil || resp.Text() != "hello" {
								t.Errorf("got %v", err)
							} else if resp.Meta.Attempts > 3 {
								t.Errorf("%d attempts", resp.Meta.Attempts)
							}
						})
					}
					wg.Wait()
				}
				all()
				before := p.made.Load()
				p.swallow()
				all()
				if p.made.Load() == before {
					t.Error("no new connection was made")
				}
			})
		}
	}
}

// A request that begins to dial, and is then given a connection that another one put
// back, has no more patience with it than one that took it at once.
func TestSilentConnectionThatCameInsteadOfADial(t *testing.T) {
	hold, held := make(chan struct{}), make(chan struct{})
	var served atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if served.Add(1) == 1 {
			close(held)
			<-hold
		}
		io.WriteString(w, streamOf("hello"))
	}))
	t.Cleanup(srv.Close)
	c, p := throughPath(t, srv, Options{RetryBudget: -1})
	dialed, stuck := make(chan struct{}, 8), make(chan struct{})
	var dials atomic.Int32
	c.http.Transport = &spread{make: func() *http.Transport {
		rt := newTransport()
		dial := rt.DialContext
		rt.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if dials.Add(1) == 2 {
				dialed <- struct{}{}
				<-stuck
			}
			return conn, err
		}
		return rt
	}}
	t.Cleanup(func() { close(stuck) })
	var wg sync.WaitGroup
	create := func() {
		if resp, err := transport.Create(t.Context(), c, newRequest()); err != nil || resp.Text() != "hello" {
			t.Errorf("got %v", err)
		}
	}
	wg.Go(create)
	<-held
	wg.Go(create) // it dials, and waits
	<-dialed
	// The first request's connection is put back once its answer was read. It swallows
	// what the second sends over it.
	p.deafen()
	close(hold)
	wg.Wait()
	if dials.Load() != 3 || served.Load() != 2 {
		t.Errorf("%d connections, %d requests were served", dials.Load(), served.Load())
	}
}

// A large body has the time that it takes to send.
func TestPatienceGrowsWithTheBody(t *testing.T) {
	c, err := New(Options{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	small, large := c.patience(&call{}), c.patience(&call{length: 10 << 20})
	if small != silence || large != silence+40*time.Second {
		t.Errorf("%v, and %v for 10 MB", small, large)
	}
}

// A poll doesn't go back to a connection that didn't answer either.
func TestSilentConnectionOfOtherCalls(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"id":"msgbatch_1","type":"message_batch","processing_status":"ended","input_tokens":3}`)
	}))
	t.Cleanup(srv.Close)
	c, p := throughPath(t, srv, Options{})
	for range 2 {
		if b, err := c.WaitBatch(t.Context(), "msgbatch_1", time.Millisecond); err != nil || b.ID != "msgbatch_1" {
			t.Fatalf("got %v", err)
		}
		if n, err := c.CountTokens(t.Context(), newRequest()); err != nil || n != 3 {
			t.Fatalf("got %v", err)
		}
		p.swallow()
	}
}

// Two answers that begin late are not taken for a dead connection: the first goes
// over a new connection, and tells how long this endpoint takes.
func TestSlowAnswersAreWaitedFor(t *testing.T) {
	var served atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		served.Add(1)
		select {
		case <-time.After(700 * time.Millisecond): // over c.silence
		case <-r.Context().Done():
		}
		io.WriteString(w, streamOf("hello"))
	}))
	t.Cleanup(srv.Close)
	c, p := throughPath(t, srv, Options{})
	for range 2 {
		if resp, err := transport.Create(t.Context(), c, newRequest()); err != nil || resp.Meta.Attempts != 1 {
			t.Fatalf("got %v", err)
		}
	}
	if served.Load() != 2 || p.made.Load() != 1 {
		t.Errorf("%d requests over %d connections", served.Load(), p.made.Load())
	}
}

// A stream whose pings stop is given up after three of their intervals; one that
// has none, after the idle time only.
func TestPingsThatStop(t *testing.T) {
	const ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n"
	stop := make(chan struct{})
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n.Add(1) > 1 {
			io.WriteString(w, streamOf("hello"))
			return
		}
		io.WriteString(w, start)
		for range 3 {
			time.Sleep(20 * time.Millisecond)
			io.WriteString(w, ping)
			w.(http.Flusher).Flush()
		}
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(stop) })
	c, _ := throughPath(t, srv, Options{IdleTimeout: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	resp, err := transport.Create(ctx, c, newRequest())
	if err != nil || resp.Text() != "hello" || resp.Meta.Attempts != 2 {
		t.Fatalf("got %v", err)
	}
}

func TestPingWatch(t *testing.T) {
	var p pingWatch
	at := time.Unix(0, 0)
	for i, tt := range []struct {
		after time.Duration
		ping  bool
		want  time.Duration
	}{
		{0, true, 0},
		{2 * time.Second, true, 6 * time.Second},
		{time.Second, true, 0},         // a shorter interval changes nothing
		{time.Minute, false, 0},        // the model speaks
		{time.Hour, true, 0},           // silence that ended with words is no interval
		{15 * time.Second, true, 45e9}, // the longest counts
	} {
		at = at.Add(tt.after)
		if got := p.see(tt.ping, at); got != tt.want {
			t.Errorf("event %d: got %v", i, got)
		}
	}
	if got := new(pingWatch); got.see(true, at) != 0 || got.see(true, at.Add(time.Millisecond)) != leastIdle {
		t.Error("hasty pings shorten the time below the least")
	}
}

// Each attempt that fails over a connection leaves those that rest, which may be
// dead too: one resting connection after the other would use up the retries.
func TestRestingConnectionsAreLeft(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(50 * time.Millisecond)
		io.WriteString(w, streamOf("hello"))
	}))
	t.Cleanup(srv.Close)
	c, p := throughPath(t, srv, Options{})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			if _, err := transport.Create(t.Context(), c, newRequest()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p.swallow()
	resp, err := transport.Create(t.Context(), c, newRequest())
	if err != nil || resp.Meta.Attempts != 2 {
		t.Errorf("got %v, %+v", err, resp)
	}
}

// Any status 2xx is a success.
func TestStatusesOfSuccess(t *testing.T) {
	for _, status := range []int{200, 201, 202, 203} {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, streamOf("hello"))
		})
		if resp, err := transport.Create(t.Context(), c, newRequest()); err != nil || resp.Text() != "hello" {
			t.Errorf("%d: got %v", status, err)
		}
	}
}

// A proxy that refuses to connect is named, and asked again only where that may help.
func TestProxyRefuses(t *testing.T) {
	for status, attempts := range map[int]int32{407: 1, 403: 1, 502: 2} {
		var n atomic.Int32
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			w.WriteHeader(status)
		}))
		at, _ := url.Parse(proxy.URL)
		c, err := New(Options{APIKey: secret.New("sk-test"), BaseURL: "https://api.gateway.example", MaxRetries: 1})
		if err != nil {
			t.Fatal(err)
		}
		c.http.Transport = &spread{make: func() *http.Transport {
			rt := newTransport()
			rt.Proxy = http.ProxyURL(at)
			return rt
		}}
		_, err = transport.Create(t.Context(), c, newRequest())
		var refused *proxyError
		if !errors.As(err, &refused) || refused.status != status || refused.proxy != at.Host || n.Load() != attempts {
			t.Errorf("%d: asked %d times: %v", status, n.Load(), err)
		}
		var lost *transport.LostError
		if errors.As(err, &lost) {
			t.Errorf("%d: the request never left, yet its cost is called unknown", status)
		}
		c.CloseIdleConnections()
		proxy.Close()
	}
}
