package anthropic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// drop ends the connection of a request without a word.
func drop(t *testing.T, w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	conn.Close()
}

// Connections that break, over real sockets.
func TestDroppedConnections(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first func(w http.ResponseWriter) // what the first attempt gets before the connection drops
		sent  int32
		text  string // of the response, or of what was partial
	}{
		{"before the header", func(http.ResponseWriter) {}, 2, "whole"},
		{"behind the start", func(w http.ResponseWriter) { io.WriteString(w, start) }, 2, "whole"},
		{"in the middle of an event", func(w http.ResponseWriter) { io.WriteString(w, start+delta("x")[:40]) }, 2, "whole"},
		{"behind a delta", func(w http.ResponseWriter) { io.WriteString(w, start+delta("half")) }, 1, "half"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if n.Add(1) > 1 {
					w.Header().Set("Content-Type", "text/event-stream")
					io.WriteString(w, streamOf("whole"))
					return
				}
				var sent strings.Builder
				tt.first(&headless{&sent})
				if sent.Len() > 0 {
					w.Header().Set("Content-Type", "text/event-stream")
					w.Header().Set("Request-Id", "req_partial")
					io.WriteString(w, sent.String())
					w.(http.Flusher).Flush()
				}
				drop(t, w)
			})
			resp, err := transport.Create(t.Context(), c, newRequest())
			var broken *transport.StreamError
			if errors.As(err, &broken) {
				resp = broken.Partial
				if resp.Meta.RequestID != "req_partial" {
					t.Errorf("the partial response has the request id %q", resp.Meta.RequestID)
				}
			}
			if n.Load() != tt.sent || (err != nil) != (tt.sent == 1) {
				t.Fatalf("sent %d times: %v", n.Load(), err)
			}
			if resp.Text() != tt.text {
				t.Errorf("got %q", resp.Text())
			}
		})
	}
}

// headless is a ResponseWriter that keeps what is written.
type headless struct{ *strings.Builder }

func (headless) Header() http.Header { return nil }
func (headless) WriteHeader(int)     {}

// The default transport speaks HTTP/2 where the service does.
func TestHTTP2(t *testing.T) {
	var protocols []string
	var peers []string
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		protocols, peers = append(protocols, r.Proto), append(peers, r.RemoteAddr)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, streamOf(fmt.Sprint(len(body))))
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	rt := newTransport()
	rt.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	defer rt.CloseIdleConnections()
	c, err := New(Options{BaseURL: srv.URL, HTTPClient: &http.Client{Transport: rt}})
	if err != nil {
		t.Fatal(err)
	}
	req := newRequest()
	req.Messages[0] = transport.UserText(strings.Repeat("x", 300_000))
	for range 2 {
		resp, err := transport.Create(t.Context(), c, req)
		if err != nil || len(resp.Text()) != len("300000") {
			t.Fatalf("got %v", err)
		}
	}
	if protocols[0] != "HTTP/2.0" || peers[0] != peers[1] {
		t.Errorf("%q from %q", protocols, peers)
	}
}

// Many conversations at once, of which some are left in the middle and some cut
// off by their context. TestMain looks for goroutines that were left behind.
func TestManyStreamsAtOnce(t *testing.T) {
	var open atomic.Int32
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, start)
		for i := range 50 {
			if _, err := io.WriteString(w, delta(fmt.Sprint(i, " "))); err != nil || r.Context().Err() != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
		io.WriteString(w, end)
	})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			events := 0
			var text strings.Builder
			for ev, err := range c.Stream(ctx, newRequest()) {
				if err != nil {
					if i%4 != 1 || !errors.Is(err, context.Canceled) {
						t.Errorf("stream %d: %v", i, err)
					}
					return
				}
				events++
				text.WriteString(ev.Delta.Text())
				if i%4 == 0 && events == 10+i%7 {
					return
				}
				if i%4 == 1 && events == 10+i%5 {
					cancel()
				}
			}
			if i%4 > 1 && !strings.HasSuffix(text.String(), "48 49 ") {
				t.Errorf("stream %d: %q", i, text.String())
			}
		})
	}
	wg.Wait()
	for range 100 {
		if open.Load() == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d connections are still being served", open.Load())
}

// Streams that are reset, and servers that go away, over HTTP/2.
func TestHTTP2Resets(t *testing.T) {
	for _, tt := range []struct {
		name, sent string // what the first attempt brings
		attempts   int32
		text       string // of the response, or of what was partial
	}{
		{"before the header", "", 2, "whole"},
		{"behind the start", start, 2, "whole"},
		{"behind a delta", start + delta("half"), 1, "half"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "text/event-stream")
				if n.Add(1) > 1 {
					w.WriteHeader(http.StatusEarlyHints)  // which clients ignore
					w.Header().Set("Connection", "close") // GOAWAY
					io.WriteString(w, streamOf("whole"))
					return
				}
				if tt.sent != "" {
					io.WriteString(w, tt.sent)
					w.(http.Flusher).Flush()
				}
				panic(http.ErrAbortHandler) // RST_STREAM
			}))
			srv.EnableHTTP2 = true
			srv.StartTLS()
			defer srv.Close()
			rt := newTransport()
			rt.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
			defer rt.CloseIdleConnections()
			c, err := New(Options{BaseURL: srv.URL, HTTPClient: &http.Client{Transport: rt}})
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.Create(t.Context(), c, newRequest())
			var broken *transport.StreamError
			if errors.As(err, &broken) {
				resp = broken.Partial
			}
			if (err != nil) != (tt.attempts == 1) || n.Load() != tt.attempts || resp.Text() != tt.text {
				t.Fatalf("got %q after %d attempts: %v", resp.Text(), n.Load(), err)
			}
			if resp, err = transport.Create(t.Context(), c, newRequest()); err != nil || resp.Text() != "whole" {
				t.Errorf("behind it: %v", err)
			}
		})
	}
}
