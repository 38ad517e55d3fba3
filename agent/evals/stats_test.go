package evals_test

import (
	"math"
	"testing"

	"github.com/whorl-go/whorl/agent/evals"
)

// Values of published tables and of R: binom::binom.wilson.
func TestStatistics(t *testing.T) {
	near := func(a, b float64) bool { return math.Abs(a-b) < 5e-5 }
	for _, c := range []struct {
		passed, n int
		low, high float64
	}{
		{0, 10, 0, 0.27753}, {5, 10, 0.23659, 0.76341}, {9, 10, 0.59585, 0.98212}, {10, 10, 0.72247, 1}, {81, 263, 0.25528, 0.36621}, {1, 1, 0.20654, 1}, {0, 0, 0, 1},
	} {
		if low, high := evals.Wilson(c.passed, c.n); !near(low, c.low) || !near(high, c.high) {
			t.Errorf("%d of %d: %.5f to %.5f, not %.5f to %.5f", c.passed, c.n, low, high, c.low, c.high)
		}
	}
	for _, c := range []struct {
		k, passed, n int
		at, all      float64
	}{
		{1, 3, 10, 0.3, 0.3}, {2, 3, 10, 1 - 21.0/45, 3.0 / 45}, {5, 10, 10, 1, 1}, {3, 0, 5, 0, 0}, {3, 5, 5, 1, 1}, {4, 2, 5, 1, 0},
	} {
		if at, all := evals.PassAt(c.k, c.passed, c.n), evals.PassAll(c.k, c.passed, c.n); !near(at, c.at) || !near(all, c.all) {
			t.Errorf("k %d, %d of %d: %v and %v", c.k, c.passed, c.n, at, all)
		}
	}
	for _, k := range []int{0, 11, -1} {
		if !math.IsNaN(evals.PassAt(k, 3, 10)) || !math.IsNaN(evals.PassAll(k, 3, 10)) {
			t.Errorf("k of %d is a number", k)
		}
	}
}
