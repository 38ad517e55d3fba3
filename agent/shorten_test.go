package agent

import (
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// docs/context.md says from how many steps on a summary pays.
func TestSummaryPaysFromAFewStepsOn(t *testing.T) {
	model, ok := transport.LookupModel("claude-opus-5-5")
	if !ok {
		t.Fatal("the model is not in the table")
	}
	const size = 150_000
	pays := func(steps, readable int64) bool {
		o := outlook{price: priceOf(model), steps: float64(steps), size: size, readable: readable, fixed: 2000, kept: 4000}
		return o.summarized() < o.asItIs()
	}
	for steps := int64(1); steps < 20; steps++ {
		if got, want := pays(steps, size), steps >= 5; got != want {
			t.Errorf("with all in the cache and %d steps to come a summary pays: %v", steps, got)
		}
		if !pays(steps, 0) {
			t.Errorf("with nothing in the cache and %d steps to come a summary doesn't pay", steps)
		}
	}
}
