package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// While a tool works the cache is kept warm for as long as KeepWarm allows, and no
// longer than the tool works. What that costs is in the run's cost, in the log and in
// the budget, with nothing left set aside. A request that fails is the last one.
func TestTheCacheIsKeptWarm(t *testing.T) {
	for _, tt := range []struct {
		name                 string
		answers, keep, works time.Duration
		fails                bool
		sent, paid           int
	}{
		{"as long as it may be", 0, 15 * time.Minute, time.Hour, false, 3, 3},
		{"until the tool ends", 0, time.Hour, 10 * time.Minute, false, 2, 2},
		{"a call that is quick", 0, time.Hour, time.Minute, false, 0, 0},
		{"an answer that took longer than the cache lives", 10 * time.Minute, time.Hour, time.Hour, false, 0, 0},
		{"one that took nearly as long", 4*time.Minute + 45*time.Second, time.Hour, 6 * time.Minute, false, 2, 2},
		{"a request that fails", 0, time.Hour, 30 * time.Minute, true, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &script{replies: []any{priced(t, "tool_use", 10_000, 100, use("a", "slow", `{}`))}}
			for range tt.sent {
				if tt.fails {
					s.replies = append(s.replies, errors.New("away"))
				} else {
					s.replies = append(s.replies, priced(t, "max_tokens", 10_000, 0))
				}
			}
			s.replies = append(s.replies, priced(t, "end_turn", 10_000, 100, text("done")))
			slow := fake{name: "slow", call: func(context.Context, json.RawMessage) (tools.Result, error) {
				time.Sleep(tt.works)
				return tools.Text("x"), nil
			}}
			b := &agent.Budget{USD: 100}
			a, err := agent.New(agent.Options{Client: &unhurried{script: s, first: tt.answers}, Model: "claude-opus-5-5", Tools: []tools.Tool{slow}, Budget: b, Cache: agent.Cache{KeepWarm: tt.keep}, Limits: agent.Limits{Time: -1, ToolTime: -1}})
			if err != nil {
				t.Fatal(err)
			}
			res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
			if err != nil || res.Text != "done" {
				t.Fatalf("%s: %q, %v", tt.name, res.Text, err)
			}
			if n := len(s.requests); n != 2+tt.sent {
				t.Errorf("%s: %d requests kept it warm, want %d", tt.name, n-2, tt.sent)
			}
			noted := 0
			for _, r := range res.Log.Records(0) {
				if r.Kind == memory.KindNote && r.Note == notes.Warm {
					noted++
				}
			}
			if noted != tt.paid {
				t.Errorf("%s: the log has %d of them, want %d", tt.name, noted, tt.paid)
			}
			left, err := b.Left(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := float64(2+tt.paid)*10_000*4/1e6 + 2*100*20/1e6
			for what, usd := range map[string]float64{"the run": res.Cost.USD, "the log": billOf(t, res.Log).Cost.USD, "the budget": b.Spent().Cost.USD, "what is gone of the budget": b.USD - left} {
				if math.Abs(usd-want) > 1e-9 {
					t.Errorf("%s: %s says $%v, want $%v", tt.name, what, usd, want)
				}
			}
		})
	}
}

// An unhurried client takes its time for the first answer.
type unhurried struct {
	*script
	first time.Duration
}

func (u *unhurried) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	time.Sleep(u.first)
	u.first = 0
	return u.script.Stream(ctx, req)
}

// Where the log can't be told what keeping the cache warm cost, the run ends: what it
// spends later would be more than its log says.
func TestWhatKeptItWarmCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &failsOnce{Store: new(memory.RAM), note: notes.Warm}
		s := &script{replies: []any{priced(t, "tool_use", 10_000, 100, use("a", "slow", `{}`)), priced(t, "max_tokens", 10_000, 0), priced(t, "end_turn", 10_000, 100, text("done"))}}
		slow := fake{name: "slow", call: func(context.Context, json.RawMessage) (tools.Result, error) {
			time.Sleep(6 * time.Minute)
			return tools.Text("x"), nil
		}}
		a := newAgent(t, s, agent.Options{Cache: agent.Cache{KeepWarm: time.Hour}, Limits: agent.Limits{ToolTime: -1}}, slow)
		if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); !errors.Is(err, memory.ErrUnavailable) || !store.failed {
			t.Errorf("%v", err)
		}
		if res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); err != nil || res.Text != "done" {
			t.Errorf("%q, %v", res.Text, err)
		}
	})
}
