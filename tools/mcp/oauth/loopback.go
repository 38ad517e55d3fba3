package oauth

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A Loopback receives the user at an address of this machine, for programs that run on
// the same machine as the user's browser (RFC 8252 §7.3).
//
//	l, err := oauth.NewLoopback(openBrowser)
//	defer l.Close()
//	h, err := oauth.New(endpoint, oauth.Options{RedirectURL: l.URL(), Authorize: l.Authorize})
type Loopback struct {
	open   func(ctx context.Context, address string) error
	server *http.Server
	url    string
	turn   chan struct{}

	mu    sync.Mutex
	state string      // of the request that is under way
	back  chan string // nil if there is none
}

// NewLoopback listens on a free port of 127.0.0.1. open shows the user an address, for
// instance by opening a browser or printing it.
func NewLoopback(open func(ctx context.Context, address string) error) (*Loopback, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("oauth: %w", err)
	}
	l := &Loopback{open: open, url: "http://" + listener.Addr().String() + "/callback", turn: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.back == nil || r.URL.Query().Get("state") != l.state {
			http.Error(w, "There is no authorization under way that this belongs to.", http.StatusNotFound)
			return
		}
		l.back <- l.url + "?" + r.URL.RawQuery
		l.back = nil
		fmt.Fprintln(w, "You can close this page.")
	})
	l.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = l.server.Serve(listener) }()
	return l, nil
}

// URL returns the address for Options.RedirectURL.
func (l *Loopback) URL() string { return l.url }

// Authorize is for Options.Authorize. It handles one user at a time, and ignores answers
// to other requests.
func (l *Loopback) Authorize(ctx context.Context, address string) (string, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	back := make(chan string, 1)
	l.expect(u.Query().Get("state"), back)
	defer l.expect("", nil)
	if err := l.open(ctx, address); err != nil {
		return "", err
	}
	select {
	case address := <-back:
		return address, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func (l *Loopback) expect(state string, back chan string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state, l.back = state, back
}

// Close stops listening.
func (l *Loopback) Close() error { return l.server.Close() }
