// Package miss finds what was paid for although the prompt cache had had it.
package miss

import (
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/view"
	"github.com/whorl-go/whorl/transport/wire"
)

// A Miss is what agent.Miss is.
type Miss struct {
	Reason string
	Tokens int64
	USD    float64 // beyond what reading would have cost
	Known  bool    // the price
}

// Between compares two responses of one conversation, the second of them
// asked for gap after the first; it came at a time, whose prices count. It is nil if all that the first left in the
// cache was read, or if the usage of one of them tells only sums over several
// samplings and the service gave no reason.
func Between(first, second *transport.Response, gap time.Duration, at time.Time, own ...models.Model) *Miss {
	before, one := wire.LastSampling(first)
	now, alsoOne := wire.LastSampling(second)
	tokens := before.CacheReadInputTokens + before.CacheCreationInputTokens - now.CacheReadInputTokens
	why, err := view.CacheMissOf(second)
	if !one || !alsoOne {
		if why == nil || err != nil {
			return nil
		}
		tokens = why.MissedTokens
	}
	if tokens <= 0 {
		return nil
	}
	m := &Miss{Tokens: tokens}
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
	model, ok := models.Lookup(second.Model, own...)
	if !ok {
		return m
	}
	paid := transport.Usage{Speed: second.Usage.Speed, InferenceGeo: second.Usage.InferenceGeo}
	read := paid
	read.CacheReadInputTokens = m.Tokens
	paid.CacheCreationInputTokens = min(m.Tokens, now.CacheCreationInputTokens)
	paid.CacheCreation.Ephemeral1hInputTokens = min(paid.CacheCreationInputTokens, now.CacheCreation.Ephemeral1hInputTokens)
	paid.InputTokens = m.Tokens - paid.CacheCreationInputTokens
	much, known := model.Cost(paid, at, own...)
	little, _ := model.Cost(read, at, own...)
	m.USD, m.Known = much-little, known
	return m
}
