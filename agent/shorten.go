package agent

import (
	"cmp"

	"github.com/whorl-go/whorl/transport"
)

// An outlook is what the rest of a conversation is judged by when it is asked
// whether to make the prompt shorter: what all requests to come will read, and
// what of it the next one has to pay for. What they add is the same either way
// and is left out. Its methods are pure; costs are in millionths of USD.
type outlook struct {
	price    transport.Price
	steps    float64 // requests that are expected
	size     int64   // tokens of the prompt
	readable int64   // of them, those that the next request reads from the cache
	fixed    int64   // tokens in front that stay: tools and system prompt
	kept     int64   // tokens at the end that stay, or come back
}

func (h *history) outlook(p prompt, steps int, kept int64) outlook {
	o := outlook{price: priceOf(p.model), steps: float64(cmp.Or(steps, h.requests)), size: h.size(p), readable: h.readable, kept: kept}
	o.fixed = min(p.staticTokens(), o.size)
	return o
}

// cold reports whether most of the prompt has to be written to the cache again.
func (o *outlook) cold() bool { return 2*o.readable < o.size }

// reading is what it costs that all requests to come read a prompt of which
// the first one has to write a part.
func (o *outlook) reading(size, written int64) float64 {
	return o.steps*o.price.CacheRead*float64(size) + (o.price.CacheWrite5m-o.price.CacheRead)*float64(written)
}

// asItIs is what the prompt costs as it is: all requests read it, once the next
// one has written what the cache has lost.
func (o *outlook) asItIs() float64 { return o.reading(o.size, o.size-o.readable) }

// summarized is what it costs with a summary in the place of all but what is
// kept. The request for the summary reads what the cache has and pays the plain
// price for the rest; the summary is written by the model, and with what is kept
// to the cache.
func (o *outlook) summarized() float64 {
	request := o.price.CacheRead*float64(o.readable) + o.price.Input*float64(o.size-o.readable) + cmp.Or(o.price.Output, 5*o.price.Input)*summaryTokens
	rewritten := summaryTokens + o.kept
	if o.cold() {
		rewritten += o.fixed
	}
	return request + o.reading(o.fixed+summaryTokens+o.kept, rewritten)
}

// leastToClear is how many tokens of old results have to go from a prompt for
// the service's clearing to pay. Each request is edited anew, and all but the
// newest results go from it. So the first that is edited writes all behind the
// first result that goes, and each one writes the results that it keeps, since one
// more has gone in front of them. What has gone is not read.
func (o *outlook) leastToClear() int64 {
	rewrite := o.price.CacheWrite5m - o.price.CacheRead
	return int64(rewrite * (float64(o.size) + o.steps*float64(o.kept)) / (rewrite + o.steps*o.price.CacheRead))
}
