package models

import (
	"time"

	"github.com/whorl-go/whorl/transport"
)

// Prices of what isn't a token of one model (wire §8.6 and §12.2; pricing
// page, October 2026).
const (
	searchPrice = 10.0 / 1000 // USD per web search; web fetches are free
	batchFactor = 0.5
	usFactor    = 1.1 // inference_geo "us"
)

// Cost returns what the service billed for a response of this model, in USD, at the
// prices of the time at which it came. The zero time means now. Cost counts cache
// writes by their lifetime, web searches, and each of the service's own iterations at
// the price of its model. Batches, fast mode and US inference change the price of
// tokens. known is false if a price is missing; usd then leaves out its part. known is
// also false for a usage without a prompt, as some gateways report none. Time in code
// execution containers is not in the usage, so it is never counted. own corrects and
// extends the table of models, in which Cost looks up the models of iterations.
func (m Model) Cost(u transport.Usage, at time.Time, own ...Model) (usd float64, known bool) {
	known = true
	factor := 1.0
	if u.ServiceTier == "batch" {
		factor *= batchFactor
	}
	if u.InferenceGeo == "us" {
		factor *= usFactor
	}
	iterations := u.Iterations
	if len(iterations) == 0 {
		known = u.PromptTokens() > 0 // a prompt has at least one token: nothing was told
		iterations = []transport.Iteration{{
			InputTokens:              u.InputTokens,
			CacheCreationInputTokens: u.CacheCreationInputTokens,
			CacheReadInputTokens:     u.CacheReadInputTokens,
			OutputTokens:             u.OutputTokens,
			CacheCreation:            u.CacheCreation,
		}}
	}
	for _, it := range iterations {
		model := m
		if it.Model != "" && it.Model != m.ID {
			if other, ok := Lookup(it.Model, append([]Model{m}, own...)...); ok {
				model = other
			} else {
				model = Model{}
			}
		}
		c, ok := model.iterationCost(it, at, u.Speed)
		usd += factor * c
		known = known && ok
	}
	return usd + searchPrice*float64(u.ServerToolUse.WebSearchRequests), known
}

// iterationCost is the price of one sampling's tokens.
func (m Model) iterationCost(it transport.Iteration, at time.Time, speed string) (usd float64, known bool) {
	prompt := it.InputTokens + it.CacheCreationInputTokens + it.CacheReadInputTokens
	if prompt == 0 && it.OutputTokens == 0 {
		return 0, true
	}
	p, known := m.PriceAt(at, speed, prompt)
	if !known {
		return 0, false
	}
	// A streamed response splits only what was written by its start; what came after
	// that lives 5 minutes (wire §4.3 and §8.4).
	write1h := min(it.CacheCreation.Ephemeral1hInputTokens, it.CacheCreationInputTokens)
	write5m := it.CacheCreationInputTokens - write1h
	const million = 1e6
	return (p.Input*float64(it.InputTokens) +
		p.CacheWrite5m*float64(write5m) +
		p.CacheWrite1h*float64(write1h) +
		p.CacheRead*float64(it.CacheReadInputTokens) +
		p.Output*float64(it.OutputTokens)) / million, true
}
