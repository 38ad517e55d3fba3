package agent

import (
	"time"

	"github.com/whorl-go/whorl/agent/internal/miss"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// A Miss is a part of a prompt that the request before had left in the cache,
// and that was paid for again all the same.
type Miss struct {
	// Reason is the service's own word, such as "tools_changed" (wire §8.8), or
	// else "context_edited", "expired" after a pause, or "unknown".
	Reason string
	Tokens int64
	// Cost is what the tokens cost beyond what reading them would have.
	Cost Cost
}

// missBetween is the miss between two responses, or nil.
func missBetween(first, second *transport.Response, gap time.Duration, own []models.Model) *Miss {
	m := miss.Between(first, second, gap, own...)
	if m == nil {
		return nil
	}
	return &Miss{Reason: m.Reason, Tokens: m.Tokens, Cost: Cost{USD: m.USD, Incomplete: !m.Known}}
}

// missed looks for a miss of the newest step, and keeps it. before is the log's
// state in front of it.
func (r *Run) missed(before memory.State, resp *transport.Response) *Miss {
	if before.Response == nil {
		return nil
	}
	sends := r.log.State().Requests
	if len(sends) < 2 {
		return nil // the response before was to a prompt that is gone
	}
	gap := sends[len(sends)-1].At.Sub(sends[len(sends)-2].At)
	m := missBetween(before.Response, resp, gap, r.agent.opts.Models)
	if m != nil {
		r.result.Misses = append(r.result.Misses, *m)
	}
	return m
}
