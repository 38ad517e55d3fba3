package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"

	"github.com/whorl-go/whorl/transport/anthropic/cassette"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A recorder is a handler that keeps what the simulator answers as cassettes,
// one file per conversation: requests that begin with the same message. While
// it records, a stream is sent when it is complete.
type recorder struct {
	handler http.Handler
	dir     string

	mu        sync.Mutex
	cassettes map[string]*cassette.Cassette
}

func newRecorder(dir string, handler http.Handler) (*recorder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("-record: %w", err)
	}
	return &recorder{handler: handler, dir: dir, cassettes: map[string]*cassette.Cassette{}}, nil
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	resp, err := r.exchange(req, body)
	if err != nil {
		panic(http.ErrAbortHandler) // a fault that cut the connection is not recorded
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

func (r *recorder) exchange(req *http.Request, body []byte) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.cassette(body)
	if err != nil {
		return nil, err
	}
	out, err := http.NewRequestWithContext(req.Context(), req.Method, "http://"+req.Host+req.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header = req.Header
	resp, err := c.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(whole))
	return resp, c.Save()
}

// cassette finds the cassette of the conversation that a body belongs to.
func (r *recorder) cassette(body []byte) (*cassette.Cassette, error) {
	h := fnv.New64a()
	for first := range rawjson.Elements(rawjson.Get(body, "messages")) {
		h.Write(first)
		break
	}
	name := fmt.Sprintf("%016x.json", h.Sum64())
	if c := r.cassettes[name]; c != nil {
		return c, nil
	}
	c, err := cassette.New(filepath.Join(r.dir, name), cassette.Options{Record: true, Transport: inProcess{r.handler}})
	if err == nil {
		r.cassettes[name] = c
	}
	return c, err
}

// inProcess reaches a handler without a network.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if v := recover(); v == http.ErrAbortHandler {
			err = errors.New("the connection was cut")
		} else if v != nil {
			panic(v)
		}
	}()
	w := httptest.NewRecorder()
	t.handler.ServeHTTP(w, req)
	return w.Result(), nil
}
