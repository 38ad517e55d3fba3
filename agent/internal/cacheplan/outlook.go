package cacheplan

import (
	"cmp"

	"github.com/whorl-go/whorl/transport/models"
)

// SummaryTokens is the size that a summary is expected to have.
const SummaryTokens = 3000

// An Outlook is what the rest of a conversation is judged by when it is asked
// whether to make the prompt shorter: what all requests to come will read, and
// what of it the next one has to pay for. What they add is the same either way
// and is left out. Its methods are pure; costs are in millionths of USD.
type Outlook struct {
	price    models.Price
	steps    float64 // requests that are expected
	Size     int64   // tokens of the prompt
	readable int64   // of them, those that the next request reads from the cache
	fixed    int64   // tokens in front that stay: tools and system prompt
	kept     int64   // tokens at the end that stay, or come back
}

// Outlook is what the rest of the conversation is judged by, where so many steps
// are expected, or as many as there were if steps is 0, and kept tokens at the end
// stay.
func (h *History) Outlook(p *Prompt, steps int, kept int64) Outlook {
	o := Outlook{price: PriceOf(p.Model), steps: float64(cmp.Or(steps, h.requests)), Size: h.Size(p), readable: h.Readable, kept: kept}
	o.fixed = min(p.StaticTokens(), o.Size)
	return o
}

// Cold reports whether most of the prompt has to be written to the cache again.
func (o *Outlook) Cold() bool { return 2*o.readable < o.Size }

// reading is what it costs that all requests to come read a prompt of which
// the first one has to write a part.
func (o *Outlook) reading(size, written int64) float64 {
	return o.steps*o.price.CacheRead*float64(size) + (o.price.CacheWrite5m-o.price.CacheRead)*float64(written)
}

// AsIs is what the prompt costs as it is: all requests read it, once the next
// one has written what the cache has lost.
func (o *Outlook) AsIs() float64 { return o.reading(o.Size, o.Size-o.readable) }

// Summarized is what it costs with a summary in the place of all but what is
// kept. The request for the summary reads what the cache has and pays the plain
// price for the rest; the summary is written by the model, and with what is kept
// to the cache.
func (o *Outlook) Summarized() float64 {
	request := o.price.CacheRead*float64(o.readable) + o.price.Input*float64(o.Size-o.readable) + cmp.Or(o.price.Output, 5*o.price.Input)*SummaryTokens
	rewritten := SummaryTokens + o.kept
	if o.Cold() {
		rewritten += o.fixed
	}
	return request + o.reading(o.fixed+SummaryTokens+o.kept, rewritten)
}

// LeastToClear is how many tokens of old results have to go from a prompt of size
// tokens for the service's clearing to pay, where steps more requests are expected
// and the newest kept tokens of results stay. Each request is edited again, and all
// but the newest results go from it. So the first that is edited writes all behind
// the first result that goes, and each one writes the results that it keeps, since
// one more has gone in front of them. What has gone is not read.
func LeastToClear(m models.Model, size, steps, kept int64) int64 {
	price := PriceOf(m)
	rewrite := price.CacheWrite5m - price.CacheRead
	return int64(rewrite * (float64(size) + float64(steps*kept)) / (rewrite + float64(steps)*price.CacheRead))
}
