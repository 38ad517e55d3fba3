package worker_test

import (
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/transport/simulator"
)

// On Postgres a message from another process wakes the worker at once, and so does one
// that comes while its connection was lost.
func TestNotified(t *testing.T) {
	server, url := database(t)
	open := func() memory.Store {
		s, err := postgres.Open(t.Context(), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	b := newBoss(t)
	stop := b.start(worker.Options{Store: open(), Run: always(newAgent(t, client(t, simulator.Options{Model: simulator.Script(simulator.Say("one"), simulator.Say("two"), simulator.Say("three"))}))), Poll: time.Hour})
	defer stop()
	other := open()
	for _, id := range []string{"a", "b"} {
		if err := worker.Submit(t.Context(), other, id, hello, nil); err != nil {
			t.Fatal(err)
		}
		b.wait(id, 1)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	// Connections of the pool are dead, and what is not known to have happened is not
	// tried again by the store.
	for worker.Submit(t.Context(), other, "c", hello, nil) != nil {
		if t.Context().Err() != nil {
			t.Fatal("no message can be given")
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.wait("c", 1)
}
