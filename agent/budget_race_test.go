package agent

import (
	"testing"

	"github.com/whorl-go/whorl/memory"
)

// Two calls that ask at the same moment don't both get what is left: what the first
// has set aside is gone when the second takes, although both were told that it is there.
// The second then looks again at once, since the first may have ended meanwhile: nobody
// would end a wait. A ledger counts money only, so that tokens are counted beside it.
func TestTwoCallsAskAtOnce(t *testing.T) {
	for name, b := range map[string]*Budget{
		"money": {USD: 1}, "tokens": {Tokens: 1000},
		"tokens beside a ledger": {Tokens: 1000, Ledger: new(account), Name: "a"},
	} {
		q := quote{forecast: forecast{Prompt: 100, Output: 800}, bare: 0.1, perToken: 0.001, least: 10}
		for range 2 {
			if n, wait, err := b.available(t.Context(), q); n != q.Output || wait != nil || err != nil {
				t.Fatalf("%s: %d tokens, %v, %v", name, n, wait, err)
			}
		}
		r := &Run{log: memory.NewLog()}
		h := &reservation{usd: q.bare + q.perToken*float64(q.Output), tokens: q.Prompt + q.Output}
		if wait, err := b.take(t.Context(), r, q, q.Output, h); wait != nil || err != nil {
			t.Fatalf("%s: the first: %v, %v", name, wait, err)
		}
		second := new(reservation)
		if wait, err := b.take(t.Context(), r, q, q.Output, second); wait == nil || err != nil || len(second.budgets) != 0 {
			t.Errorf("%s: the second gets it too: %v, %v", name, wait, err)
		} else {
			select {
			case <-wait:
			default:
				t.Errorf("%s: the second waits for what may be over", name)
			}
		}
		if err := h.release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wait, err := b.take(t.Context(), r, q, q.Output, second); wait != nil || err != nil {
			t.Errorf("%s: what was given back is not there: %v, %v", name, wait, err)
		}
	}
}
