package agent_test

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// A balance counts spans that have begun and not ended.
type balance struct{ begun, open atomic.Int32 }

func (b *balance) OnStart(context.Context, sdktrace.ReadWriteSpan) { b.begun.Add(1); b.open.Add(1) }
func (b *balance) OnEnd(sdktrace.ReadOnlySpan)                     { b.open.Add(-1) }
func (b *balance) Shutdown(context.Context) error                  { return nil }
func (b *balance) ForceFlush(context.Context) error                { return nil }

// A consumer that panics at any event leaves no span open, no goroutine, such as the one
// that keeps the cache warm, and a log that goes on.
func TestAConsumerThatPanics(t *testing.T) {
	for at := 0; ; at++ {
		panicked := false
		synctest.Test(t, func(t *testing.T) {
			spans := new(balance)
			s := &script{}
			for range 2 {
				s.replies = append(s.replies, priced(t, "tool_use", 10_000, 10, use("a", "slow", `{}`), use("b", "read", `{}`)), reply(t, "end_turn", text("done")))
			}
			running := 0
			var mu sync.Mutex
			count := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				running += n
				return running
			}
			slow := fake{name: "slow", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				count(1)
				defer count(-1)
				tools.Progress(ctx, "begun")
				select {
				case <-time.After(time.Hour):
				case <-ctx.Done():
					time.Sleep(100 * time.Millisecond) // it tidies up
				}
				return tools.Text("ok"), ctx.Err()
			}}
			read := echo("read")
			read.traits.ReadOnly = true
			a := newAgent(t, s, agent.Options{
				Limits:    agent.Limits{Time: -1, ToolTime: -1},
				Cache:     agent.Cache{KeepWarm: 2 * time.Hour},
				Telemetry: agent.Telemetry{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))},
			}, slow, read)
			log := memory.NewLog()
			func() {
				defer func() { panicked = recover() != nil }()
				n := 0
				for range a.NewRun(agent.Input{Log: log, Prompt: "go"}).Events(t.Context()) {
					if n++; n > at {
						panic("the consumer")
					}
				}
			}()
			if n := count(0); n != 0 {
				t.Errorf("event %d: %d tools run behind the end of the run", at, n)
			}
			synctest.Wait() // fails for a goroutine that never ends
			if spans.open.Load() != 0 || spans.begun.Load() < 2 && at > 0 {
				t.Errorf("event %d: %d spans have begun, %d are open", at, spans.begun.Load(), spans.open.Load())
			}
			if !log.TryLock() {
				t.Errorf("event %d: the log is locked", at)
			}
			log.Unlock()
		})
		if !panicked {
			if at < 8 {
				t.Errorf("only %d events", at)
			}
			return
		}
	}
}
