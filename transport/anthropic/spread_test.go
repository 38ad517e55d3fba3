package anthropic

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A request that fails is in flight no more.
func TestSpreadAfterFailures(t *testing.T) {
	down := errors.New("the network is down")
	s := &spread{make: func() *http.Transport {
		return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, down }}
	}}
	for range perTransport + 1 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://api.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := s.RoundTrip(req); !errors.Is(err, down) {
			t.Fatalf("%v, %v", resp, err)
		}
	}
	if len(s.shards) != 1 || s.shards[0].inFlight != 0 {
		t.Errorf("%d transports, the first with %d requests in flight, when all have failed", len(s.shards), s.shards[0].inFlight)
	}
}

// Requests beyond what one transport takes go over another, and come back to the
// first when there is room again.
func TestSpreadOverTransports(t *testing.T) {
	const n = perTransport + 10
	var arrived sync.WaitGroup
	arrived.Add(n)
	open := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			arrived.Done()
			<-open
		}
		got, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Write(got)
	}))
	defer srv.Close()
	s := &spread{make: newTransport}
	defer s.CloseIdleConnections()
	body := strings.Repeat("0123456789", 20_000) // longer than the buffers on its way
	post := func(path string) {
		resp, err := (&http.Client{Transport: s}).Post(srv.URL+path, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != body {
			t.Errorf("%d bytes came back: %v", len(got), err)
		}
	}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { post("/wait") })
	}
	arrived.Wait()
	if len(s.shards) != 2 || s.shards[0].inFlight != perTransport || s.shards[1].inFlight != 10 {
		t.Errorf("%d transports for %d requests, want 2, the first of them full", len(s.shards), n)
	}
	close(open)
	wg.Wait()
	for i, sh := range s.shards {
		if sh.inFlight != 0 {
			t.Errorf("transport %d has %d requests in flight when all are done", i, sh.inFlight)
		}
	}
	post("/")
	if len(s.shards) != 2 {
		t.Errorf("%d transports, want the 2 that there were", len(s.shards))
	}
}
