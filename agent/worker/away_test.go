package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A database server that is down loses nothing, and is told in logs and metrics: when it
// is back each session goes on to its end, no call is made twice, and none is set aside.
// WHORL_WORKER_AWAY=1m has it down for a minute; else it is for a second.
func TestAServerThatIsDown(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("WHORL_WORKER_AWAY"))
	if err != nil {
		long = time.Second
	}
	server, url := database(t)
	store, err := postgres.Open(t.Context(), url, &postgres.Options{Wait: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const sessions = 12
	var mu sync.Mutex
	calls := make(map[string]int)
	begun := make(chan struct{})
	a, err := agent.New(agent.Options{
		Client: client(t, simulator.Options{Model: twoCalls()}), Model: "claude-haiku-4-5", Limits: agent.Limits{Lease: time.Second},
		Tools: []tools.Tool{tools.Func("t", "Counts.", func(ctx context.Context, in in) (string, error) {
			mu.Lock()
			calls[fmt.Sprint(tools.CallOf(ctx).Meta["n"], " ", in.N)]++
			if len(calls) == 4 {
				close(begun)
			}
			mu.Unlock()
			time.Sleep(50 * time.Millisecond) // there is always one that runs
			return "ok", nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range sessions {
		if err := worker.Submit(t.Context(), store, fmt.Sprint(i), hello, map[string]string{"n": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	reader := metric.NewManualReader()
	var lines strings.Builder
	b := newBoss(t)
	stop := b.start(worker.Options{
		Store: store, Run: always(a), Poll: 100 * time.Millisecond, Recover: time.Second, Failures: 1,
		Logger: slog.New(slog.NewTextHandler(locked{&mu, &lines}, nil)), MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)),
	})
	defer stop()
	receive(t, begun, "a session runs")
	if err := server.Halt(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(long)
	if seen, err := collect(t, reader); !errors.Is(err, memory.ErrUnavailable) || !strings.Contains(seen, "whorl.worker.running=") {
		t.Errorf("the metrics of a worker whose store is down: %s, %v", seen, err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	for i := range sessions {
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if log, err := memory.Open(t.Context(), store, fmt.Sprint(i)); err == nil && agent.Next(log).Done() && log.Len() > 6 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("session %d: %+v", i, b.outcomes[fmt.Sprint(i)])
			}
		}
		info, err := store.Info(t.Context(), fmt.Sprint(i))
		if _, why, aside := worker.Aside(info); err != nil || aside {
			t.Errorf("session %d is set aside: %s %v", i, why, err)
		}
	}
	t.Logf("down for %v; all have ended %v after it was back", long, time.Since(back).Round(time.Millisecond))
	stop()
	mu.Lock()
	defer mu.Unlock()
	for call, n := range calls {
		if n > 1 {
			t.Errorf("call %s is made %d times", call, n)
		}
	}
	if !strings.Contains(lines.String(), "the store can't be asked for sessions") {
		t.Errorf("the log doesn't tell it: %s", lines.String())
	}
}

// A flaky store can't be appended to for some times.
type flaky struct {
	*memory.RAM
	left atomic.Int32
}

func (s *flaky) Append(ctx context.Context, id string, at memory.Position, r ...memory.Record) error {
	if len(r) > 0 && r[0].Kind == memory.KindResponse && s.left.Add(-1) >= 0 {
		return fmt.Errorf("session %q: %w", id, memory.ErrUnavailable)
	}
	return s.RAM.Append(ctx, id, at, r...)
}

// A store that fails now and then sets nobody aside.
func TestAFlakyStoreSetsNobodyAside(t *testing.T) {
	store := &flaky{RAM: new(memory.RAM)}
	store.left.Store(3)
	hi := simulator.ModelFunc(func(context.Context, *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("hi")
		return &r, nil
	})
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Failures: 1, Run: always(newAgent(t, client(t, simulator.Options{Model: hi})))})()
	submit(t, store, "s", "go")
	for i, o := range b.wait("s", 4) {
		if want := [...]worker.State{worker.Failed, worker.Failed, worker.Failed, worker.Ended}[i]; o.State != want {
			t.Errorf("run %d: %+v", i, o)
		}
	}
}
