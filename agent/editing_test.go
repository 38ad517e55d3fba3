package agent

import (
	"testing"

	"github.com/whorl-go/whorl/transport"
)

func TestEditing(t *testing.T) {
	opus, _ := transport.LookupModel("claude-opus-5-5")
	const want = `{"edits":[{"type":"clear_tool_uses_20250919","trigger":{"type":"input_tokens","value":100000},"keep":{"type":"tool_uses","value":3},"clear_at_least":{"type":"input_tokens","value":84444},"exclude_tools":["notes"]}]}`
	if got := string(Editing{Exclude: []string{"notes"}}.For(opus)); got != want {
		t.Errorf("%s", got)
	}
	// What is cleared saves what the rewriting costs, at the least.
	for _, steps := range []float64{1, 10, 100, 1000} {
		for _, m := range []transport.Model{opus, {}} {
			o := outlook{price: priceOf(m), steps: steps, size: 1_000_000, readable: 1_000_000, kept: 5000}
			cleared := float64(o.leastToClear())
			costs := (1_000_000 - cleared + steps*5000) * (o.price.CacheWrite5m - o.price.CacheRead)
			saves := cleared * o.price.CacheRead * steps
			if saves < 0.999*costs || saves > 1.001*costs {
				t.Errorf("%.0f steps: clearing %.0f tokens costs %.0f and saves %.0f", steps, cleared, costs, saves)
			}
		}
	}
}
