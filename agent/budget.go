package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// A Budget bounds what model calls cost. Runs that share one, and the sub-agents
// that they call, share what is left: before each call the most that it may cost is
// set aside, and max_tokens is lowered to what can be paid. A budget can therefore
// be exceeded only by the error of the forecast, which counts the new part of a
// prompt without the service's tokenizer, by web searches, and by failed attempts
// that were billed.
//
// A call needs at least the price of its prompt and of an answer of 1,024 tokens,
// or of Options.MaxTokens if that is less; with a WriteUp it needs besides what the
// last step takes: the prompt once more and 2,048 tokens.
//
// The zero Budget bounds nothing, and counts. It must not be copied; many
// goroutines may use it. Its fields must not be changed once it is in use.
type Budget struct {
	USD    float64 // 0 means no limit; less, that nothing may be spent
	Tokens int64   // of prompts and answers, those read from the cache too; 0 means no limit, less that none may be

	// Ledger keeps the account of what was spent, under Name, for all processes that
	// use it, as memory.Need[budget.Ledger](store) gives one; nil keeps it in this
	// value. USD is then what may be spent in each Period, by all runs whose budget has
	// the name, and by the sub-agents that these call. Tokens are counted by this value.
	//
	// A process that dies in the middle of a request leaves its forecast reserved. The
	// next run of the session finds that, and books the request's cost if the log has
	// it, or else the forecast, which it records in the log and reports to the logger.
	Ledger budget.Ledger
	Name   string        // such as "user/ann"; of budgets with a Ledger only
	Period budget.Period // budget.Day, budget.Month; "" is for ever

	// WriteUp is what the model is told for one last step when the budget is used up,
	// such as "The budget is used up. Answer with what you have found." Tools that it
	// calls then are not run. Empty means that the run ends at once. Either way the
	// run's error is a [*BudgetError], and its result holds what there is.
	WriteUp string

	mu      sync.Mutex
	bill    Bill
	usd     float64       // set aside for calls under way
	tokens  int64         // likewise
	changed chan struct{} // closed when something set aside is given back
	ended   int           // how often something was
}

// Spent is what the budget has been charged with. With a Ledger it is what was
// charged through this value; see Left.
func (b *Budget) Spent() Bill {
	b.mu.Lock()
	defer b.mu.Unlock()
	bill := b.bill
	bill.Unpriced = slices.Clone(bill.Unpriced)
	return bill
}

// Charge counts what was spent elsewhere, such as in an earlier run of a session in
// another process; see [BillOf]. A Ledger has already counted that, and is not
// charged again.
func (b *Budget) Charge(bill Bill) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bill.Add(bill)
}

// A BudgetError reports that a budget doesn't allow the next model call. The log is
// valid: a new run on it with more money continues from there.
type BudgetError struct {
	Limit string // "usd", "tokens", or "price" if the model's price is not known
	Spent Bill   // of the budget, Spent.Cost.USD in money; with a Ledger, by all in the period, in money only, but for "tokens"
	// Forecast is what the call that was not made may cost, and Least what has to be
	// left for it, with a short answer.
	Forecast, Least Bill
	// Reserved are USD that a Ledger has set aside for requests under way elsewhere, or
	// for some of processes that died.
	Reserved float64
	// WrittenUp is true if the model was given a last step for its answer.
	WrittenUp bool

	budget *Budget
}

func (e *BudgetError) Error() string {
	if e.budget == nil { // a program has made it, such as to refuse a run
		return "budget used up"
	}
	switch e.Limit {
	case "price":
		return fmt.Sprintf("budget of %s: the price of the model is not known; give it in Options.Models, or limit Tokens instead", dollars(e.budget.USD))
	case "tokens":
		return fmt.Sprintf("budget used up: %d of %d tokens are spent, and the next call takes about %d; raise Budget.Tokens and run on with the same log", e.Spent.Tokens, e.budget.Tokens, e.Forecast.Tokens)
	}
	of := dollars(e.budget.USD)
	if e.budget.Ledger != nil {
		of = fmt.Sprintf("%s of %q%s", of, e.budget.Name, ofPeriod(e.budget.Period))
	}
	begin := fmt.Sprintf("budget used up: %s of %s are spent", e.Spent.Cost, of)
	if e.Spent.Cost == (Cost{}) {
		begin = fmt.Sprintf("budget too small: of %s nothing is spent", of)
	}
	if e.Reserved > 0 {
		begin += fmt.Sprintf(", %s are reserved for requests under way", Cost{USD: e.Reserved})
	}
	return fmt.Sprintf("%s, and the next call needs at least %s, %s with an answer as long as max_tokens; raise Budget.USD and run on with the same log", begin, e.Least.Cost, e.Forecast.Cost)
}

// dollars is an amount in cents, or with as many digits as it has if they are more.
func dollars(usd float64) string {
	text := strconv.FormatFloat(usd, 'f', -1, 64)
	if _, cents, _ := strings.Cut(text, "."); len(cents) < 3 {
		return fmt.Sprintf("$%.2f", usd)
	}
	return "$" + text
}

// A forecast is what a model call is expected to cost.
type forecast struct {
	Prompt int64 // tokens
	Read   int64 // of them, from the cache
	Output int64 // tokens, at most
	Cost   Cost
}

// Forecast estimates what the next model call on a log may cost, if the answer
// takes all of max_tokens. Call a count_tokens endpoint to know the prompt exactly.
func (a *Agent) Forecast(log *memory.Log) Bill {
	_, s := a.write(log)
	return a.forecast(s, a.key, nil, a.Request(log)).bill()
}

func (f forecast) bill() Bill {
	return Bill{Requests: 1, Cost: f.Cost, Tokens: f.Prompt + f.Output, Usage: transport.Usage{
		CacheReadInputTokens: f.Read, CacheCreationInputTokens: f.Prompt - f.Read, OutputTokens: f.Output,
	}}
}

func (a *Agent) forecast(s memory.State, key wire.CacheKey, seen *cacheplan.Observed, req *transport.Request) forecast {
	p := a.prompt(req, key, seen, &s)
	h := cacheplan.Observe(&p)
	f := forecast{Prompt: h.Size(&p), Read: h.Readable, Output: int64(req.MaxTokens)}
	known := h.LastPrompt()
	if len(s.Requests) == 0 {
		f.Prompt += p.StaticTokens()
	}
	f.Read = min(f.Read, f.Prompt)
	f.Prompt += max(0, f.Prompt-known) / 3 // what isn't known is guessed high
	f.Cost = a.price(req, f, f.Output)
	return f
}

// price is what a prompt as forecast costs with an answer of so many tokens.
func (a *Agent) price(req *transport.Request, f forecast, output int64) Cost {
	u := transport.Usage{
		CacheReadInputTokens: f.Read, CacheCreationInputTokens: f.Prompt - f.Read, OutputTokens: output,
		Speed: req.Speed, InferenceGeo: req.InferenceGeo,
	}
	if writesLong(req) {
		u.CacheCreation.Ephemeral1hInputTokens = f.Prompt - f.Read
	}
	usd, known := a.model.Cost(u, time.Time{}, a.opts.Models...)
	return Cost{USD: usd, Incomplete: !known}
}

// leastOutput is the room for an answer without which a call is not worth making.
const leastOutput = 1024

// reserve makes the next request, and sets aside what it may cost in all budgets
// that the run is under, waiting for calls under way if what they don't use may
// be enough. If there is too little left it makes the last request that a budget
// allows, or fails with a [*BudgetError].
func (r *Run) reserve(ctx context.Context) (*transport.Request, *reservation, error) {
	req := r.nextRequest()
	if len(budgetsOf(ctx)) == 0 {
		return req, nil, nil
	}
	return r.reserveFor(ctx, req)
}

// reserveFor is reserve under budgets, apart so that the stack is low without.
func (r *Run) reserveFor(ctx context.Context, req *transport.Request) (*transport.Request, *reservation, error) {
	for {
		var s memory.State
		r.write(&s)
		q := r.quote(req, s)
		h, wait, err := r.reserveAll(ctx, q)
		var short *BudgetError
		switch {
		case h != nil:
			req.MaxTokens = int(h.tokens - q.Prompt)
			return req, h, nil
		case wait != nil:
			select {
			case <-wait:
			case <-ctx.Done():
				return nil, nil, context.Cause(ctx)
			}
		case !errors.As(err, &short):
			return nil, nil, err
		case short.Limit == "price" || short.budget.WriteUp == "" || r.lastStep != nil || s.Response == nil || s.Pending:
			short.WrittenUp = r.lastStep != nil
			return nil, nil, short
		default:
			r.lastStep = short
			words := memory.Record{Kind: memory.KindInput, Message: r.agent.behind(r.log.Messages(), short.budget.WriteUp, false)}
			if err := r.append(ctx, words); err != nil {
				return nil, nil, err
			}
			req = r.nextRequest()
		}
	}
}

// A quote is the price of a call by how long its answer is.
type quote struct {
	forecast
	bare, perToken float64 // USD: of the prompt, and of a token of the answer
	least          int64   // tokens of answer, fewer are of no use
	last           bool    // the last step, for which nothing has to be left
}

func (r *Run) quote(req *transport.Request, s memory.State) quote {
	q := quote{forecast: r.agent.forecast(s, r.key, &r.seen, req), last: r.lastStep != nil}
	q.least = min(leastOutput, q.Output)
	q.bare = r.agent.price(req, q.forecast, 0).USD
	q.perToken = (q.Cost.USD - q.bare) / float64(max(1, q.Output))
	return q
}

// reserveAll takes from all budgets or from none. It returns a channel to wait for
// if that may help, or a [*BudgetError], or the error of a Ledger.
func (r *Run) reserveAll(ctx context.Context, q quote) (*reservation, <-chan struct{}, error) {
	budgets := budgetsOf(ctx)
	output := q.Output
	for _, b := range budgets {
		n, wait, err := b.available(ctx, q)
		if err != nil || wait != nil {
			return nil, wait, err
		}
		output = min(output, n)
	}
	h := &reservation{usd: q.bare + q.perToken*float64(output), tokens: q.Prompt + output, prompt: q.bare}
	// What is in a ledger is in the budgets before it is there, and longer, or another call
	// would take it for what other processes have reserved, which is not waited for.
	for _, b := range budgets {
		if !b.take(q, output, h) { // another call was faster
			return nil, lookAgain(), h.release(ctx)
		}
	}
	for _, b := range budgets {
		if wait, err := b.enter(ctx, r, h); wait != nil || err != nil {
			return nil, wait, joined(err, h.release(ctx))
		}
	}
	r.outrun = 0
	return h, nil, nil
}

// available is how many tokens of answer the budget can pay.
func (b *Budget) available(ctx context.Context, q quote) (int64, <-chan struct{}, error) {
	b.mu.Lock()
	ended := b.ended
	b.mu.Unlock()
	ledger, err := b.spending(ctx)
	if err != nil {
		return 0, nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if limit := b.overdrawn(); limit != "" {
		return 0, nil, b.short(limit, q, ledger)
	}
	if b.USD > 0 && q.Cost.Incomplete {
		return 0, nil, b.short("price", q, ledger)
	}
	left, limit := b.left(q, 0, 0, ledger)
	if left < q.least && ledger != nil && b.ended != ended {
		return 0, lookAgain(), nil // the ledger may have named as another's what was this value's
	}
	if left < q.least {
		return 0, nil, b.short(limit, q, ledger)
	}
	// Where calls under way leave little it is better to wait than to be cut short.
	free, _ := b.left(q, b.usd, b.tokens, ledger)
	if free < left && free < min(q.Output, 8*leastOutput) {
		return 0, b.wait(), nil
	}
	return min(free, q.Output), nil, nil
}

// take sets aside what h holds. If that is not there any more, what is left has to be
// looked at again: nothing may be under way any more that would end a wait.
func (b *Budget) take(q quote, output int64, h *reservation) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gone(q, output) {
		return false
	}
	b.usd += h.usd
	b.tokens += h.tokens
	h.budgets = append(h.budgets, b)
	return true
}

// left is how many tokens of answer can be paid beside what is set aside, and by
// which limit. Before the last step enough is left for it: for reading the
// prompt once more and a short answer. What a ledger has is nil for a budget without.
func (b *Budget) left(q quote, usd float64, tokens int64, ledger *budget.Spending) (left int64, limit string) {
	left, limit = q.Output, "usd"
	var lastUSD float64
	if b.WriteUp != "" && !q.last {
		lastUSD = q.bare + 2*leastOutput*q.perToken
	}
	if b.USD > 0 {
		spent := b.bill.Cost.USD
		if ledger != nil { // which has what this value set aside among the rest
			spent = ledger.Spent + max(0, ledger.Reserved-b.usd)
		}
		money := b.USD - spent - usd - lastUSD - q.bare
		if q.perToken*float64(left) > money {
			left = int64(math.Floor(money / q.perToken))
		}
	}
	if n := b.leftTokens(q, tokens); n < left {
		left, limit = n, "tokens"
	}
	return left, limit
}

func (b *Budget) wait() <-chan struct{} {
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

func (b *Budget) short(limit string, q quote, ledger *budget.Spending) *BudgetError {
	e := &BudgetError{Limit: limit, Spent: b.bill, Forecast: q.bill(), budget: b}
	least := q.forecast
	least.Output, least.Cost.USD = q.least, q.bare+q.perToken*float64(q.least)
	if b.WriteUp != "" && !q.last {
		least.Output += 2 * leastOutput
		least.Prompt += q.Prompt
		least.Cost.USD += q.bare + 2*leastOutput*q.perToken
	}
	e.Least = least.bill()
	if ledger != nil && limit != "tokens" {
		e.Spent = Bill{Cost: Cost{USD: ledger.Spent}}
		e.Reserved = max(0, ledger.Reserved-b.usd)
	}
	return e
}

// endOfBudget ends the run after its last step.
func (r *Run) endOfBudget(ctx context.Context) error {
	var records []memory.Record
	for _, c := range r.log.State().Open {
		records = append(records, memory.Record{Kind: memory.KindResult, Block: c.AnswerError(transport.Text("This call was not run: the budget is used up."))})
	}
	r.lastStep.WrittenUp = true
	if r.lastStep.budget.Ledger == nil {
		r.lastStep.Spent = r.lastStep.budget.Spent()
	}
	return errors.Join(r.append(ctx, records...), r.lastStep)
}

type budgetKey struct{}

// withBudget puts the runs that are made with the context under b, besides the
// budgets that they are under already. The tools that a run calls get a context
// with the run's budgets, so that sub-agents are under them.
func withBudget(ctx context.Context, b *Budget) context.Context {
	before := budgetsOf(ctx)
	if b == nil || slices.ContainsFunc(before, b.addsNothingTo) {
		return ctx
	}
	return context.WithValue(ctx, budgetKey{}, append(slices.Clip(before), b))
}

func budgetsOf(ctx context.Context) []*Budget {
	budgets, _ := ctx.Value(budgetKey{}).([]*Budget)
	return budgets
}
