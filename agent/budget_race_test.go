package agent

import (
	"testing"
)

// Two calls that ask at the same moment don't both get what is left: what the first
// has set aside is gone when the second takes, although both were told that it is there.
func TestTwoCallsAskAtOnce(t *testing.T) {
	for name, b := range map[string]*Budget{"money": {USD: 1}, "tokens": {Tokens: 1000}} {
		q := quote{forecast: forecast{Prompt: 100, Output: 800}, bare: 0.1, perToken: 0.001, least: 10}
		for range 2 {
			if n, wait, err := b.available(t.Context(), q); n != q.Output || wait != nil || err != nil {
				t.Fatalf("%s: %d tokens, %v, %v", name, n, wait, err)
			}
		}
		h := &reservation{usd: q.bare + q.perToken*float64(q.Output), tokens: q.Prompt + q.Output}
		if wait, err := b.take(t.Context(), nil, q, q.Output, h); wait != nil || err != nil {
			t.Fatalf("%s: the first: %v, %v", name, wait, err)
		}
		second := new(reservation)
		if wait, err := b.take(t.Context(), nil, q, q.Output, second); wait == nil || err != nil || len(second.budgets) != 0 {
			t.Errorf("%s: the second gets it too: %v, %v", name, wait, err)
		}
		if err := h.release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wait, err := b.take(t.Context(), nil, q, q.Output, second); wait != nil || err != nil {
			t.Errorf("%s: what was given back is not there: %v, %v", name, wait, err)
		}
	}
}
