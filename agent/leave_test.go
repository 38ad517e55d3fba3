package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
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
