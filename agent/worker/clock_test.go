package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// The clocks of the database and of two workers' machines are an hour apart, either
// way. No call runs twice, no lease is taken early, and what is to be woken is woken by
// the database's clock.
func TestClocksAnHourApart(t *testing.T) {
	server, _ := database(t)
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			where, err := server.Ahead(t.Context(), by)
			if err != nil {
				t.Fatal(err)
			}
			store, err := postgres.Open(t.Context(), where, &postgres.Options{Schema: fmt.Sprint("apart", databases.Add(1))})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			testApart(t, store, by)
		})
	}
}

// testApart runs two workers on a store whose clock is ahead of this machine's. The
// second one's machine is ahead of the store as far.
func testApart(t *testing.T, store *postgres.Store, by time.Duration) {
	var mu sync.Mutex
	calls := make(map[string]int)
	held, goOn := make(chan struct{}), make(chan struct{})
	tool := tools.Func("t", "Counts.", func(ctx context.Context, in in) (string, error) {
		id := tools.CallOf(ctx).Meta["n"]
		mu.Lock()
		calls[fmt.Sprint(id, " ", in.N)]++
		mu.Unlock()
		if id == "long" && in.N == 0 {
			close(held)
			<-goOn
		}
		return "ok", nil
	})
	model := simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		first := turn.Messages[0].Text()
		if first == "sleep" && len(turn.Messages) == 1 {
			r := simulator.Do(simulator.Call("sleep_until", map[string]any{"seconds": 1}))
			return &r, nil
		} else if first == "sleep" {
			r := simulator.Say("awake")
			return &r, nil
		}
		return twoCalls().Respond(ctx, turn)
	})
	a, err := agent.New(agent.Options{Client: client(t, simulator.Options{Model: model}), Model: "claude-haiku-4-5", Limits: agent.Limits{Lease: 2 * time.Second}, Tools: []tools.Tool{tool, worker.SleepUntil(0)}})
	if err != nil {
		t.Fatal(err)
	}
	var failed atomic.Bool
	run := func(_ context.Context, s memory.Info) (*agent.Agent, agent.Input, error) {
		if s.ID == "fails" && !failed.Swap(true) {
			return nil, agent.Input{}, errors.New("no database")
		}
		return a, agent.Input{}, nil
	}
	storeNow, err := store.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := storeNow.Add(time.Second).Truncate(time.Second)
	schedule := worker.Schedule{Name: "report", CatchUp: time.Minute, Message: func(time.Time) transport.Message { return hello }, Next: func(after time.Time) time.Time {
		if after.Before(at) {
			return at
		}
		return time.Time{}
	}}
	var logs [2]bytes.Buffer
	b := newBoss(t)
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for i := range 2 {
		w, err := worker.New(worker.Options{
			Store: store, Run: run, Poll: 10 * time.Millisecond, Backoff: 20 * time.Millisecond, Schedules: []worker.Schedule{schedule},
			Logger: slog.New(slog.NewTextHandler(locked{&mu, &logs[i]}, nil)), Done: b.record,
		})
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			w.SetMachine(func() time.Time { return time.Now().Add(2 * by) })
		}
		workers.Go(func() {
			if err := w.Work(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	defer workers.Wait()
	defer cancel()
	ids := []string{"long", "fails", "0", "1", "2", "3", "4", "5"}
	for _, id := range ids {
		if err := worker.Submit(t.Context(), store, id, hello, map[string]string{"n": id}); err != nil {
			t.Fatal(err)
		}
	}
	submit(t, store, "sleeps", "sleep")
	receive(t, held, "the tool runs")
	info, err := store.Info(t.Context(), "long")
	if lease := info.Due.Sub(storeNow); err != nil || lease <= 0 || lease > time.Minute {
		t.Errorf("the lease ends %v from now by the store's clock: %v", lease, err)
	}
	if safety := info.Wake.Sub(storeNow); safety <= 0 || safety > time.Minute {
		t.Errorf("a session that runs is looked at again %v from now by the store's clock", safety)
	}
	b.until("sleeps", worker.Ended)
	b.until("report/"+at.UTC().Format(time.RFC3339), worker.Ended)
	time.Sleep(2500 * time.Millisecond) // longer than the lease of "long" would last
	close(goOn)
	for _, id := range ids {
		b.until(id, worker.Ended)
		for n := range 2 {
			mu.Lock()
			if made := calls[fmt.Sprint(id, " ", n)]; made != 1 {
				t.Errorf("session %s: call %d is made %d times", id, n, made)
			}
			mu.Unlock()
		}
	}
	slept := 0
	for _, o := range b.wait("sleeps", 2) {
		if o.State != worker.Left {
			slept++
		}
		if wait := o.Until.Sub(storeNow); o.State == worker.Waits && (wait < 0 || wait > time.Minute) {
			t.Errorf("the sleep of a second ends %v from now by the store's clock", wait)
		}
	}
	if slept > 20 { // a run that ends while the store is asked is looked at once more
		t.Errorf("%d runs of a session that sleeps", slept)
	}
	// A time in the past, by the clock of whoever says so, is at once.
	runs := len(b.wait("0", 1))
	if err := worker.Wake(t.Context(), store, "0", time.Now()); err != nil {
		t.Fatal(err)
	}
	b.wait("0", runs+1)
	mu.Lock()
	defer mu.Unlock()
	for i := range logs {
		if !strings.Contains(logs[i].String(), "clock") {
			t.Errorf("worker %d doesn't tell that the clocks differ: %s", i, logs[i].String())
		}
	}
}
