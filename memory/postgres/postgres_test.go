package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/memory/storetest"
	"github.com/whorl-go/whorl/transport"
)

// server is started once for all tests, durable for all benchmarks.
var (
	server  = once(pgserver.Start)
	durable = once(pgserver.StartDurable)
)

// started are those that were.
var started []*pgserver.Server

func once(start func() (*pgserver.Server, error)) func() (*pgserver.Server, error) {
	return sync.OnceValues(func() (*pgserver.Server, error) {
		s, err := start()
		if err == nil {
			started = append(started, s)
		}
		return s, err
	})
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range started {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var schemas atomic.Int64

// open makes a store in a schema of its own. It skips the test where no server
// is installed.
func open(t testing.TB, opts postgres.Options) *postgres.Store {
	t.Helper()
	start := server
	if _, ok := t.(*testing.B); ok {
		start = durable
	}
	srv, err := start()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if opts.Schema == "" {
		opts.Schema = fmt.Sprintf("odd \"name\" %d", schemas.Add(1))
	}
	s, err := postgres.Open(t.Context(), srv.URL, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) memory.Store { return open(t, postgres.Options{}) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) memory.Store { return open(b, postgres.Options{}) })
}

func input(text string) memory.Record {
	return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
}

// Connections that are cut while sessions are appended to lose nothing, and do
// nothing twice.
func TestConnectionsCut(t *testing.T) {
	s := open(t, postgres.Options{Wait: time.Minute})
	done := make(chan bool)
	cutter := make(chan error, 1)
	go func() {
		for {
			select {
			case <-done:
				cutter <- nil
				return
			case <-time.After(20 * time.Millisecond):
			}
			s.DB().Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
		}
	}()
	const appends = 200
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range appends {
				if err := s.Append(context.Background(), fmt.Sprint(i), memory.Position{Records: n}, input(fmt.Sprint(n))); err != nil {
					t.Errorf("session %d, record %d: %v", i, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(done)
	<-cutter
	for i := range 4 {
		n := 0
		for r, err := range s.Load(t.Context(), fmt.Sprint(i), memory.Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Message.Text() != fmt.Sprint(n) {
				t.Fatalf("session %d: record %d is %q", i, n, r.Message.Text())
			}
			n++
		}
		if n != appends {
			t.Errorf("session %d holds %d records, want %d", i, n, appends)
		}
	}
}

// A server that goes away gives a typed error; once it is back, the log goes on.
func TestServerRestarts(t *testing.T) {
	s := open(t, postgres.Options{Wait: -1})
	patient := open(t, postgres.Options{})
	srv, _ := server()
	for _, store := range []*postgres.Store{s, patient} {
		log, err := memory.Create(store, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Append(t.Context(), input("one")); err != nil {
			t.Fatal(err)
		}
		if err := srv.Restart(); err != nil {
			t.Fatal(err)
		}
		err = log.Append(t.Context(), input("two"))
		if store == s && err != nil && !errors.Is(err, memory.ErrUnavailable) {
			t.Errorf("without waiting: %v", err)
		}
		if store == patient && err != nil {
			t.Errorf("with waiting: %v", err)
		}
		if err := log.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := log.Append(t.Context(), input("three")); err != nil {
			t.Errorf("after the restart: %v", err)
		}
		again, err := memory.Open(t.Context(), store, "s")
		if err != nil || again.Len() != log.Len() || log.Len() < 2 {
			t.Errorf("the log has %d records, the store gives %d (%v)", log.Len(), again.Len(), err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	s := open(t, postgres.Options{MaxConns: 1})
	if _, err := s.DB().Exec("SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), "s", memory.Position{}, input("x")); !errors.Is(err, memory.ErrReadOnly) {
		t.Errorf("append: %v", err)
	}
}

func TestDamagedRecord(t *testing.T) {
	s := open(t, postgres.Options{Schema: "damaged"})
	if err := s.Append(t.Context(), "s", memory.Position{}, input("a"), input("b"), input("c")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB().Exec("UPDATE damaged.records SET data = set_byte(data, 20, 0) WHERE id & 1 = 1"); err != nil {
		t.Fatal(err)
	}
	n := 0
	var last error
	for _, err := range s.Load(t.Context(), "s", memory.Position{}) {
		if last = err; err == nil {
			n++
		}
	}
	var re *memory.RecordError
	if n != 1 || !errors.As(last, &re) || re.Record != 1 {
		t.Errorf("%d records, then %v; want 1, then a RecordError of record 1", n, last)
	}
}

func TestUnreachable(t *testing.T) {
	_, err := postgres.Open(t.Context(), "postgres://u:secret-word@127.0.0.1:1/x?sslmode=disable&connect_timeout=2", nil)
	if !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("open: %v", err)
	}
	_, err = postgres.Open(t.Context(), "postgres://u:secret-word@host:port/x", nil)
	if err == nil || errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("a bad address: %v", err)
	}
}

// A schema that a newer version of the library has changed is refused.
func TestANewerSchema(t *testing.T) {
	s := open(t, postgres.Options{Schema: "newer"})
	if _, err := s.DB().Exec("INSERT INTO newer.version VALUES (99)"); err != nil {
		t.Fatal(err)
	}
	srv, _ := server()
	if _, err := postgres.Open(t.Context(), srv.URL, &postgres.Options{Schema: "newer"}); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("%v", err)
	}
}
