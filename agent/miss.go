package agent

import (
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/view"
	"github.com/whorl-go/whorl/transport/wire"
)

// A Miss is a part of a prompt that the request before had left in the cache,
// and that was paid for again all the same.
type Miss struct {
	// Reason is the service's own word, such as "tools_changed" (late 2026 §5.3), or
	// else "context_edited", "expired" after a pause, or "unknown".
	Reason string
	Tokens int64
	// Cost is what the tokens cost beyond what reading them would have.
	Cost Cost
}

// MissBetween compares two responses of one conversation, the second of them
// asked for gap after the first. It is nil if all that the first left in the
// cache was read, or if the usage of one of them tells only sums over several
// samplings and the service gave no reason.
func MissBetween(first, second *transport.Response, gap time.Duration, models ...transport.Model) *Miss {
	before, one := wire.LastSampling(first)
	now, alsoOne := wire.LastSampling(second)
	m := &Miss{Tokens: before.CacheReadInputTokens + before.CacheCreationInputTokens - now.CacheReadInputTokens}
	why, err := view.CacheMissOf(second)
	if !one || !alsoOne {
		if why == nil || err != nil {
			return nil
		}
		m.Tokens = why.MissedTokens
	}
	if m.Tokens <= 0 {
		return nil
	}
	edits, _ := view.ContextManagementOf(second)
	switch {
	case why != nil && err == nil:
		m.Reason = why.Type
	case len(edits.AppliedEdits) > 0:
		m.Reason = "context_edited"
	case gap >= cacheplan.ShortLife:
		m.Reason = "expired"
	default:
		m.Reason = "unknown"
	}
	model, ok := transport.LookupModel(second.Model, models...)
	if !ok {
		m.Cost.Incomplete = true
		return m
	}
	paid := transport.Usage{Speed: second.Usage.Speed, InferenceGeo: second.Usage.InferenceGeo}
	read := paid
	read.CacheReadInputTokens = m.Tokens
	paid.CacheCreationInputTokens = min(m.Tokens, now.CacheCreationInputTokens)
	paid.CacheCreation.Ephemeral1hInputTokens = min(paid.CacheCreationInputTokens, now.CacheCreation.Ephemeral1hInputTokens)
	paid.InputTokens = m.Tokens - paid.CacheCreationInputTokens
	much, known := model.Cost(paid, time.Time{}, models...)
	little, _ := model.Cost(read, time.Time{}, models...)
	m.Cost = Cost{USD: much - little, Incomplete: !known}
	return m
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
	m := MissBetween(before.Response, resp, gap, r.agent.opts.Models...)
	if m != nil {
		r.result.Misses = append(r.result.Misses, *m)
	}
	return m
}
