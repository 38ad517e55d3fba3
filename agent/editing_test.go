package agent

import (
	"testing"

	"github.com/whorl-go/whorl/transport"
)

func TestEditing(t *testing.T) {
	opus, _ := transport.LookupModel("claude-opus-5-5")
	const want = `{"edits":[{"type":"clear_tool_uses_20250919","trigger":{"type":"input_tokens","value":100000},"keep":{"type":"tool_uses","value":3},"clear_at_least":{"type":"input_tokens","value":44444},"exclude_tools":["notes"]}]}`
	if got := string(Editing{Exclude: []string{"notes"}}.For(opus)); got != want {
		t.Errorf("%s", got)
	}
	// What is cleared and what it saves are worth the same at the least.
	for _, steps := range []int{1, 10, 100, 1000} {
		for _, m := range []transport.Model{opus, {}} {
			price := priceOf(m)
			cleared := float64(Editing{Steps: steps}.leastToClear(m, 1_000_000))
			costs := (1_000_000 - cleared) * (price.CacheWrite5m - price.CacheRead)
			saves := cleared * price.CacheRead * float64(steps)
			if saves < 0.999*costs || saves > 1.001*costs {
				t.Errorf("%d steps: clearing %.0f tokens costs %.0f and saves %.0f", steps, cleared, costs, saves)
			}
		}
	}
}
