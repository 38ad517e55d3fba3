package evals

import "math"

// z95 is the quantile of the normal distribution for a 95% interval.
const z95 = 1.959963984540054

// Wilson returns the 95% confidence interval of a pass rate, given that passed of n
// attempts passed (Wilson 1927). It returns 0 and 1 if n is 0.
func Wilson(passed, n int) (low, high float64) {
	if n <= 0 {
		return 0, 1
	}
	p, m := float64(passed)/float64(n), float64(n)
	center := (p + z95*z95/(2*m)) / (1 + z95*z95/m)
	half := z95 / (1 + z95*z95/m) * math.Sqrt(p*(1-p)/m+z95*z95/(4*m*m))
	low, high = max(0, center-half), min(1, center+half)
	if passed == 0 {
		low = 0
	}
	if passed == n {
		high = 1
	}
	return low, high
}

// PassAt returns an unbiased estimate of the probability that at least one of k
// attempts passes, given that passed of n attempts did (Chen et al. 2021). It returns
// NaN if k is more than n, or less than 1.
func PassAt(k, passed, n int) float64 {
	if k < 1 || k > n {
		return math.NaN()
	}
	return 1 - chooseRatio(n-passed, n, k)
}

// PassAll returns an unbiased estimate of the probability that all of k attempts pass,
// known as pass^k. It returns NaN if k is more than n, or less than 1.
func PassAll(k, passed, n int) float64 {
	if k < 1 || k > n {
		return math.NaN()
	}
	return chooseRatio(passed, n, k)
}

// chooseRatio is (a choose k) / (n choose k), for a at most n.
func chooseRatio(a, n, k int) float64 {
	if k > a {
		return 0
	}
	r := 1.0
	for i := range k {
		r *= float64(a-i) / float64(n-i)
	}
	return r
}

// fell reports whether a rate is lower than another beyond chance: whether the 95%
// interval of their difference lies below -tolerance (Newcombe 1998, method 10).
func fell(was, of, is, now int, tolerance float64) bool {
	if of == 0 || now == 0 {
		return false
	}
	p0, p1 := float64(was)/float64(of), float64(is)/float64(now)
	l0, _ := Wilson(was, of)
	_, u1 := Wilson(is, now)
	return p1-p0+math.Hypot(u1-p1, p0-l0) < -tolerance
}
