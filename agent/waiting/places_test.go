package waiting_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/memory/sqlite"
)

// A place is a database, which each process opens for itself: here the one that runs
// the agents, and the one that decides.
type place struct {
	name        string
	run, decide memory.Store
	every       int // of the moments, only each so many; 1 for all
	sessions    int
}

// session is an id that the place doesn't have yet.
func (p *place) session() string {
	p.sessions++
	return fmt.Sprint("root", p.sessions)
}

// places are RAM and SQLite, and with WHORL_FAULTS=long Postgres, too. The quick form
// takes some of the moments where a database is slow.
func places(t *testing.T) []*place {
	t.Helper()
	long := os.Getenv("WHORL_FAULTS") == "long"
	every := 9
	if long {
		every = 1
	}
	ram, file := new(memory.RAM), filepath.Join(t.TempDir(), "log.db")
	open := func(s memory.Store, err error) memory.Store {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := s.(interface{ Close() error }); ok {
			t.Cleanup(func() { c.Close() })
		}
		return s
	}
	list := []*place{
		{name: "RAM", run: ram, decide: ram, every: 1},
		{name: "SQLite", run: open(sqlite.Open(file, nil)), decide: open(sqlite.Open(file, nil)), every: every},
	}
	if !long {
		return list
	}
	srv, err := pgserver.Start()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Log(err)
		return list
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Stop() })
	one := open(postgres.Open(t.Context(), srv.URL, nil))
	return append(list, &place{name: "Postgres", run: one, decide: open(postgres.Open(t.Context(), srv.URL, nil)), every: every})
}
