package worker_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// An away store can't be reached while down is true.
type away struct {
	*memory.RAM
	down atomic.Bool
}

var errAway = errors.New("connection refused")

func (s *away) fail() error {
	if s.down.Load() {
		return errAway
	}
	return nil
}

func (s *away) Append(ctx context.Context, id string, at memory.Position, r ...memory.Record) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.RAM.Append(ctx, id, at, r...)
}

func (s *away) Info(ctx context.Context, id string) (memory.Info, error) {
	if err := s.fail(); err != nil {
		return memory.Info{}, err
	}
	return s.RAM.Info(ctx, id)
}

func (s *away) Due(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	if err := s.fail(); err != nil {
		return func(yield func(memory.Info, error) bool) { yield(memory.Info{}, err) }
	}
	return s.RAM.Due(ctx, q)
}

func (s *away) Wake(ctx context.Context, id string, at time.Time) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.RAM.Wake(ctx, id, at)
}

func (s *away) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.RAM.Lease(ctx, id, owner, d)
}

func (s *away) Release(ctx context.Context, id string) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.RAM.Release(ctx, id)
}

func (s *away) SetMeta(ctx context.Context, id, key, value string) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.RAM.SetMeta(ctx, id, key, value)
}

// A store that is away for a time loses nothing: when it is back each session goes on
// to its end, no call is made twice, and none is set aside.
func TestAStoreThatIsAway(t *testing.T) {
	store := &away{RAM: new(memory.RAM)}
	var calls [6][2]atomic.Int32
	a, err := agent.New(agent.Options{
		Client: client(t, simulator.Options{Model: twoCalls()}), Model: "claude-haiku-4-5", Limits: agent.Limits{Lease: 300 * time.Millisecond},
		Tools: []tools.Tool{tools.Func("t", "Counts.", func(ctx context.Context, in in) (string, error) {
			var n int
			fmt.Sscanf(tools.CallOf(ctx).Meta["n"], "%d", &n)
			calls[n][in.N].Add(1)
			if n == 3 && in.N == 0 {
				store.down.Store(true)
				time.AfterFunc(time.Second, func() { store.down.Store(false) })
			}
			return "ok", nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := newBoss(t)
	for i := range calls {
		if err := worker.Submit(t.Context(), store, fmt.Sprint("s", i), hello, map[string]string{"n": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	defer b.start(worker.Options{Store: store, Run: always(a), Recover: 300 * time.Millisecond})()
	deadline := time.Now().Add(20 * time.Second)
	for i := range calls {
		id := fmt.Sprint("s", i)
		for {
			if log, err := memory.Open(t.Context(), store, id); err == nil && agent.Next(log).Done() && log.Len() > 4 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v", id, b.outcomes[id])
			}
			time.Sleep(10 * time.Millisecond)
		}
		for n := range calls[i] {
			if made := calls[i][n].Load(); made > 1 {
				t.Errorf("%s: call %d is made %d times", id, n, made)
			}
		}
		info, err := store.Info(t.Context(), id)
		if _, why, aside := worker.Aside(info); err != nil || aside {
			t.Errorf("%s is set aside: %s %v", id, why, err)
		}
	}
	if store.down.Load() || calls[3][0].Load() == 0 {
		t.Error("the store was never away")
	}
}

// A time in the past is now, and one in 2099 is not; a session that isn't there is an
// error that says so.
func TestOddTimesAndSessions(t *testing.T) {
	store := new(memory.RAM)
	b := newBoss(t)
	defer b.start(worker.Options{Store: store, Run: always(newAgent(t, client(t, simulator.Options{Model: simulator.Script(simulator.Say("hi"))})))})()
	submit(t, store, "s", "go")
	b.wait("s", 1)
	if err := worker.Wake(t.Context(), store, "s", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if n := len(b.wait("s", 1)); n != 1 {
		t.Errorf("%d runs of a session that is to wake in 2099", n)
	}
	if err := worker.Wake(t.Context(), store, "s", time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	b.wait("s", 2)
	for name, err := range map[string]error{
		"Wake": worker.Wake(t.Context(), store, "none", time.Now()), "Retry": worker.Retry(t.Context(), store, "none"),
	} {
		if !errors.Is(err, memory.ErrNoSession) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
