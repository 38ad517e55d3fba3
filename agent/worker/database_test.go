package worker_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/whorl-go/whorl/memory/postgres/pgserver"
)

// running is the server that all tests of a process share, once one wants it.
var running = sync.OnceValues(func() (*pgserver.Server, error) {
	started.Store(true)
	return pgserver.Start()
})

var started atomic.Bool

func TestMain(m *testing.M) {
	code := m.Run()
	if started.Load() {
		if s, err := running(); err == nil {
			if err := s.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// database is a server, and the URL of an empty database of it. It skips the test where
// no server is installed.
func database(t *testing.T) (_ *pgserver.Server, url string) {
	t.Helper()
	server, err := running()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	name := fmt.Sprint("db", databases.Add(1))
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	config := conn.Config()
	return server, fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", config.Port, name)
}

var databases atomic.Int64
