package anthropic

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// A retryBudget keeps many runs that fail together from sending the whole load
// again at once. A retry takes a token, and waits if there is none; a minute
// fills the budget, and each success gives two tokens back, so that retries grow
// from few to many as the service recovers.
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

// await takes a token as soon as there is one. It is false if that takes longer
// than most, or ctx ends. A nil budget has no limit.
func (b *retryBudget) await(ctx context.Context, most time.Duration) bool {
	if b == nil {
		return true
	}
	for waited := time.Duration(0); !b.take(); {
		d := time.Second/2 + rand.N(time.Second/2)
		if waited += d; waited > most || pause(ctx, d) != nil {
			return false
		}
	}
	return true
}

func (b *retryBudget) success() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(2)
}

func (b *retryBudget) add(n float64) { b.tokens = min(b.size, b.tokens+n) }
