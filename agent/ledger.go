package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/internal/pricing"
	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
)

// Left is how much money the budget has left, beside what is set aside for requests
// under way: infinite without a limit, else never negative. It fails only where the
// Ledger does.
func (b *Budget) Left(ctx context.Context) (usd float64, err error) {
	switch {
	case b.overdrawn() == "usd":
		return 0, nil
	case b.USD == 0:
		return math.Inf(1), nil
	}
	s, err := b.spending(ctx)
	if err != nil {
		return 0, err
	}
	if s != nil {
		return s.Left(), nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, b.USD-b.bill.Cost.USD-b.usd), nil
}

// overdrawn is which limit is less than nothing, or "". A program that subtracts what
// was spent before from what may be spent gets such a limit, and must not get none.
func (b *Budget) overdrawn() string {
	switch {
	case b.USD < 0 || math.IsNaN(b.USD):
		return "usd"
	case b.Tokens < 0:
		return "tokens"
	}
	return ""
}

// entry is the budget as the Ledger knows it. One without a limit counts only.
func (b *Budget) entry() budget.Budget {
	usd := b.USD
	if usd <= 0 {
		usd = 1e9 // the most that a ledger takes
	}
	return budget.Budget{Name: b.Name, USD: usd, Period: b.Period}
}

// addsNothingTo reports whether a run that is under c is under b, too.
func (b *Budget) addsNothingTo(c *Budget) bool {
	return b == c || b.is(c) && b.USD == c.USD && b.Tokens == 0
}

// strictest is the budget as the Ledger knows it, with the smallest limit that the run
// has for the account: of several budgets with one account only one enters it.
func (b *Budget) strictest(ctx context.Context) budget.Budget {
	e := b.entry()
	for _, c := range budgetsOf(ctx) {
		if c.is(b) {
			e.USD = min(e.USD, c.entry().USD)
		}
	}
	return e
}

// is reports whether c is the budget b, or has the account of it: both are charged by
// charging one.
func (b *Budget) is(c *Budget) bool {
	if b == c || b.Ledger == nil || c.Ledger == nil {
		return b == c
	}
	return b.Name == c.Name && b.Period == c.Period && reflect.TypeOf(b.Ledger).Comparable() && b.Ledger == c.Ledger
}

func ofPeriod(p budget.Period) string {
	if p == "" {
		return ""
	}
	return " in this " + string(p)
}

// spending is what the Ledger says; nil for a budget without one.
func (b *Budget) spending(ctx context.Context) (*budget.Spending, error) {
	if b.Ledger == nil {
		if b.Period != "" {
			return nil, fmt.Errorf("Budget.Period is %q, and Budget.Ledger is nil, so nobody would know what was spent before; give the ledger that memory.Need[budget.Ledger](store) returns", b.Period)
		}
		return nil, nil
	}
	s, err := guarded("Ledger", func() (budget.Spending, error) { return b.Ledger.Spending(ctx, b.entry()) })
	if err != nil {
		return nil, fmt.Errorf("read the account: %w", err)
	}
	return &s, nil
}

// leftTokens is left by Budget.Tokens alone, which no Ledger counts.
func (b *Budget) leftTokens(q quote, tokens int64) int64 {
	if b.Tokens <= 0 {
		return math.MaxInt64
	}
	left := b.Tokens - b.bill.Tokens - tokens - q.Prompt
	if b.WriteUp != "" && !q.last {
		left -= q.Prompt + 2*leastOutput
	}
	return left
}

// gone reports whether less than an answer of so many tokens is free by now. A Ledger
// has said what is free of USD when it reserved that.
func (b *Budget) gone(q quote, output int64) bool {
	free := b.leftTokens(q, b.tokens)
	if b.Ledger == nil {
		free, _ = b.left(q, b.usd, b.tokens, nil)
	}
	return free < output
}

// mostOutrun is how often in a row a ledger may say that another process was faster. The
// waits in between double from a millisecond, and come to four seconds.
const mostOutrun = 12

// lookAgain is a wait that is over: what is left has to be looked at again.
func lookAgain() <-chan struct{} {
	again := make(chan struct{})
	close(again)
	return again
}

// A reservation is what is set aside for one model call. A nil one is of a run without
// a budget.
type reservation struct {
	budgets []*Budget
	usd     float64
	tokens  int64
	prompt  float64 // USD: of the prompt alone

	entries []ledgerEntry
	charged float64 // USD, to be booked in ledgers at the end
}

// A ledgerEntry is a reservation in a ledger.
type ledgerEntry struct {
	budget *Budget
	id     string
}

// enter reserves what h holds in the ledger, if there is one, and once in an account that
// several budgets have. If another process was faster it returns a channel that closes
// soon: what is left has to be looked at again. A ledger that refuses time and again what
// is left by its own account fails.
func (b *Budget) enter(ctx context.Context, r *Run, h *reservation) (<-chan struct{}, error) {
	if b.Ledger == nil || slices.ContainsFunc(h.entries, func(e ledgerEntry) bool { return b.is(e.budget) }) {
		return nil, nil
	}
	e := ledgerEntry{b, entryID(r.log, h.usd)}
	err := guard("Ledger", func() error { return safeError("Ledger", b.Ledger.Reserve(ctx, b.strictest(ctx), e.id, h.usd)) })
	if errors.Is(err, budget.ErrOver) && r.outrun < mostOutrun {
		soon := make(chan struct{})
		time.AfterFunc(time.Millisecond<<r.outrun, func() { close(soon) })
		r.outrun++
		return soon, nil
	}
	if err != nil {
		return nil, fmt.Errorf("set aside what the request may cost: %w", err)
	}
	h.entries = append(h.entries, e)
	return nil, nil
}

// spend charges the budgets with what came of the call, and gives the rest back.
func (h *reservation) spend(ctx context.Context, bill *Bill) error {
	h.charge(bill)
	return h.release(ctx)
}

// charge charges the budgets, and goes on to hold what is set aside.
func (h *reservation) charge(bill *Bill) {
	if h == nil {
		return
	}
	for _, b := range h.budgets {
		b.Charge(*bill)
	}
	h.charged += bill.Cost.USD
}

// lost charges ledgers for attempts of which nothing is known, as if each had been
// billed for its prompt.
func (h *reservation) lost(attempts int) {
	if h != nil {
		h.charged += float64(attempts) * h.prompt
	}
}

// release gives back what is set aside and was not spent. It does nothing the second
// time. Where a ledger fails, the reservation stays, for the next run of the session to
// find.
func (h *reservation) release(ctx context.Context) error {
	if h == nil {
		return nil
	}
	h.giveBack(false) // who shares a budget without a ledger doesn't wait for this one
	var errs []error
	for _, e := range h.entries {
		if err := e.end(ctx, h.charged); err != nil {
			errs = append(errs, err)
		}
	}
	h.giveBack(true)
	h.budgets, h.entries = nil, nil
	return errors.Join(errs...)
}

// giveBack gives back what is set aside in the budgets that have a ledger, or in those
// that have none.
func (h *reservation) giveBack(ledger bool) {
	for _, b := range h.budgets {
		if (b.Ledger != nil) != ledger {
			continue
		}
		b.mu.Lock()
		b.usd -= h.usd
		b.tokens -= h.tokens
		b.ended++
		if b.changed != nil {
			close(b.changed)
			b.changed = nil
		}
		b.mu.Unlock()
	}
}

// end books what was spent in the place of the reservation.
func (e ledgerEntry) end(ctx context.Context, usd float64) error {
	ctx = context.WithoutCancel(ctx)
	err := guard("Ledger", func() error {
		if usd > 0 {
			return safeError("Ledger", e.budget.Ledger.Charge(ctx, e.id, usd))
		}
		return safeError("Ledger", e.budget.Ledger.Release(ctx, e.id))
	})
	if err != nil {
		return fmt.Errorf("book what the request cost: %w", err)
	}
	return nil
}

// A reservation's id tells whose it is: the session with its incarnation, the number
// of records when the request was made, and the forecast. A log in memory has no
// session: what its process leaves behind stays reserved until the period's end.
func entryID(log *memory.Log, usd float64) string {
	return ofSession(log) + strconv.Itoa(log.Len()) + " $" + strconv.FormatFloat(usd, 'f', -1, 64) + " " + rand.Text()[:12]
}

func ofSession(log *memory.Log) string {
	if log.Store() == nil {
		return ""
	}
	return log.ID() + " " + log.Position().Incarnation + " "
}

// settleEntries ends the reservations that a process which died has left of the session,
// which is now this run's.
func (r *Run) settleEntries(ctx context.Context) error {
	prefix := ofSession(r.log)
	if prefix == "" || r.log.Len() == 0 {
		return nil
	}
	for _, b := range budgetsOf(ctx) {
		s, err := b.spending(ctx)
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		for _, id := range s.Open {
			rest, ok := strings.CutPrefix(id, prefix)
			if !ok {
				continue
			}
			var n int
			var usd float64
			if got, err := fmt.Sscanf(rest, "%d $%g", &n, &usd); got != 2 || err != nil {
				continue // of somebody else
			}
			if err := r.settleEntry(ctx, ledgerEntry{b, id}, n, usd); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleEntry ends a reservation for a request that was made when the log had n
// records.
func (r *Run) settleEntry(ctx context.Context, e ledgerEntry, n int, usd float64) error {
	for _, rec := range r.log.Records(n) {
		if bill, ok := r.answer(rec); ok {
			return e.end(ctx, bill.Cost.USD)
		}
	}
	r.warn(ctx, "a process died in the middle of a request; the forecast of its cost is booked", "usd", strconv.FormatFloat(usd, 'f', -1, 64))
	lost := memory.Record{Kind: memory.KindNote, Note: notes.Lost, Data: []byte(`{"attempts":1}`)}
	return errors.Join(r.append(ctx, lost), e.end(ctx, usd))
}

// answer is the bill of a record that tells how a request ended.
func (r *Run) answer(rec memory.Record) (Bill, bool) {
	switch {
	case rec.Kind == memory.KindResponse:
		return r.pricer().estimated(rec.Response, sentdata.EstimateOf(rec.Data), rec.Time), true
	case rec.Kind == memory.KindNote && rec.Note == notes.Aside:
		resp, err := pricing.OfNote(rec.Data)
		if err != nil {
			return Bill{}, false
		}
		return r.pricer().price(resp, rec.Time), true
	}
	return Bill{}, false
}
