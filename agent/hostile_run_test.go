package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A run is cancelled, broken off, steered, resumed and gone on with at random
// places, with tools that misbehave and calls that wait for approval, in logs
// that are loaded again each time. The simulator never refuses a request.
func TestWhateverHappensTheLogIsTaken(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 30
	}
	misbehave := func(rng *rand.Rand) fake {
		n := rng.IntN(8)
		return fake{name: "odd", traits: tools.Traits{ReadOnly: n%2 == 0, Timeout: 5 * time.Millisecond}, call: func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
			switch n {
			case 0, 1:
				panic("odd")
			case 2:
				<-ctx.Done()
				return tools.Result{}, ctx.Err()
			case 3:
				return tools.Text("\xff\x00 \u2028" + string(in)), nil
			case 4:
				return tools.Result{Content: []transport.Block{{}, transport.Text(" "), transport.ToolCall{ID: "x"}.AnswerError()}}, nil
			case 5:
				return tools.Result{}, errors.New("")
			}
			return tools.Result{IsError: true}, nil
		}}
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 11))
		asks := lookup(10).(*tools.FuncTool)
		opts := agent.Options{
			Thinking: &transport.Thinking{Type: "adaptive"},
			Tools: []tools.Tool{
				asks, misbehave(rng), tools.WebSearch{},
				tools.FuncWith("approved", "", func(context.Context, query) (string, error) { return "x", nil }, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
			},
			Context: agent.ContextOptions{Reminder: func(context.Context, agent.Status) string { return []string{"", "it is noon"}[seed%2] }},
		}
		a, wire := live(t, simulator.Chatty{Steps: 5}, opts)
		store := new(memory.RAM)
		refused := func(err error) bool { return errors.Is(err, transport.ErrInvalidRequest) }
		for round := range 6 {
			ctx, cancel := context.WithCancel(t.Context())
			var run *agent.Run
			if round > 0 && rng.IntN(2) == 0 {
				run = a.NewRun(agent.Input{Store: store, Session: "s"})
			} else {
				inputs := []transport.Message{transport.UserText(fmt.Sprint("go ", seed, round))}
				if rng.IntN(4) == 0 {
					system := transport.SystemText("be brief")
					if rng.IntN(2) == 0 {
						system.ClearAt = "next_user_message"
					}
					inputs = append([]transport.Message{system}, inputs...)
				}
				run = a.NewRun(agent.Input{Store: store, Session: "s", Messages: inputs})
			}
			stop, how := rng.IntN(60), rng.IntN(4)
			n := 0
			for _, err := range run.Events(ctx) {
				if refused(err) {
					t.Fatalf("seed %d, round %d: %v\n%s", seed, round, err, wire.bodies[len(wire.bodies)-1])
				}
				if n++; n < stop {
					continue
				}
				if how == 0 {
					break
				}
				switch how {
				case 1:
					cancel()
				case 2:
					_ = run.Steer(transport.UserText("steered"))
				case 3:
					_ = run.Steer(transport.SystemText("steered"))
				}
				how = 9
			}
			if res, _ := run.Result(); res.Log.Store() == nil {
				t.Fatal("the log has lost its store")
			}
			cancel()
			log, err := memory.Open(t.Context(), store, "s")
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range agent.Pending(log) {
				switch rng.IntN(4) {
				case 0:
					err = p.Approve(t.Context(), log)
				case 1:
					err = p.Deny(t.Context(), log, "no")
				case 2:
					err = p.Edit(t.Context(), log, json.RawMessage(`{"query":"edited"}`))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if len(log.State().Open) == 0 {
				checkValid(t, log)
			}
		}
	}
}

// What a tool reports comes before its end, and never after it, also if the
// tool goes on when nobody waits for it any more.
func TestProgressComesBeforeTheEnd(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			quick := fake{name: "quick", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				tools.Progress(ctx, "half")
				return tools.Text("done"), nil
			}}
			deaf := fake{name: "deaf", traits: tools.Traits{Timeout: time.Second}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				time.Sleep(2 * time.Second)
				tools.Progress(ctx, "late")
				return tools.Text("too late"), nil
			}}
			slow := fake{name: "slow", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				time.Sleep(5 * time.Second)
				return tools.Text("done"), nil
			}}
			s := &script{replies: []any{
				reply(t, "tool_use", use("1", "quick", "{}"), use("2", "deaf", "{}"), use("3", "slow", "{}")),
				reply(t, "tool_use", use("4", "slow", "{}")), reply(t, "end_turn", text("ok")),
			}}
			ended, progressed := map[string]bool{}, 0
			for ev, err := range newAgent(t, s, agent.Options{}, quick, deaf, slow).NewRun(agent.Input{Prompt: "go"}).Events(t.Context()) {
				switch {
				case err != nil:
					t.Fatal(err)
				case ev.Type == agent.EventToolEnd:
					ended[ev.Call.Name] = true
				case ev.Type == agent.EventToolProgress:
					progressed++
					if ended[ev.Call.Name] {
						t.Errorf("%s reports %q after its end", ev.Call.Name, ev.Progress)
					}
				}
			}
			if progressed != 1 || !ended["deaf"] {
				t.Errorf("%d reports, ended %v", progressed, ended)
			}
		})
	}
}
