package postgres_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
)

// A proxy stands before the server. It closes the connection in place of the next answer
// where that is set, or of passing the next request on.
type proxy struct {
	answer, request atomic.Bool

	mu     sync.Mutex
	then   func() // behind what was lost; nil does nothing
	locked func() // called for an answer that says that what is asked for is locked; nil does nothing
}

// does calls one of the functions.
func (p *proxy) does(f *func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if *f != nil {
		(*f)()
	}
}

// set sets one of the functions.
func (p *proxy) set(f *func(), to func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*f = to
}

func (p *proxy) serve(l net.Listener, server string) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		backend, err := net.Dial("tcp", server)
		if err != nil {
			client.Close()
			return
		}
		wg.Go(func() { pass(backend, client, &p.request, p) })
		wg.Go(func() { pass(client, backend, &p.answer, p) })
	}
}

// pass copies until something is to be lost.
func pass(to, from net.Conn, lose *atomic.Bool, p *proxy) {
	defer to.Close()
	defer from.Close()
	room := make([]byte, 64<<10)
	for {
		n, err := from.Read(room)
		if err == nil && lose.CompareAndSwap(true, false) {
			p.does(&p.then)
			return
		}
		if bytes.Contains(room[:n], []byte("C55P03")) { // lock_not_available
			p.does(&p.locked)
		}
		if _, e := to.Write(room[:n]); err != nil || e != nil {
			return
		}
	}
}

// An append whose answer is lost has happened once, and is reported so. The same from
// somebody who has not made it is a conflict.
func TestLostAnswers(t *testing.T) {
	schema := fmt.Sprint("lost answers ", schemas.Add(1))
	direct := open(t, postgres.Options{Schema: schema})
	srv, err := server()
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, ended := new(proxy), make(chan struct{})
	behind := at.Host
	go func() {
		defer close(ended)
		p.serve(l, behind)
	}()
	at.Host = l.Addr().String()
	at.RawQuery += "&lock_timeout=20"
	s, err := postgres.Open(t.Context(), at.String(), &postgres.Options{Schema: schema, Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(s.Close(), l.Close()); err != nil {
			t.Error(err)
		}
		<-ended
	}()
	ctx := t.Context()
	if err := s.Append(ctx, "s", memory.Position{}, input("0")); err != nil {
		t.Fatal(err)
	}
	if err := direct.Append(ctx, "a younger one", memory.Position{}, input("0"), input("1")); err != nil {
		t.Fatal(err)
	}
	p.answer.Store(true)
	if err := s.Append(ctx, "s", memory.Position{Records: 1}, input("1"), input("2")); err != nil {
		t.Errorf("an append that has happened: %v", err)
	}
	if info, err := direct.Info(ctx, "s"); err != nil || info.Records != 3 || p.answer.Load() {
		t.Fatalf("%d records, %v", info.Records, err)
	}
	if err := s.Append(ctx, "s", memory.Position{Records: 1}, input("1"), input("2")); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("the same append, by somebody who hadn't made it: %v", err)
	}
	// Also where the try behind the lost answer fails for another reason.
	tx, err := direct.DB().BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.set(&p.then, func() {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("LOCK TABLE %q.sessions", schema)); err != nil {
			t.Error(err)
		}
	})
	var locked atomic.Int32
	p.set(&p.locked, func() {
		locked.Add(1)
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	})
	p.answer.Store(true)
	if err := s.Append(ctx, "s", memory.Position{Records: 3}, input("3"), input("4")); err != nil || locked.Load() != 1 {
		t.Errorf("an append that has happened, and a lock behind it (%d): %v", locked.Load(), err)
	}
	_ = tx.Rollback() // if it is open still
	p.set(&p.then, func() {
		if err := direct.Append(ctx, "s", memory.Position{Records: 5}, input("theirs")); err != nil {
			t.Error(err)
		}
	})
	p.request.Store(true)
	if err := s.Append(ctx, "s", memory.Position{Records: 5}, input("ours")); !errors.Is(err, memory.ErrConflict) || p.request.Load() {
		t.Errorf("an append that was lost, and another that was not: %v", err)
	}
}
