package nearest_test

import (
	"testing"

	"github.com/whorl-go/whorl/internal/nearest"
)

func TestName(t *testing.T) {
	names := []string{"prompt", "max_cost_usd", "checks"}
	for name, want := range map[string]string{"promt": "prompt", "Prompt": "prompt", "maxCostUSD": "max_cost_usd", "cheks": "checks", "chekcs": "checks", "unlike": ""} {
		if got := nearest.Name(name, names); got != want {
			t.Errorf("%q is taken for %q, not %q", name, got, want)
		}
	}
}
