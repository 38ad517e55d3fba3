package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/agent/internal/pricing"
	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/internal/money"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Bill is what requests came to. The zero Bill is empty.
type Bill struct {
	Requests int
	Usage    transport.Usage
	Cost     Cost
	// Tokens is the sum of all that was sampled, prompts and answers, with what Usage
	// leaves out: compaction, the advisor, models that refused.
	Tokens int64
	// Sent is how many bytes of request bodies were sent for the responses, those of all
	// attempts; 0 where the log doesn't say.
	Sent int64
	// Unpriced are the models whose price is not known.
	Unpriced []string
}

// BillOf sums up all that a log and those below it, of its sub-agents, report:
// responses, those that were cut off, attempts that failed and were made again, and
// the requests that are no part of the conversation, such as one for a summary. The
// bill of a fork includes what was spent before it was forked; what a sub-agent's
// log began with is not counted twice. Each is priced by the time of its record.
// own corrects and extends the table of prices.
//
// A session's children are read from its store, where it can fail: the bill is then of
// what was read. The bill of log.Fork() is that of the log alone.
func BillOf(ctx context.Context, log *memory.Log, own ...models.Model) (Bill, error) {
	b := billOf(log, 0, own)
	err := addChildren(ctx, &b, log, own)
	return b, err
}

// billOf is what a log says about itself from a record on.
func billOf(log *memory.Log, from int, own []models.Model) Bill {
	var b Bill
	l := pricer{own: own}
	for i, r := range log.Records(0) {
		if bill := l.bill(&r); i >= from {
			b.Add(bill)
		}
	}
	return b
}

// addChildren adds the bills of the logs below one.
func addChildren(ctx context.Context, b *Bill, log *memory.Log, own []models.Model) error {
	add := func(child *memory.Log) error {
		b.Add(billOf(child, sharedRecords(log, child), own))
		return addChildren(ctx, b, child, own)
	}
	for _, child := range log.Children() {
		if err := add(child); err != nil {
			return err
		}
	}
	if log.Store() == nil {
		return nil
	}
	return guard("Store", func() error {
		for info, err := range log.Store().List(ctx, memory.Query{Parent: log.ID()}) {
			var child *memory.Log
			if err == nil {
				child, err = memory.Open(ctx, log.Store(), info.ID)
			}
			if errors.Is(err, memory.ErrNoSession) {
				continue // deleted meanwhile
			}
			if err == nil {
				err = add(child)
			}
			if err != nil {
				return fmt.Errorf("the bill of what is below session %q: %w", log.ID(), safeError("Store", err))
			}
		}
		return nil
	})
}

// sharedRecords is how many records a child begins with that are the parent's.
func sharedRecords(parent, child *memory.Log) int {
	next, stop := iter.Pull2(parent.Records(0))
	defer stop()
	for i, r := range child.Records(0) {
		if _, of, ok := next(); !ok || !sameRecord(r, of) {
			return i
		}
	}
	return child.Len()
}

func sameRecord(a, b memory.Record) bool {
	if a.Kind != b.Kind || !a.Time.Equal(b.Time) {
		return false
	}
	x, err1 := a.AppendJSON(nil)
	y, err2 := b.AppendJSON(nil)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// AddResponse adds a response, at the prices of the time when it came; the zero
// time stands for now. own corrects and extends the table of prices.
func (b *Bill) AddResponse(resp *transport.Response, at time.Time, own ...models.Model) {
	b.Add((&pricer{own: own}).price(resp, at))
}

// Add adds another bill.
func (b *Bill) Add(c Bill) {
	b.Requests += c.Requests
	b.Usage = b.Usage.Add(c.Usage)
	b.Cost = b.Cost.Add(c.Cost)
	b.Tokens += c.Tokens
	b.Sent += c.Sent
	for _, id := range c.Unpriced {
		if !slices.Contains(b.Unpriced, id) {
			b.Unpriced = append(slices.Clip(b.Unpriced), id)
		}
	}
}

// tokensOf counts what was sampled. Where there are iterations the counts beside
// them leave some out (wire §5.5).
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

// A pricer prices the records of a log in their order: each by its own time, so that
// what a session has cost stays what it was.
type pricer struct {
	asked string // the model that the newest run asked for
	own   []models.Model
}

// bill is what a record's request came to; empty for a record of another kind.
func (l *pricer) bill(rec *memory.Record) Bill {
	switch rec.Kind {
	case memory.KindRun:
		if rec.Data != nil {
			l.asked = rawjson.GetString(rec.Data, "model")
		}
	case memory.KindResponse:
		return l.estimated(rec.Response, sentdata.EstimateOf(rec.Data), rec.Time)
	case memory.KindNote:
		return l.note(rec)
	}
	return Bill{}
}

// price is the bill of a response that came at a time.
func (l *pricer) price(resp *transport.Response, at time.Time) Bill {
	return l.estimated(resp, sentdata.Estimate{}, at)
}

// estimated is price with an estimate of what the usage doesn't tell, by which the
// bill is incomplete.
func (l *pricer) estimated(resp *transport.Response, e sentdata.Estimate, at time.Time) Bill {
	prices := pricing.Prices{Asked: l.asked, Own: l.own}
	counted := resp
	if e != (sentdata.Estimate{}) {
		counted = withCounts(resp, e)
	}
	b := Bill{Requests: 1, Usage: resp.Usage, Tokens: tokensOf(counted.Usage), Sent: resp.Meta.Sent}
	usd, known := prices.Cost(counted, at)
	b.Cost = Cost{USD: usd, Incomplete: !known || untold(resp) != sentdata.Estimate{}}
	if !known {
		b.Unpriced = prices.Unpriced(resp)
	}
	return b
}

// withCounts is a copy of a response that has counted as estimated, too. It is not
// inlined: a response is large, and most are not copied.
//
//go:noinline
func withCounts(resp *transport.Response, e sentdata.Estimate) *transport.Response {
	counted := *resp
	counted.Usage.InputTokens += e.Input
	counted.Usage.OutputTokens += e.Output
	return &counted
}

// note is the bill of a request that a note reports, if it reports one. One
// that was cut off is billed for more than is known.
func (l *pricer) note(note *memory.Record) Bill {
	switch note.Note {
	case notes.Interrupted, notes.Aside, notes.Warm:
		resp, err := pricing.OfNote(note.Data)
		if err != nil {
			return Bill{}
		}
		b := l.price(resp, note.Time)
		b.Cost.Incomplete = b.Cost.Incomplete || note.Note == notes.Interrupted
		return b
	case notes.Lost:
		n := 0
		if _, err := fmt.Sscan(string(rawjson.Get(note.Data, "attempts")), &n); err != nil || n < 1 {
			return Bill{}
		}
		return Bill{Requests: n, Cost: Cost{Incomplete: true}}
	}
	return Bill{}
}

// pricer prices what the run itself asks for.
func (r *Run) pricer() *pricer { return &pricer{asked: r.request.Model, own: r.agent.opts.Models} }

// price is the bill of a response to a request of the run, which its record is of.
// It is made once.
func (r *Run) price(b *Bill, req *transport.Request, resp *transport.Response, at time.Time) {
	*b = r.pricer().estimated(resp, r.estimate(req, resp), at)
}

// untold are the counts that a response lacks: a prompt has at least one token, and so
// has an answer that holds something. Each is 1 where it is missing.
func untold(resp *transport.Response) (e sentdata.Estimate) {
	if u := resp.Usage; len(u.Iterations) == 0 {
		if u.PromptTokens() == 0 {
			e.Input = 1
		}
		if u.OutputTokens == 0 && len(resp.Content) > 0 {
			e.Output = 1
		}
	}
	return e
}

// estimate is what a response is taken to have counted where its usage tells nothing,
// so that budgets end: the forecast of its prompt, and the size of its text.
func (r *Run) estimate(req *transport.Request, resp *transport.Response) sentdata.Estimate {
	e := untold(resp)
	if e.Input != 0 {
		var s memory.State
		r.write(&s)
		e.Input = max(1, r.agent.forecast(s, r.key, &r.seen, req).Prompt)
	}
	if e.Output != 0 {
		for _, b := range resp.Content {
			e.Output += cacheplan.EstimateTokens(len(b.Raw()))
		}
	}
	return e
}

// spend adds what was spent to the result.
func (r *Run) spend(b *Bill) {
	r.spent.Add(*b)
	r.own.Add(*b)
	r.result.Usage, r.result.Cost, r.result.Sent = r.spent.Usage, r.spent.Cost, r.spent.Sent
}

// Cost is money. The zero Cost is nothing spent.
type Cost struct {
	USD float64
	// Incomplete is set if something in it has an unknown price or size: the bill is
	// then more than USD.
	Incomplete bool
}

// Add is the sum of two costs.
func (c Cost) Add(d Cost) Cost {
	return Cost{USD: c.USD + d.USD, Incomplete: c.Incomplete || d.Incomplete}
}

// String gives the cost with four decimals, such as "$0.0012" or "more than
// $0.0012", and with more if it is less than what four can tell.
func (c Cost) String() string {
	switch {
	case !c.Incomplete:
		return money.USD(c.USD, 4)
	case c.USD > 0:
		return "more than " + money.USD(c.USD, 4)
	}
	return "price unknown"
}

// A response may take several attempts, and those that broke off were billed
// too: for the prompt once the response had begun, and for what was written.
// attempts is what is known of those that failed at one request.
type attempts struct {
	begun *transport.Response   // what the one under way says about its cost
	void  []*transport.Response // what those before it told
	lost  int                   // attempts that told nothing, and may have been billed
}

// observe follows the events of a stream.
func (t *attempts) observe(ev transport.Event) {
	switch {
	case ev.Type == transport.EventRestarted && t.begun != nil:
		t.void, t.begun = append(t.void, t.begun), nil
	case ev.Response != nil:
		t.begun = ev.Response
	}
}

// failed takes an attempt for void that nothing will come of.
func (t *attempts) failed(err error) {
	var lost *transport.LostError
	if errors.As(err, &lost) {
		t.lost += lost.Attempts
	}
	var cut *transport.StreamError
	if errors.As(err, &cut) && cut.Partial != nil {
		t.begun = cut.Partial
	}
	if t.begun != nil {
		t.void, t.begun = append(t.void, t.begun), nil
	}
}

// notes are what the log keeps of the attempts that failed.
func (t *attempts) notes() []memory.Record {
	var list []memory.Record
	at := time.Now()
	for _, resp := range t.void {
		list = append(list, memory.Record{Kind: memory.KindNote, Note: notes.Interrupted, Time: at, Data: pricing.NoteData(resp)})
	}
	if t.lost > 0 {
		list = append(list, memory.Record{Kind: memory.KindNote, Note: notes.Lost, Time: at, Data: fmt.Appendf(nil, `{"attempts":%d}`, t.lost)})
	}
	return list
}

// recordFailed bills the attempts that failed to the run and to its budgets, and gives
// what the log is to keep of them.
func (r *Run) recordFailed(held *reservation, t *attempts) []memory.Record {
	notes := t.notes()
	if len(notes) == 0 {
		return nil
	}
	var b Bill
	l := r.pricer()
	for i := range notes {
		b.Add(l.note(&notes[i]))
	}
	held.charge(&b)
	held.lost(t.lost)
	r.spend(&b)
	return notes
}

// mayPass reports whether the same request may be answered later: what went wrong is
// no word of the service on the request, and nothing that says of itself that it is
// for good.
func mayPass(err error) bool {
	var permanent interface{ Permanent() bool }
	if errors.As(err, &permanent) && permanent.Permanent() || errors.Is(err, transport.ErrInvalidRequest) {
		return false
	}
	var e *transport.Error
	if !errors.As(err, &e) {
		return true
	}
	if e.ShouldRetry != nil {
		return *e.ShouldRetry
	}
	for _, t := range []transport.ErrorType{transport.ErrRateLimit, transport.ErrOverloaded, transport.ErrAPI, transport.ErrTimeout} {
		if e.Is(t) {
			return true
		}
	}
	return false
}
