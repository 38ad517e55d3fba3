// Package models says what is known of models: their limits, their prices over
// time, when they end, and what a request to them may hold. [Lookup] finds a
// [Model] by its id.
//
//	m, ok := models.Lookup("claude-opus-5-5")
//	usd, known := m.Cost(resp.Usage, time.Now())
//
// What nobody knows is the zero value of its field, and is allowed: the service
// decides. A model that isn't in the table can be used like any other; its cost is
// then said to be incomplete.
//
// # A model of your own
//
// What a gateway calls by another name, sells at another price, or runs itself, is
// described by a [Model] in a list that goes to two places. The Models of
// anthropic.Options are those that requests are checked against before they are
// sent; the Models of agent.Options are those by which an agent prices answers, and
// knows how long a prompt may be. An entry with the id of a model of the table takes
// its place.
//
//	own := []models.Model{{
//		ID:     "gateway/small",
//		Limits: models.Limits{ContextTokens: 200_000, MaxOutputTokens: 32_000},
//		Prices: []models.Price{{Input: 0.50, CacheWrite5m: 0.625, CacheWrite1h: 1, CacheRead: 0.05, Output: 2}},
//	}}
package models
