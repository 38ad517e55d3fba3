package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A message that comes during the run for which a session is set aside takes it up, if
// that run hasn't read it. One that it has read doesn't.
func TestAMessageDuringTheLastRun(t *testing.T) {
	for name, tt := range map[string]struct {
		last int // the call that ends the run; the message comes during the first
		want []worker.State
	}{
		"unread": {1, []worker.State{worker.SetAside, worker.Ended}},
		"read":   {2, []worker.State{worker.SetAside}},
	} {
		t.Run(name, func(t *testing.T) {
			store := new(memory.RAM)
			calls := 0
			tool := tools.Func("t", "T.", func(context.Context, struct{}) (string, error) {
				if calls++; calls == 1 {
					submit(t, store, "s", "also")
				}
				if calls == tt.last {
					return "", tools.Fatal(errors.New("the safe is empty"))
				}
				return "ok", nil
			})
			script := []simulator.Reply{}
			for range tt.last {
				script = append(script, simulator.Do(simulator.Call("t", struct{}{})))
			}
			b := newBoss(t)
			defer b.start(worker.Options{Store: store, Backoff: time.Millisecond, Run: always(newAgent(t, client(t, simulator.Options{
				Model: simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
					r := simulator.Say("went on")
					if len(script) > 0 && len(turn.Messages) > 0 && turn.Messages[0].Text() == "go" {
						r, script = script[0], script[1:]
					}
					return &r, nil
				}),
			}), tool))})()
			submit(t, store, "s", "go")
			b.wait("s", len(tt.want))
			for i := range 5 { // each takes some polls
				submit(t, store, fmt.Sprint(i), "another")
				b.wait(fmt.Sprint(i), 1)
			}
			list := b.wait("s", len(tt.want))
			var got []worker.State
			for _, o := range list {
				got = append(got, o.State)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) || calls != tt.last {
				t.Errorf("its runs: %v, want %v; %d calls", got, tt.want, calls)
			}
			log, err := memory.Open(t.Context(), store, "s")
			if err != nil {
				t.Fatal(err)
			}
			if info, err := store.Info(t.Context(), "s"); err != nil || log.State().Queued != info.Queued {
				t.Errorf("the log has the messages up to %d of %d, %v", log.State().Queued, info.Queued, err)
			}
		})
	}
}
