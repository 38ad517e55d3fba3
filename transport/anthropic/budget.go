package anthropic

import (
	"sync"
	"time"
)

// A retryBudget keeps many runs that fail together from sending the whole load
// again and again. A retry takes a token; a success gives one back, and a minute
// fills the budget.
type retryBudget struct {
	mu     sync.Mutex
	size   float64
	tokens float64
	at     time.Time
}

func newRetryBudget(size int) *retryBudget {
	return &retryBudget{size: float64(size), tokens: float64(size)}
}

// take reports whether there is a token for a retry, and takes it.
func (b *retryBudget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !b.at.IsZero() {
		b.add(now.Sub(b.at).Minutes() * b.size)
	}
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (b *retryBudget) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(1)
}

func (b *retryBudget) add(n float64) { b.tokens = min(b.size, b.tokens+n) }
