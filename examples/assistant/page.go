package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
)

// A page shows the sessions, and goes on with those that its user decides about.
type page struct {
	*assistant
	ctx    context.Context // of its runs
	cancel context.CancelFunc
	server *http.Server

	mu   sync.Mutex // held while a run begins, or the page ends
	runs sync.WaitGroup
}

// openPage serves the page, and shows its address with the token that it wants.
func (a *assistant) openPage(ctx context.Context, addr string) (*page, error) {
	addr, public, err := pageAddress(addr)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("-inspect: %w", err)
	}
	p := &page{assistant: a}
	p.ctx, p.cancel = context.WithCancel(ctx)
	opts := inspect.Options{Resume: p.resume, Feed: &a.live}
	if public {
		opts.Token = rand.Text() // one that is set opens the page to other machines
	}
	handler := inspect.Handler(a.store, opts)
	p.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	p.runs.Go(func() { p.server.Serve(listener) })
	a.show.Note("the sessions are shown at %s", handler.URL("http://"+listener.Addr().String()+"/"))
	return p, nil
}

// pageAddress is the address to listen on, and whether it is not of this machine
// alone. One without a host is.
func pageAddress(addr string) (_ string, public bool, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", false, fmt.Errorf("-inspect: %w; an address is such as :8100", err)
	}
	if host == "" || host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	return net.JoinHostPort(host, port), err != nil || !ip.IsLoopback(), nil
}

// close stops the page and its runs, which leave sessions that can be resumed.
func (p *page) close() {
	p.mu.Lock()
	p.cancel()
	p.mu.Unlock()
	p.server.Close()
	p.runs.Wait()
}

// resume goes on with a session for the user of the page. The one that is open
// in the terminal goes on there.
func (p *page) resume(session string) {
	using, open := p.current()
	if session == open {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	p.runs.Go(func() {
		using.Run(p.live.Attach(p.ctx), agent.Input{Store: p.store, Session: session}) // the page shows how it goes
	})
}
