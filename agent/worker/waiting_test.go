package worker_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Sessions that wait for an approval cost no goroutine and no connection, and are not
// asked for.
func TestWaitingSessionsCostNothing(t *testing.T) {
	const sessions = 1000
	t.Run("ram", func(t *testing.T) { testWaiting(t, new(memory.RAM), sessions)() })
	t.Run("sqlite", func(t *testing.T) {
		store, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		testWaiting(t, store, sessions/10)()
	})
	t.Run("postgres", func(t *testing.T) {
		_, url := database(t)
		const pool = 4
		store, err := postgres.Open(t.Context(), url, &postgres.Options{MaxConns: pool})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		const n = sessions / 10 // many times the connections that there are
		defer testWaiting(t, store, n)()
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(t.Context()))
		// Each poll takes one for a moment.
		var all, busy int
		const q = `SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()`
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if err := conn.QueryRow(t.Context(), q).Scan(&all, &busy); err != nil {
				t.Fatal(err)
			}
			if all > pool+1 { // and that of the notifications
				t.Fatalf("%d connections while %d sessions wait", all, n)
			}
			if busy == 0 {
				break
			}
		}
		if all < 1 || busy != 0 {
			t.Errorf("%d connections, of which %d are at work, while %d sessions wait", all, busy, n)
		}
		t.Logf("%d sessions wait: %d connections, none at work", n, all)
	})
}

// testWaiting lets sessions of a store come to wait. The worker works until stop is
// called.
func testWaiting(t *testing.T, store memory.Store, sessions int) (stop func()) {
	a, err := agent.New(agent.Options{
		Client: client(t, simulator.Options{Model: twoCalls()}), Model: "claude-haiku-4-5",
		Gate:  func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} },
		Tools: []tools.Tool{tools.Func("t", "Does it once.", func(context.Context, in) (string, error) { return "ok", nil })},
	})
	if err != nil {
		t.Fatal(err)
	}
	var waiting atomic.Int64
	var seen sync.Map // a session that ends while it is listed as due may be looked at once more
	all := make(chan struct{})
	b := newBoss(t)
	stop = b.start(worker.Options{Store: store, Run: always(a), Done: func(s memory.Info, o worker.Outcome) {
		if o.State != worker.Waits {
			return
		}
		if _, again := seen.LoadOrStore(s.ID, true); !again && int(waiting.Add(1)) == sessions {
			close(all)
		}
	}})
	t.Cleanup(stop)
	before := runtime.NumGoroutine()
	for i := range sessions {
		if err := worker.Submit(t.Context(), store, fmt.Sprint(i), hello, nil); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-all:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%d sessions wait", waiting.Load())
	}
	// Those of the client's connections, the simulator and the worker itself end or stay;
	// there are far fewer of them than of sessions.
	n, most := runtime.NumGoroutine(), before+50
	for end := time.Now().Add(20 * time.Second); n > most && time.Now().Before(end); n = runtime.NumGoroutine() {
		time.Sleep(20 * time.Millisecond)
	}
	if n > most {
		t.Errorf("%d goroutines while %d sessions wait, %d before", n, sessions, before)
	}
	due, err := memory.Need[memory.Waker](store)
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range due.Due(t.Context(), memory.Query{}) {
		t.Errorf("%q is due, %v", info.ID, err)
	}
	t.Logf("%d sessions wait: %d goroutines, %d before", sessions, n, before)
	return stop
}
