package budget_test

import (
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory/budget"
)

// A period is that of UTC, wherever the machine stands: processes in two time zones
// spend of the same budget.
func TestPeriodsAreInUTC(t *testing.T) {
	newYear := time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC)
	for _, hours := range []int{0, -12, 14} {
		at := newYear.In(time.FixedZone("", hours*3600))
		for p, want := range map[budget.Period]string{"": "", budget.Day: "2026-12-31", budget.Month: "2026-12"} {
			if got, err := p.Key(at); err != nil || got != want {
				t.Errorf("%v is in the %s %q, want %q: %v", at, p, got, want, err)
			}
		}
		if got, err := budget.Month.Key(at.Add(time.Hour)); err != nil || got != "2027-01" {
			t.Errorf("an hour after %v it is the month %q: %v", at, got, err)
		}
	}
	if key, err := budget.Period("week").Key(newYear); err == nil {
		t.Errorf("a period that nobody knows is %q", key)
	}
}
