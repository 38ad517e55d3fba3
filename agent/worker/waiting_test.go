package worker_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Sessions that wait for an approval cost no goroutine, and are not asked for.
func TestWaitingSessionsCostNothing(t *testing.T) {
	const sessions = 1000
	store := new(memory.RAM)
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
	stop := b.start(worker.Options{Store: store, Run: always(a), Done: func(s memory.Info, o worker.Outcome) {
		if o.State != worker.Waits {
			return
		}
		if _, again := seen.LoadOrStore(s.ID, true); !again && waiting.Add(1) == sessions {
			close(all)
		}
	}})
	defer stop()
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
	n := runtime.NumGoroutine()
	for end := time.Now().Add(20 * time.Second); n > sessions/10 && time.Now().Before(end); n = runtime.NumGoroutine() {
		time.Sleep(20 * time.Millisecond)
	}
	if n > sessions/10 {
		t.Errorf("%d goroutines while %d sessions wait", n, sessions)
	}
	for info, err := range store.Due(t.Context(), memory.Query{}) {
		t.Errorf("%q is due, %v", info.ID, err)
	}
}
