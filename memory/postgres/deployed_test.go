package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/memory/storetest"
)

var pooler = sync.OnceValues(func() (string, error) {
	srv, err := server()
	if err != nil {
		return "", err
	}
	return srv.Pooler()
})

// openAt opens a store at a URL, with a schema of its own.
func openAt(t *testing.T, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, &postgres.Options{Schema: fmt.Sprintf("at %d", schemas.Add(1))})
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

// Behind a pooler that shares connections between transactions all is the same.
func TestBehindPooler(t *testing.T) {
	url, err := pooler()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T) memory.Store { return openAt(t, url) })
}

// A database whose transactions are serializable by default, with a pooler and
// without: independent sessions don't disturb one another.
func TestSerializableByDefault(t *testing.T) {
	admin := open(t, postgres.Options{}).DB()
	if _, err := admin.Exec("ALTER DATABASE postgres SET default_transaction_isolation = 'serializable'"); err != nil {
		t.Fatal(err)
	}
	defer admin.Exec("ALTER DATABASE postgres RESET default_transaction_isolation")
	srv, _ := server()
	for name, at := range map[string]func() (string, error){
		"direct": func() (string, error) { return srv.URL, nil },
		"pooled": pooler,
	} {
		t.Run(name, func(t *testing.T) {
			url, err := at()
			if errors.Is(err, pgserver.ErrNotInstalled) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			s := openAt(t, url)
			var wg sync.WaitGroup
			for i := range 30 {
				wg.Go(func() {
					id := fmt.Sprint(i)
					for n := range 5 {
						if err := s.Append(context.Background(), id, memory.Position{Records: n}, input("x")); err != nil {
							t.Errorf("session %d: append: %v", i, err)
							return
						}
						if err := s.SetMeta(context.Background(), id, "n", fmt.Sprint(n)); err != nil {
							t.Errorf("session %d: metadata: %v", i, err)
						}
						if err := s.Enqueue(context.Background(), id, input("y")); err != nil {
							t.Errorf("session %d: enqueue: %v", i, err)
						}
						if err := s.Lease(context.Background(), id, "me", time.Minute); err != nil {
							t.Errorf("session %d: lease: %v", i, err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// A statement that takes longer than the server lets it is told as what it is.
func TestStatementTimeout(t *testing.T) {
	srv, err := server()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Skip(err)
	}
	s := openAt(t, srv.URL+"&statement_timeout=200")
	if err := s.Append(t.Context(), "s", memory.Position{}, input("x")); err != nil {
		t.Fatal(err)
	}
	tx, err := s.DB().Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("SELECT pg_advisory_xact_lock(1)"); err != nil {
		t.Fatal(err)
	}
	var schema string
	if err := tx.QueryRow("SELECT table_schema FROM information_schema.tables WHERE table_name = 'sessions' AND table_schema = $1", fmt.Sprintf("at %d", schemas.Load())).Scan(&schema); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(fmt.Sprintf("LOCK TABLE %q.sessions", schema)); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1}, input("y")); !errors.Is(err, memory.ErrLocked) {
		t.Errorf("append: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1}, input("y")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
