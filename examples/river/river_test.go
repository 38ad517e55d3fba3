package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Sessions run to their end, a step a job; a step that comes late or twice changes
// nothing.
func TestAJobIsAStep(t *testing.T) {
	srv, err := pgserver.Start()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	ctx := t.Context()
	store, err := postgres.Open(ctx, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	pool, err := pgxpool.New(ctx, srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()

	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("Done.")
		if turn.Messages[len(turn.Messages)-1].Content[0].Type() == transport.TypeText {
			r = simulator.Do(simulator.Call("count", map[string]any{}))
		}
		return &r, nil
	})})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	count := tools.Func("count", "Counts.", func(context.Context, struct{}) (string, error) { return fmt.Sprint(calls.Add(1)), nil })
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{count}})
	if err != nil {
		t.Fatal(err)
	}
	j, err := newJobs(ctx, pool, store, a)
	if err != nil {
		t.Fatal(err)
	}
	const n = 8
	for i := range n {
		if err := begin(ctx, j, store, fmt.Sprint("s", i), "Count."); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer j.Stop(context.WithoutCancel(ctx))
	deadline := time.Now().Add(30 * time.Second)
	for i := range n {
		for {
			l, err := memory.Open(ctx, store, fmt.Sprint("s", i))
			if err == nil && l.Len() > 0 && agent.Next(l).Done() {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("s%d: %v", i, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	var done, failed int
	for deadline := time.Now().Add(10 * time.Second); done < 3*n && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err := pool.QueryRow(ctx, "SELECT count(*) FILTER (WHERE state = 'completed'), count(*) FILTER (WHERE attempt > 1) FROM river_job").Scan(&done, &failed); err != nil {
			t.Fatal(err)
		}
	}
	if done != 3*n || failed != 0 || calls.Load() != n {
		t.Errorf("%d jobs of %d, %d failed, %d calls", done, 3*n, failed, calls.Load())
	}

	// A step that comes again does nothing, whatever the session has come to.
	before, err := store.Info(ctx, "s0")
	if err != nil {
		t.Fatal(err)
	}
	for _, records := range []int{0, 2} {
		s := &stepper{store: store, agent: a}
		if err := s.Work(ctx, &river.Job[Step]{Args: Step{"s0", records}}); err != nil {
			t.Error(err)
		}
	}
	after, err := store.Info(ctx, "s0")
	if err != nil || after.Records != before.Records || calls.Load() != n {
		t.Errorf("%d records, then %d; %d calls: %v", before.Records, after.Records, calls.Load(), err)
	}
	if err := (&stepper{store: store, agent: a}).Work(ctx, &river.Job[Step]{Args: Step{"none", 3}}); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a session that isn't there: %v", err)
	}
}
