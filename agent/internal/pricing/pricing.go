// Package pricing is the one place where a response gets its price.
package pricing

import (
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// Prices are those of the models that answer a conversation.
type Prices struct {
	Asked string         // the model that the request named, whose prices count if the one that answered has none here
	Own   []models.Model // correct and extend the table
}

// Model is the model whose prices a response has: the one that answered, or else
// the one that was asked. It is false if neither is known.
func (p Prices) Model(resp *transport.Response) (models.Model, bool) {
	m, ok := models.Lookup(resp.Model, p.Own...)
	if !ok && p.Asked != "" {
		m, ok = models.Lookup(p.Asked, p.Own...)
	}
	if !ok {
		m = models.Model{ID: resp.Model}
	}
	return m, ok
}

// Cost is what a response was billed, in USD, at the prices of the time when it
// came: the time of its record. known is false if something of it has no price.
func (p Prices) Cost(resp *transport.Response, at time.Time) (usd float64, known bool) {
	m, _ := p.Model(resp)
	return m.Cost(resp.Usage, at, p.Own...)
}

// Unpriced lists the models of a response whose price isn't known.
func (p Prices) Unpriced(resp *transport.Response) []string {
	var ids []string
	for _, it := range resp.Usage.Iterations {
		if m, ok := models.Lookup(it.Model, p.Own...); it.Model != "" && (!ok || len(m.Prices) == 0) {
			ids = append(ids, it.Model)
		}
	}
	if len(ids) == 0 {
		ids = []string{resp.Model}
	}
	return ids
}
