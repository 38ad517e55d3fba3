package cacheplan

import (
	"testing"

	"github.com/whorl-go/whorl/transport/models"
)

// docs/context.md says from how many steps on a summary pays.
func TestSummaryPaysFromAFewStepsOn(t *testing.T) {
	model, ok := models.Lookup("claude-opus-5-5")
	if !ok {
		t.Fatal("the model is not in the table")
	}
	const size = 150_000
	pays := func(steps, readable int64) bool {
		o := Outlook{price: PriceOf(model), steps: float64(steps), Size: size, readable: readable, fixed: 2000, kept: 4000}
		return o.Summarized() < o.AsIs()
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

// What is cleared saves what the rewriting costs, at the least.
func TestClearingPays(t *testing.T) {
	opus, _ := models.Lookup("claude-opus-5-5")
	for _, steps := range []int64{1, 10, 100, 1000} {
		for _, m := range []models.Model{opus, {}} {
			price := PriceOf(m)
			cleared := float64(LeastToClear(m, 1_000_000, steps, 5000))
			costs := (1_000_000 - cleared + float64(steps)*5000) * (price.CacheWrite5m - price.CacheRead)
			saves := cleared * price.CacheRead * float64(steps)
			if saves < 0.999*costs || saves > 1.001*costs {
				t.Errorf("%d steps: clearing %.0f tokens costs %.0f and saves %.0f", steps, cleared, costs, saves)
			}
		}
	}
}
