package agent_test

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
)

// A program that makes an agent for each request pays for agent.New every time.
// What New and a run of one tool call allocate, with 10 tools, is held here.
func TestAllocationsOfAnAgentAndItsRun(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ten := make([]tools.Tool, 10)
	for i := range ten {
		ten[i] = tools.Func(fmt.Sprint("lookup", i), "Looks something up.", func(context.Context, query) (string, error) { return "found", nil })
	}
	ten[0] = lookup(200)
	once := func() {
		if res, err := agentOver(t, &canned{turns: 1, parallel: 1}, ten...).Run(context.Background(), agent.Input{Prompt: "go"}); err != nil || res.Steps != 2 {
			t.Fatal(err)
		}
	}
	once()                                           // fill the pools
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which a collection would empty
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 50
	for range rounds {
		once()
	}
	runtime.ReadMemStats(&after)
	kb := float64(after.TotalAlloc-before.TotalAlloc) / rounds / 1024
	objects := float64(after.Mallocs-before.Mallocs) / rounds
	t.Logf("%.1f KB and %.0f objects", kb, objects)
	if kb > 94.7 || objects > 420 {
		t.Errorf("%.1f KB and %.0f objects allocated, want at most 94.7 and 420", kb, objects)
	}
}
