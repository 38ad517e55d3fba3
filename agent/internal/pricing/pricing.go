// Package pricing is the one place where a response gets its price.
package pricing

import (
	"slices"
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
// the one that was asked. It is false if neither is known. If several endpoints could
// have answered, the prices of the one that did are looked for first: those of a model
// with the endpoint's name and a slash in front of its id.
func (p Prices) Model(resp *transport.Response) (models.Model, bool) {
	if m, ok := p.atEndpoint(resp); ok {
		return m, true
	}
	m, ok := models.Lookup(resp.Model, p.Own...)
	if !ok && p.Asked != "" {
		m, ok = models.Lookup(p.Asked, p.Own...)
	}
	if !ok {
		m = models.Model{ID: resp.Model}
	}
	return m, ok
}

// atEndpoint is the model at the endpoint that answered. Its ids are those without
// the endpoint, too, by which iterations name it.
func (p Prices) atEndpoint(resp *transport.Response) (models.Model, bool) {
	if resp.Meta.Endpoint == "" {
		return models.Model{}, false
	}
	for _, id := range []string{resp.Model, p.Asked} {
		for i := range p.Own {
			m := p.Own[i]
			if name := resp.Meta.Endpoint + "/" + id; id != "" && (m.ID == name || slices.Contains(m.Aliases, name)) {
				m.Aliases = append(slices.Clone(m.Aliases), resp.Model)
				return m, true
			}
		}
	}
	return models.Model{}, false
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
