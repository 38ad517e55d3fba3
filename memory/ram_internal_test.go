package memory

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/memory/budget"
)

// So many charges are remembered as are needed, and the oldest is forgotten first.
func TestChargesAreRememberedForAWhile(t *testing.T) {
	s := new(RAM)
	b := budget.Budget{Name: "b", USD: 1e6}
	for i := range maxCharged + 2 {
		id := fmt.Sprint(i)
		if err := errors.Join(s.Reserve(t.Context(), b, id, 1), s.Charge(t.Context(), id, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]error{"0": budget.ErrNoReservation, "1": budget.ErrNoReservation, "2": nil, fmt.Sprint(maxCharged + 1): nil} {
		if err := s.Charge(t.Context(), id, 1); !errors.Is(err, want) {
			t.Errorf("charge %s again: %v, want %v", id, err, want)
		}
	}
	if n := len(s.ledger.charged); n != maxCharged || len(s.ledger.order) != n || len(s.ledger.open) != 0 {
		t.Errorf("%d charges are remembered, %d in order, %d open", n, len(s.ledger.order), len(s.ledger.open))
	}
	if got, err := s.Spending(t.Context(), b); err != nil || got.Spent != maxCharged+2 || got.Reserved != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A list of reservations that a caller has is not written into when one of them ends.
func TestSpendingIsAsItWas(t *testing.T) {
	s := new(RAM)
	b := budget.Budget{Name: "b", USD: 10}
	for _, id := range []string{"1", "2", "3"} {
		if err := s.Reserve(t.Context(), b, id, 1); err != nil {
			t.Fatal(err)
		}
	}
	before, err := s.Spending(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(before.Open) != "[1 2 3]" {
		t.Errorf("open, as it was told before: %q", before.Open)
	}
}

// Only an encrypted record is replaced by an encrypted one, where there is one, and a
// load that has begun sees what was there.
func TestReplaceSealed(t *testing.T) {
	s := new(RAM)
	sealed := func(text string) Record { return Record{Kind: KindSealed, Data: []byte(`"` + text + `"`)} }
	if err := s.Append(t.Context(), "s", Position{}, sealed("one"), Record{Kind: KindNote}, sealed("two")); err != nil {
		t.Fatal(err)
	}
	if err := s.Fork(t.Context(), "s", Position{Records: 3}, "f", nil); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		n    int
		r    Record
		want error
	}{{1, sealed("x"), ErrConflict}, {3, sealed("x"), ErrConflict}, {0, Record{Kind: KindNote}, ErrConflict}, {2, sealed("three"), nil}} {
		if err := s.ReplaceSealed(t.Context(), "s", tt.n, tt.r); !errors.Is(err, tt.want) {
			t.Errorf("record %d by a %s: %v, want %v", tt.n, tt.r.Kind, err, tt.want)
		}
	}
	for id, want := range map[string]string{"s": `"one""three"`, "f": `"one""two"`} {
		got := ""
		for r, err := range s.Load(t.Context(), id, Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			got += string(r.Data)
		}
		if got != want {
			t.Errorf("%q holds %s, want %s", id, got, want)
		}
	}
}

// A period ends by the clock, and a charge is one of the period that it was reserved in.
func TestPeriodsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its time begins with the year 2000
		s := new(RAM)
		b := budget.Budget{Name: "b", USD: 1, Period: budget.Day}
		if err := s.Reserve(t.Context(), b, "1", 0.75); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24*time.Hour - time.Nanosecond)
		if err := s.Reserve(t.Context(), b, "2", 0.75); !errors.Is(err, budget.ErrOver) {
			t.Errorf("on the same day: %v", err)
		}
		time.Sleep(time.Nanosecond)
		if err := errors.Join(s.Reserve(t.Context(), b, "2", 0.75), s.Charge(t.Context(), "1", 0.5)); err != nil {
			t.Errorf("on the next day: %v", err)
		}
		if got, err := s.Spending(t.Context(), b); err != nil || got.Spent != 0 || got.Reserved != 0.75 || got.OldestOpen != time.Now() {
			t.Errorf("on the next day: %+v, %v", got, err)
		}
	})
}
