package evals

import (
	"math/rand/v2"
	"testing"
)

// A null change is taken for a fall in at most 5 of 100 cases, whatever the rate; a fall
// from 0.9 to 0.4 in 20 attempts is noticed in at least 90.
func TestChanceIsNoFall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(rate float64, n int) int {
		passed := 0
		for range n {
			if r.Float64() < rate {
				passed++
			}
		}
		return passed
	}
	share := func(was, is float64, n int) float64 {
		alarms := 0
		for range 20_000 {
			if fell(draw(was, n), n, draw(is, n), n, 0) {
				alarms++
			}
		}
		return float64(alarms) / 20_000
	}
	worst := 0.0
	for _, n := range []int{1, 3, 5, 10, 20, 50} {
		for rate := 0.05; rate < 1; rate += 0.05 {
			worst = max(worst, share(rate, rate, n))
		}
	}
	caught := share(0.9, 0.4, 20)
	t.Logf("false alarms: at most %.4f; caught: %.4f", worst, caught)
	if worst > 0.05 || caught < 0.9 {
		t.Errorf("false alarms: up to %.4f; caught: %.4f", worst, caught)
	}
	if fell(10, 10, 0, 10, 1) || fell(0, 0, 0, 10, 0) {
		t.Error("a fall within the tolerance, or from nothing")
	}
}
