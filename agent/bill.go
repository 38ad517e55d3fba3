package agent

import (
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A Bill is what requests came to. The zero Bill is empty.
type Bill struct {
	Requests int
	Usage    transport.Usage
	Cost     Cost
	// Tokens is the sum of all that was sampled, prompts and answers, with what Usage
	// leaves out: compaction, the advisor, models that refused.
	Tokens int64
	// Unpriced are the models whose price is not known.
	Unpriced []string
}

// BillOf sums up all that a log tells of: its responses, those that were cut
// off, attempts that failed and were made again, and the requests that are no
// part of the conversation, such as one for a summary. Of a fork that includes
// what was spent before it was forked. models correct and extend the table of
// prices.
func BillOf(log *memory.Log, models ...transport.Model) Bill {
	var b Bill
	for _, r := range log.Records(0) {
		switch r.Kind {
		case memory.KindResponse:
			b.add(r.Response, r.Time, models)
		case memory.KindNote:
			b.addNote(r, models)
		}
	}
	return b
}

// Notes of a log that tell of requests whose response is no part of the
// conversation; see also [memory.NoteWarm].
const (
	noteInterrupted = "interrupted" // a response that was cut off: what had come of it
	noteAside       = "aside"       // a whole response, to a request beside the conversation
	noteLost        = "lost"        // attempts of which nothing came back, though they may have been billed
)

// Add adds a response. One that was cut off is billed for more than is known.
func (b *Bill) Add(resp *transport.Response, models ...transport.Model) {
	b.add(resp, time.Time{}, models)
}

// add adds a response at the prices of the time when it came.
func (b *Bill) add(resp *transport.Response, at time.Time, models []transport.Model) {
	cost, unpriced := priceResponse(resp, "", at, models)
	b.Cost = b.Cost.add(cost, b.Requests == 0)
	b.Requests++
	b.Usage = b.Usage.Add(resp.Usage)
	b.Tokens += tokensOf(resp.Usage)
	for _, id := range unpriced {
		if !slices.Contains(b.Unpriced, id) {
			b.Unpriced = append(b.Unpriced, id)
		}
	}
}

// tokensOf counts what was sampled. Where there are iterations the counts beside
// them leave some out (late 2026 §5.4).
func tokensOf(u transport.Usage) int64 {
	if len(u.Iterations) == 0 {
		return u.PromptTokens() + u.OutputTokens
	}
	var n int64
	for _, it := range u.Iterations {
		n += it.InputTokens + it.CacheCreationInputTokens + it.CacheReadInputTokens + it.OutputTokens
	}
	return n
}

// priceResponse is what a response costs at the prices of the model that
// answered, or else of the one that was asked. It names the models that have no
// price. The prices are those of the time when it came; the zero time is now.
func priceResponse(resp *transport.Response, asked string, at time.Time, own []transport.Model) (cost Cost, unpriced []string) {
	m, ok := transport.LookupModel(resp.Model, own...)
	if !ok && asked != "" {
		m, ok = transport.LookupModel(asked, own...)
	}
	if !ok {
		m = transport.Model{ID: resp.Model}
	}
	cost.USD, cost.Known = m.Cost(resp.Usage, at, own...)
	if cost.Known {
		return cost, nil
	}
	for _, it := range resp.Usage.Iterations {
		if o, ok := transport.LookupModel(it.Model, own...); it.Model != "" && (!ok || len(o.Prices) == 0) {
			unpriced = append(unpriced, it.Model)
		}
	}
	if len(unpriced) == 0 {
		unpriced = append(unpriced, resp.Model)
	}
	return cost, unpriced
}
