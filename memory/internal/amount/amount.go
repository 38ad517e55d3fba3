// Package amount keeps money as whole billionths of a dollar, so that sums are
// exact.
package amount

import (
	"fmt"
	"math"
)

// most is the largest amount in USD: far below what an int64 holds.
const most = 1e9

// Nano is an amount of USD in billionths of a dollar, rounded up.
func Nano(usd float64) (int64, error) {
	if !(usd >= 0 && usd <= most) {
		return 0, fmt.Errorf("%v USD is not a valid amount: it must be from 0 to %.0f", usd, most)
	}
	n := usd * 1e9
	if whole := math.Round(n); math.Abs(n-whole) < 1e-3 {
		return int64(whole), nil // what stands for a decimal fraction
	}
	return int64(math.Ceil(n)), nil
}

// USD is the amount of n billionths of a dollar.
func USD(n int64) float64 { return float64(n) / 1e9 }
