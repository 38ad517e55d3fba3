package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// Tools that don't look at their contexts keep neither a run that ends nor each other,
// with a time limit or without, one beside the other or one behind the other.
func TestToolsThatIgnoreTheEndAreLeft(t *testing.T) {
	const grace = 500 * time.Millisecond
	for _, tt := range []struct {
		name    string
		limit   time.Duration // of each tool
		group   string
		cancel  time.Duration // when the run is cancelled; 0 for never
		took    time.Duration
		results string // in each of two results, with | between them
	}{
		{"the run ends", time.Hour, "", time.Second, time.Second + grace, "cancelled while|cancelled while"},
		{"the run ends, no limit", -1, "", time.Second, time.Second + grace, "cancelled while|cancelled while"},
		{"the run ends, the longest limit", math.MaxInt64, "", time.Second, time.Second + grace, "cancelled while|cancelled while"},
		{"the run ends, one behind the other", time.Hour, "g", time.Second, time.Second + grace, "cancelled while|run was cancelled"},
		{"the limits", time.Second, "", 0, time.Second + grace, "no result after 1s|no result after 1s"},
		{"the limits, one behind the other", time.Second, "g", 0, 2 * (time.Second + grace), "no result after 1s|no result after 1s"},
		{"the limit, and then the run", time.Second, "g", 2 * time.Second, 2*time.Second + grace, "no result after 1s|cancelled while"},
		{"the run at the limit", time.Second, "", time.Second, time.Second + grace, "cancelled while|cancelled while"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				free := make(chan struct{})
				deaf := fake{name: "deaf", traits: tools.Traits{Timeout: tt.limit, Group: tt.group}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
					<-free
					return tools.Text("too late"), nil
				}}
				log := memory.NewLog()
				a := newAgent(t, &script{replies: []any{
					reply(t, "tool_use", use("a", "deaf", "{}"), use("b", "deaf", "{}")), reply(t, "end_turn", text("done")),
				}}, agent.Options{}, deaf)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancel > 0 {
					time.AfterFunc(tt.cancel+time.Nanosecond, cancel)
				}
				began := time.Now()
				_, err := finish(ctx, a.NewRun(agent.Input{Log: log, Prompt: "go"}))
				took := time.Since(began)
				close(free)
				synctest.Wait() // what comes now is nobody's result
				if cancelled := errors.Is(err, context.Canceled); cancelled != (tt.cancel > 0) || took.Round(time.Millisecond) != tt.took {
					t.Errorf("%v after %v, want %v", err, took, tt.took)
				}
				want, n := strings.Split(tt.results, "|"), 0
				for _, r := range log.Records(0) {
					if r.Kind != memory.KindResult {
						continue
					}
					id := fmt.Sprint(r.Block.ToolUseID())
					if i := strings.Index("ab", id); !strings.Contains(string(r.Block.Raw()), want[i]) {
						t.Errorf("the result of %s: %s", id, r.Block.Raw())
					}
					n++
				}
				if n != 2 {
					t.Errorf("%d results", n)
				}
			})
		})
	}
}

// A tool that was left and returns while the run goes on has one result, and what stands
// behind it in its lane runs once.
func TestALeftToolThatReturnsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := fake{name: "late", traits: tools.Traits{Timeout: time.Second, Group: "g"}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
			time.Sleep(5 * time.Second)
			return tools.Text("too late"), nil
		}}
		var ran atomic.Int32
		behind := fake{name: "behind", traits: tools.Traits{Group: "g", Timeout: time.Minute}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
			ran.Add(1)
			time.Sleep(10 * time.Second)
			return tools.Text("ready"), nil
		}}
		s := &script{replies: []any{reply(t, "tool_use", use("a", "late", "{}"), use("b", "behind", "{}")), reply(t, "end_turn", text("done"))}}
		res, err := newAgent(t, s, agent.Options{}, late, behind).Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil || res.Text != "done" || ran.Load() != 1 {
			t.Errorf("%q, %v; the one behind it ran %d times", res.Text, err, ran.Load())
		}
		if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, "no result after 1s") || strings.Contains(m, "too late") {
			t.Errorf("the model is told %s", m)
		}
		checkValid(t, res.Log)
	})
}

// A tool's own time counts before that of the limits, and none where it says so.
func TestTimeOfATool(t *testing.T) {
	for _, tt := range []struct {
		own, most time.Duration
		done      bool // after a minute
	}{
		{0, time.Second, false},
		{time.Hour, time.Second, true},
		{-1, time.Second, true},
		{time.Second, time.Hour, false},
		{0, -1, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			slow := fake{name: "slow", traits: tools.Traits{Timeout: tt.own}, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
				select {
				case <-time.After(time.Minute):
					return tools.Text("ready"), nil
				case <-ctx.Done():
					return tools.Result{}, ctx.Err()
				}
			}}
			a := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("a", "slow", "{}")), reply(t, "end_turn", text("done"))}}, agent.Options{Limits: agent.Limits{ToolTime: tt.most}}, slow)
			res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(res.Log.Messages()[2].Content[0].Raw()); strings.Contains(got, "ready") != tt.done {
				t.Errorf("%v of its own, %v by the limits: %s", tt.own, tt.most, got)
			}
		})
	}
}

// unrecorded is a store that takes no result.
type unrecorded struct{ *memory.RAM }

func (u unrecorded) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	for _, r := range records {
		if r.Kind == memory.KindResult {
			return memory.ErrUnavailable
		}
	}
	return u.RAM.Append(ctx, id, at, records...)
}

// The tools that run are told to stop once a result could not be recorded: theirs can't be
// either.
func TestUnrecordedResultsStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stopped atomic.Bool
		began := make(chan struct{})
		quick := fake{name: "quick", call: func(context.Context, json.RawMessage) (tools.Result, error) {
			<-began
			return tools.Text("ready"), nil
		}}
		slow := fake{name: "slow", call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			close(began)
			select {
			case <-time.After(time.Minute):
			case <-ctx.Done():
				stopped.Store(true)
			}
			return tools.Text("late"), nil
		}}
		a := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("a", "quick", "{}"), use("b", "slow", "{}"))}}, agent.Options{}, quick, slow)
		start := time.Now()
		_, err := a.Run(t.Context(), agent.Input{Store: unrecorded{new(memory.RAM)}, Session: "s", Prompt: "go"})
		if !errors.Is(err, memory.ErrUnavailable) || !stopped.Load() || time.Since(start) >= time.Minute {
			t.Errorf("%v after %v; the other was stopped: %v", err, time.Since(start), stopped.Load())
		}
	})
}
