// Package models describes models: their limits, their prices over time, when they end,
// and what a request to them may contain. [Lookup] finds a [Model] by its id.
//
//	m, ok := models.Lookup("claude-opus-5-5")
//	usd, known := m.Cost(resp.Usage, time.Now())
//
// A zero field means that the property isn't known. What isn't known is allowed: the
// service decides. A model that isn't in the table can be used like any other; its cost
// is then reported as incomplete.
//
// # A model of your own
//
// A model that a gateway renames, sells at another price, or runs itself is described
// by a [Model] in a list of your own. Set the list in two places: a client checks
// requests against the Models of anthropic.Options before it sends them; an agent uses
// the Models of agent.Options to price responses and to limit the length of prompts. An
// entry with the id of a model in the table replaces it.
//
//	own := []models.Model{{
//		ID:     "gateway/small",
//		Limits: models.Limits{ContextTokens: 200_000, MaxOutputTokens: 32_000},
//		Prices: []models.Price{{Input: 0.50, CacheWrite5m: 0.625, CacheWrite1h: 1, CacheRead: 0.05, Output: 2}},
//	}}
package models
