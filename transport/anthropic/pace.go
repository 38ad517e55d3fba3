package anthropic

import (
	"sync"
	"time"

	"github.com/whorl-go/whorl/transport"
)

// A pacer, unless it is nil, slows requests down before the service would refuse them. The service
// tells with each response how much of its limits is left and when they will be
// full again (wire §1.9); while less than a twentieth is left, requests wait
// until it would be there again. Limits are by the model's class, so the pacer
// goes by model.
type pacer struct {
	mu     sync.Mutex
	models map[string]*allowances
}

// allowances are the limits of one model as last told, less what has been sent since.
type allowances struct {
	last  transport.RateLimit
	input float64 // tokens that a request takes of the limit, on average; cache reads don't count
}

const reserve = 20 // the part of a limit that is kept back is 1/reserve

func newPacer() *pacer { return &pacer{models: make(map[string]*allowances)} }

// wait returns how long a request to model has to wait, and counts it as sent.
func (p *pacer) wait(model string) time.Duration {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.models[model]
	if a == nil {
		return 0
	}
	now := time.Now()
	return max(
		draw(&a.last.Requests, 1, now),
		draw(&a.last.InputTokens, int64(a.input), now),
		draw(&a.last.Tokens, int64(a.input), now),
	)
}

// draw takes n of an allowance and returns how long it takes until that leaves
// the reserve untouched.
func draw(a *transport.Allowance, n int64, now time.Time) time.Duration {
	if a.Limit <= 0 || !a.Reset.After(now) {
		return 0
	}
	used := a.Limit - a.Remaining
	a.Remaining -= n
	lacking := a.Limit/reserve - a.Remaining
	if lacking <= 0 || used <= 0 {
		return 0
	}
	// The limit fills evenly: what is used now is there again at Reset.
	return time.Duration(float64(a.Reset.Sub(now)) * float64(lacking) / float64(used))
}

// learn takes in what a response told.
func (p *pacer) learn(model string, limit *transport.RateLimit, usage *transport.Usage) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.models[model]
	if a == nil {
		if limit == nil {
			return
		}
		a = new(allowances)
		p.models[model] = a
	}
	if limit != nil {
		a.last = *limit
	}
	if usage != nil {
		n := float64(usage.InputTokens + usage.CacheCreationInputTokens)
		if a.input == 0 {
			a.input = n
		}
		a.input += (n - a.input) / 8
	}
}

// RateLimits returns the rate limits that the service last reported, by model, less
// what has been sent since. It returns nil if [Options.NoPacing] is set.
func (c *Client) RateLimits() map[string]transport.RateLimit {
	if c.pacer == nil {
		return nil
	}
	c.pacer.mu.Lock()
	defer c.pacer.mu.Unlock()
	out := make(map[string]transport.RateLimit, len(c.pacer.models))
	for model, a := range c.pacer.models {
		out[model] = a.last
	}
	return out
}
