package amount

import "testing"

// Amounts are whole billionths, rounded up: what is reserved is never less than what
// was asked for. What stands for a decimal fraction is that fraction.
func TestNano(t *testing.T) {
	for usd, want := range map[float64]int64{
		0: 0, 0.067: 67000000, 0.1: 100_000_000, 0.3: 300_000_000, 1.1: 1_100_000_000, 4.35: 4_350_000_000, 1e-9: 1, 2.5e-10: 1, 1.25e-9: 2, 1e9: 1e18,
		1234567.123456789: 1_234_567_123_456_789,
	} {
		if got, err := Nano(usd); err != nil || got != want {
			t.Errorf("%v USD: %d, %v; want %d", usd, got, err, want)
		}
	}
}
