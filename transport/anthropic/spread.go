package anthropic

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// perTransport is how many requests at once share one http.Transport.
const perTransport = 256

// A spread is a RoundTripper of as many transports as its load needs: one, for
// all but the largest programs. A transport goes through the list of its idle
// connections, under one lock, when a connection comes back to it; thousands of
// conversations would spend their time waiting for that lock.
type spread struct {
	make func() *http.Transport

	mu     sync.Mutex
	shards []*shard
}

type shard struct {
	transport *http.Transport
	inFlight  int // guarded by spread.mu
}

// RoundTrip sends req by the first transport that isn't busy, so that
// connections are shared as long as they can be.
func (s *spread) RoundTrip(req *http.Request) (*http.Response, error) {
	sh := s.acquire()
	resp, err := sh.transport.RoundTrip(req)
	if err != nil {
		s.release(sh)
		return nil, err
	}
	resp.Body = &spreadBody{ReadCloser: resp.Body, spread: s, shard: sh}
	return resp, nil
}

// CloseIdleConnections is called by [http.Client.CloseIdleConnections].
func (s *spread) CloseIdleConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.shards {
		sh.transport.CloseIdleConnections()
	}
}

func (s *spread) acquire() *shard {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range s.shards {
		if sh.inFlight < perTransport {
			sh.inFlight++
			return sh
		}
	}
	sh := &shard{transport: s.make(), inFlight: 1}
	s.shards = append(s.shards, sh)
	return sh
}

func (s *spread) release(sh *shard) {
	s.mu.Lock()
	sh.inFlight--
	s.mu.Unlock()
}

// A spreadBody is a response's body. Its request is in flight until it is closed.
type spreadBody struct {
	io.ReadCloser
	spread *spread
	shard  *shard
	closed atomic.Bool
}

func (b *spreadBody) Close() error {
	err := b.ReadCloser.Close()
	if !b.closed.Swap(true) {
		b.spread.release(b.shard)
	}
	return err
}
