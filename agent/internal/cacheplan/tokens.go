package cacheplan

import "github.com/whorl-go/whorl/transport/models"

// Size estimates the tokens of the prompt: those of the request before are known. At
// an endpoint that counts nothing all of it is estimated.
func (h *History) Size(p *Prompt) int64 {
	if h.requests > 0 && h.last.Prompt == 0 {
		return p.StaticTokens() + p.NewTokens(0)
	}
	return h.last.Prompt + p.NewTokens(h.sent)
}

// NewTokens estimates the messages behind the first n.
func (p *Prompt) NewTokens(n int) int64 {
	var tokens int64
	for _, m := range p.Messages[min(n, len(p.Messages)):] {
		for i := range m.Content {
			tokens += EstimateTokens(len(m.Content[i].Raw()))
		}
	}
	return tokens
}

// StaticTokens estimates the tools, but for deferred ones, and the system prompt.
func (p *Prompt) StaticTokens() int64 {
	var tokens int64
	for i := range p.Tools {
		if !p.Tools[i].Deferred() {
			tokens += EstimateTokens(len(p.Tools[i].Raw()))
		}
	}
	for i := range p.System {
		tokens += EstimateTokens(len(p.System[i].Raw()))
	}
	return tokens
}

// EstimateTokens is a rough guess, for text: 4 bytes are a token.
func EstimateTokens(bytes int) int64 { return int64(bytes+3) / 4 }

// PriceOf is the price that lifetimes are weighed by. Where it is not known the
// usual multiples of the input price stand in (wire §8.6).
func PriceOf(m models.Model) models.Price {
	if len(m.Prices) > 0 {
		return m.Prices[0]
	}
	return models.Price{Input: 1, CacheWrite5m: 1.25, CacheWrite1h: 2, CacheRead: 0.1}
}
