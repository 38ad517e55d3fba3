package agent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

// An account is a ledger that keeps what it was told, and says what it is set to.
type account struct {
	told  []string
	spent budget.Spending
	err   error
}

func (a *account) say(format string, args ...any) error {
	a.told = append(a.told, fmt.Sprintf(format, args...))
	return a.err
}
func (a *account) Reserve(_ context.Context, b budget.Budget, id string, usd float64) error {
	return a.say("reserve %v of %s/%v%s", usd, b.Name, b.USD, b.Period)
}
func (a *account) Charge(ctx context.Context, id string, usd float64) error {
	return errors.Join(ctx.Err(), a.say("charge %s %v", id, usd))
}
func (a *account) Release(ctx context.Context, id string) error {
	return errors.Join(ctx.Err(), a.say("release %s", id))
}
func (a *account) Spending(context.Context, budget.Budget) (budget.Spending, error) {
	return a.spent, a.err
}

// What is left for an answer, by money and by tokens, in front of the last step and
// behind it.
func TestLeftOfABudget(t *testing.T) {
	// A prompt of 1,000 tokens for $1, and $0.001 a token of an answer.
	q := quote{forecast: forecast{Prompt: 1000, Output: 10_000}, bare: 1, perToken: 0.001, least: 1024}
	last := q
	last.last = true
	for _, tt := range []struct {
		name   string
		b      *Budget
		q      quote
		usd    float64
		tokens int64
		left   int64
		limit  string
	}{
		{"no limit", &Budget{}, q, 99, 99_999, 10_000, "usd"},
		{"enough money", &Budget{USD: 11}, q, 0, 0, 10_000, "usd"},
		{"less", &Budget{USD: 3.0005}, q, 0, 0, 2000, "usd"},
		{"with some spent", &Budget{USD: 3, bill: Bill{Cost: Cost{USD: 0.5}}}, q, 0, 0, 1500, "usd"},
		{"with some set aside", &Budget{USD: 3}, q, 0.5, 500, 1500, "usd"},
		{"none", &Budget{USD: 0.5}, q, 0, 0, -500, "usd"},
		{"enough tokens", &Budget{Tokens: 11_000}, q, 0, 0, 10_000, "usd"},
		{"fewer", &Budget{Tokens: 3000}, q, 0, 0, 2000, "tokens"},
		{"with some of them spent", &Budget{Tokens: 3000, bill: Bill{Tokens: 500}}, q, 0, 0, 1500, "tokens"},
		{"with some of them set aside", &Budget{Tokens: 3000}, q, 99, 500, 1500, "tokens"},
		{"both, money first", &Budget{USD: 3, Tokens: 9000}, q, 0, 0, 2000, "usd"},
		{"both, tokens first", &Budget{USD: 9, Tokens: 3000}, q, 0, 0, 2000, "tokens"},
		{"with a last step", &Budget{USD: 9, WriteUp: "x"}, q, 0, 0, 4952, "usd"},
		{"in it", &Budget{USD: 9, WriteUp: "x"}, last, 0, 0, 8000, "usd"},
		{"tokens with a last step", &Budget{Tokens: 9000, WriteUp: "x"}, q, 0, 0, 4952, "tokens"},
		{"tokens in it", &Budget{Tokens: 9000, WriteUp: "x"}, last, 0, 0, 8000, "tokens"},
	} {
		left, limit := tt.b.left(tt.q, tt.usd, tt.tokens, nil)
		if left != tt.left || limit != tt.limit {
			t.Errorf("%s: %d by %s, want %d by %s", tt.name, left, limit, tt.left, tt.limit)
		}
	}

	for _, tt := range []struct {
		name   string
		b      *Budget
		q      quote
		n      int64
		waits  bool
		limit  string // of the error
		needs  float64
		tokens int64
	}{
		{"as much as is asked for", &Budget{USD: 99}, q, 10_000, false, "", 0, 0},
		{"just the least", &Budget{USD: 2.024}, q, 1024, false, "", 0, 0},
		{"less than that", &Budget{USD: 2.0235}, q, 0, false, "usd", 2.024, 2024},
		{"with a last step", &Budget{USD: 5, WriteUp: "x"}, q, 0, false, "usd", 2.024 + 1 + 2.048, 2024 + 1000 + 2048},
		{"tokens", &Budget{Tokens: 2023}, q, 0, false, "tokens", 2.024, 2024},
		{"less of it is free now", &Budget{USD: 12, usd: 4}, q, 0, true, "", 0, 0},
		{"and it is enough not to wait", &Budget{USD: 12, usd: 2}, q, 9000, false, "", 0, 0},
		{"just enough not to wait", &Budget{USD: 12, usd: 2.808}, q, 8192, false, "", 0, 0},
		{"no price", &Budget{USD: 99}, func() quote { q := q; q.Cost.Incomplete = true; return q }(), 0, false, "price", 2.024, 2024},
		{"no price, and tokens too", &Budget{USD: 99, Tokens: 99_999}, func() quote { q := q; q.Cost.Incomplete = true; return q }(), 0, false, "price", 2.024, 2024},
		{"no price, and tokens only", &Budget{Tokens: 99_999}, func() quote { q := q; q.Cost.Incomplete = true; return q }(), 10_000, false, "", 0, 0},
	} {
		tt.q.bare += 1e-9 // so that no sum is a hair too small
		tt.b.USD += 1e-8 * min(1, tt.b.USD)
		n, wait, err := tt.b.available(t.Context(), tt.q)
		var short *BudgetError
		if n != tt.n || (wait != nil) != tt.waits || errors.As(err, &short) != (tt.limit != "") {
			t.Errorf("%s: %d, waits %v, %v", tt.name, n, wait != nil, err)
			continue
		}
		if short != nil && (short.Limit != tt.limit || math.Abs(short.Least.Cost.USD-tt.needs) > 1e-6 || short.Least.Tokens != tt.tokens || short.Forecast.Tokens != 11_000) {
			t.Errorf("%s: %+v", tt.name, short)
		}
	}
}

// What a request may cost is by its speed, its place, and for how long it is cached.
func TestPriceOfARequest(t *testing.T) {
	a := made(t, Options{Models: []models.Model{{ID: "claude-opus-5-5", Prices: []models.Price{
		{Input: 1, CacheWrite5m: 2, CacheWrite1h: 4, CacheRead: 0.5, Output: 10},
		{Input: 10, CacheWrite5m: 20, CacheWrite1h: 40, CacheRead: 5, Output: 100, Speed: "fast"},
	}}}})
	f := forecast{Prompt: 3e6, Read: 2e6}
	at := func(index int, ttl transport.TTL) []transport.Breakpoint {
		return []transport.Breakpoint{{Part: transport.PartMessages, Index: index, TTL: ttl}}
	}
	messages := []transport.Message{transport.UserText("a"), transport.UserText("b")}
	for _, tt := range []struct {
		name string
		req  transport.Request
		want float64
	}{
		{"plain", transport.Request{}, 2*0.5 + 2 + 10},
		{"fast", transport.Request{Speed: "fast"}, 2*5 + 20 + 100},
		{"in the US", transport.Request{InferenceGeo: "us"}, 1.1 * (2*0.5 + 2 + 10)},
		{"for an hour", transport.Request{Messages: messages, Breakpoints: at(1, transport.TTL1h)}, 2*0.5 + 4 + 10},
		{"for five minutes", transport.Request{Messages: messages, Breakpoints: at(1, transport.TTL5m)}, 2*0.5 + 2 + 10},
		{"for an hour, as a template says", transport.Request{Messages: messages, CacheControl: &transport.CacheControl{TTL: transport.TTL1h}}, 2*0.5 + 4 + 10},
		{"for five minutes, as a template says", transport.Request{Messages: messages, CacheControl: &transport.CacheControl{}}, 2*0.5 + 2 + 10},
		{"what was there for an hour", transport.Request{Messages: messages, Breakpoints: at(0, transport.TTL1h)}, 2*0.5 + 2 + 10},
	} {
		if c := a.price(&tt.req, f, 1e6); math.Abs(c.USD-tt.want) > 1e-9 || c.Incomplete {
			t.Errorf("%s: %+v, want $%v", tt.name, c, tt.want)
		}
	}
}

// Where one of several budgets can't be reserved of, the others get back what they had
// set aside.
func TestAllBudgetsOrNone(t *testing.T) {
	down := errors.New("the ledger is down")
	first, second := &Budget{Tokens: 1e6}, &Budget{USD: 5, Name: "n", Ledger: &failsToReserve{err: down}}
	r := underWay(t, made(t, Options{}), Input{Store: new(memory.RAM), Session: "s", Log: talked(t)})
	q := quote{forecast: forecast{Prompt: 1000, Output: 2000}, bare: 1, perToken: 0.001, least: 1024}
	h, wait, err := r.reserveAll(withBudget(withBudget(t.Context(), first), second), q)
	if h != nil || wait != nil || !errors.Is(err, down) {
		t.Errorf("%+v, waits %v, %v", h, wait != nil, err)
	}
	if first.usd != 0 || first.tokens != 0 || second.usd != 0 {
		t.Errorf("$%v and %d tokens of the first budget are set aside, $%v of the second", first.usd, first.tokens, second.usd)
	}
}

// A failsToReserve is an account that is down when something is to be set aside.
type failsToReserve struct {
	account
	err error
}

func (f *failsToReserve) Reserve(context.Context, budget.Budget, string, float64) error { return f.err }

// A ledger that refuses what is left by its own account is asked again, as other processes
// may have been faster, and not for ever.
func TestALedgerThatContradictsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		led := new(grudging)
		r := underWay(t, made(t, Options{}), Input{Log: talked(t)})
		ctx := withBudget(t.Context(), &Budget{USD: 5, Name: "n", Ledger: led})
		reserve := func(refuses int) (*reservation, error) {
			led.asked, led.refuses, led.spent.USD = 0, refuses, 5
			_, h, err := r.reserve(ctx)
			return h, err
		}
		for range 2 { // what an earlier request was refused doesn't count
			if h, err := reserve(mostOutrun); h == nil || err != nil || led.asked != mostOutrun+1 {
				t.Fatalf("%v, after %d reservations", err, led.asked)
			} else if err := h.release(ctx); err != nil {
				t.Error(err)
			}
		}
		begin := time.Now()
		if h, err := reserve(math.MaxInt); h != nil || !errors.Is(err, budget.ErrOver) || led.asked != mostOutrun+1 || time.Since(begin) > 5*time.Second {
			t.Errorf("%v, after %d reservations and %v", err, led.asked, time.Since(begin))
		}
	})
}

// A grudging account has all its money, and refuses the first reservations.
type grudging struct {
	account
	refuses, asked int
}

func (g *grudging) Reserve(ctx context.Context, b budget.Budget, id string, usd float64) error {
	if g.asked++; g.asked <= g.refuses {
		return &budget.OverError{Budget: b, Wanted: usd}
	}
	return g.account.Reserve(ctx, b, id, usd)
}

// What is charged in the end is what was spent, with the prompts of lost attempts, and
// what was set aside is given back once, whether or not the run was cancelled.
func TestReservationsEnd(t *testing.T) {
	led := new(account)
	b, plain := &Budget{Ledger: led, Name: "n", USD: 9, usd: 5, tokens: 50}, &Budget{usd: 5, tokens: 50}
	reserve := func() *reservation {
		b.usd, b.tokens, plain.usd, plain.tokens, led.told = 5, 50, 5, 50, nil
		return &reservation{budgets: []*Budget{b, plain}, usd: 2, tokens: 20, prompt: 0.25, entries: []ledgerEntry{{b, "e"}}}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		do   func(*reservation)
		want string
	}{
		{"nothing was spent", func(*reservation) {}, "release e"},
		{"something was", func(h *reservation) { h.charge(&Bill{Cost: Cost{USD: 0.5}}) }, "charge e 0.5"},
		{"twice", func(h *reservation) { h.charge(&Bill{Cost: Cost{USD: 0.5}}); h.charge(&Bill{Cost: Cost{USD: 1}}) }, "charge e 1.5"},
		{"attempts were lost", func(h *reservation) { h.lost(3) }, "charge e 0.75"},
		{"and one was not", func(h *reservation) { h.lost(2); h.charge(&Bill{Cost: Cost{USD: 1}}) }, "charge e 1.5"},
	} {
		h := reserve()
		wait := b.wait()
		tt.do(h)
		if err := h.release(ended); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := h.release(ended); err != nil || strings.Join(led.told, ", ") != tt.want {
			t.Errorf("%s: %q, %v; want %s", tt.name, led.told, err, tt.want)
		}
		if b.usd != 3 || b.tokens != 30 || plain.usd != 3 || plain.tokens != 30 {
			t.Errorf("%s: %v and %d, %v and %d are set aside", tt.name, b.usd, b.tokens, plain.usd, plain.tokens)
		}
		if !isClosed(waitOf(wait)) || b.changed != nil {
			t.Errorf("%s: who waits is not told", tt.name)
		}
	}
	if err := reserve().spend(ended, &Bill{Requests: 1, Cost: Cost{USD: 0.125}}); err != nil || strings.Join(led.told, "") != "charge e 0.125" {
		t.Errorf("%q, %v", led.told, err)
	}
	if n := b.Spent().Requests; n != 1 || plain.Spent().Requests != n {
		t.Errorf("%d requests were charged, and %d", n, plain.Spent().Requests)
	}
	led.err = errors.New("away")
	other, h := new(account), reserve()
	h.entries = append(h.entries, ledgerEntry{&Budget{Ledger: other, Name: "m"}, "f"})
	if err := h.spend(ended, &Bill{Cost: Cost{USD: 0.125}}); !errors.Is(err, led.err) || strings.Join(other.told, "") != "charge f 0.125" {
		t.Errorf("%v, and another ledger is told %q", err, other.told)
	}
	var none *reservation
	none.lost(1)
	none.charge(&Bill{})
	if err := none.spend(ended, &Bill{}); err != nil {
		t.Error(err)
	}
}

func waitOf(c <-chan struct{}) chan struct{} {
	done := make(chan struct{})
	select {
	case <-c:
		close(done)
	default:
	}
	return done
}

// What is left is told beside what is set aside, never as less than nothing; a ledger
// has it for all.
func TestLeftInMoney(t *testing.T) {
	led := &account{spent: budget.Spending{USD: 10, Spent: 3, Reserved: 2}}
	for _, tt := range []struct {
		name string
		b    *Budget
		want float64
	}{
		{"no limit", &Budget{Tokens: 7}, math.Inf(1)},
		{"all", &Budget{USD: 4}, 4},
		{"less", &Budget{USD: 4, bill: Bill{Cost: Cost{USD: 1}}, usd: 0.5}, 2.5},
		{"overdrawn", &Budget{USD: 4, bill: Bill{Cost: Cost{USD: 3}}, usd: 2}, 0},
		{"a ledger's", &Budget{USD: 10, Ledger: led, bill: Bill{Cost: Cost{USD: 1}}, usd: 0.5}, 5},
	} {
		if got, err := tt.b.Left(t.Context()); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, err, tt.want)
		}
	}
	led.err = errors.New("away")
	if _, err := (&Budget{USD: 1, Ledger: led}).Left(t.Context()); !errors.Is(err, led.err) {
		t.Errorf("%v", err)
	}
	for usd, want := range map[float64]float64{0: 1e9, -1: 1e9, 5: 5} {
		if e := (&Budget{USD: usd, Name: "n", Period: budget.Day}).entry(); e != (budget.Budget{Name: "n", USD: want, Period: budget.Day}) {
			t.Errorf("$%v is %+v in a ledger", usd, e)
		}
	}
}

// Two budgets are one where they are one account: a run is charged once.
func TestOneAccount(t *testing.T) {
	led, other := new(account), new(account)
	b := &Budget{Ledger: led, Name: "n", Period: budget.Day, USD: 2}
	for _, tt := range []struct {
		name string
		c    *Budget
		want bool
		both int // budgets that a run is under
		most float64
	}{
		{"itself", b, true, 1, 2},
		{"the same account", &Budget{Ledger: led, Name: "n", Period: budget.Day, USD: 2}, true, 1, 2},
		{"the same account, up to less", &Budget{Ledger: led, Name: "n", Period: budget.Day, USD: 1}, true, 2, 1},
		{"the same account, up to more", &Budget{Ledger: led, Name: "n", Period: budget.Day, USD: 5}, true, 2, 2},
		{"the same account without a limit", &Budget{Ledger: led, Name: "n", Period: budget.Day}, true, 2, 2},
		{"the same account and a limit of tokens", &Budget{Ledger: led, Name: "n", Period: budget.Day, USD: 2, Tokens: 9}, true, 2, 2},
		{"another name", &Budget{Ledger: led, Name: "m", Period: budget.Day, USD: 1}, false, 2, 2},
		{"another period", &Budget{Ledger: led, Name: "n", Period: budget.Month, USD: 1}, false, 2, 2},
		{"another ledger", &Budget{Ledger: other, Name: "n", Period: budget.Day, USD: 1}, false, 2, 2},
		{"no ledger", &Budget{Name: "n", Period: budget.Day, USD: 1}, false, 2, 2},
	} {
		if b.is(tt.c) != tt.want || tt.c.is(b) != tt.want {
			t.Errorf("%s: one account: %v", tt.name, !tt.want)
		}
		ctx := withBudget(withBudget(t.Context(), b), tt.c)
		if n := len(budgetsOf(ctx)); n != tt.both {
			t.Errorf("%s: %d budgets", tt.name, n)
		}
		if most := b.strictest(ctx).USD; most != tt.most {
			t.Errorf("%s: up to $%v is reserved, want $%v", tt.name, most, tt.most)
		}
	}
	incomparable := struct {
		*account
		_ []int
	}{account: led}
	if c := (&Budget{Ledger: incomparable, Name: "n"}); c.is(&Budget{Ledger: incomparable, Name: "n"}) || !c.is(c) {
		t.Error("ledgers that can't be compared are not known to be one")
	}
	base := t.Context()
	for range 3 {
		base = withBudget(base, &Budget{})
	}
	three := &Budget{}
	left, right := withBudget(base, three), withBudget(base, b)
	if l, r := budgetsOf(left), budgetsOf(right); len(l) != 4 || l[3] != three || len(r) != 4 || r[3] != b || len(budgetsOf(base)) != 3 {
		t.Errorf("runs side by side share their budgets: %p, %p", l, r)
	}
	if withBudget(base, nil) != base {
		t.Error("no budget is one")
	}
	spent := Budget{bill: Bill{Unpriced: []string{"m"}}}
	spent.Spent().Unpriced[0] = "x"
	if got := spent.Spent().Unpriced[0]; got != "m" {
		t.Errorf("the caller can change the account: %s", got)
	}
}

// Reservations are found again by the session and its incarnation.
func TestEntriesTellWhoseTheyAre(t *testing.T) {
	store := new(memory.RAM)
	open := func(id string) *memory.Log {
		log, err := memory.Create(store, id, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}); err != nil {
			t.Fatal(err)
		}
		return log
	}
	log := open("s 1")
	prefix := "s 1 " + log.Position().Incarnation + " "
	rest, ok := strings.CutPrefix(entryID(log, 0.0000123), prefix)
	var n int
	var usd float64
	if _, err := fmt.Sscanf(rest, "%d $%g", &n, &usd); !ok || err != nil || n != 1 || usd != 0.0000123 {
		t.Errorf("%q: %d, %v, %v", rest, n, usd, err)
	}
	if first, second := entryID(log, 1), entryID(log, 1); first == second {
		t.Error("two requests have one id")
	}
	if err := store.Delete(t.Context(), "s 1"); err != nil {
		t.Fatal(err)
	}
	if again := ofSession(open("s 1")); again == prefix {
		t.Error("a session that takes the place of another one has its reservations")
	}
	if got := ofSession(memory.NewLog()); got != "" {
		t.Errorf("a log in memory is %q", got)
	}
}

func TestWordsOfBudgets(t *testing.T) {
	for usd, want := range map[float64]string{5: "$5.00", 0.1: "$0.10", 0.25: "$0.25", 0.125: "$0.125", 0.0001: "$0.0001", 1e-7: "$0.0000001", 1234.5: "$1234.50"} {
		if got := dollars(usd); got != want {
			t.Errorf("%v is %s", usd, got)
		}
	}
	plain, led := &Budget{USD: 5, Tokens: 700}, &Budget{USD: 5, Ledger: new(account), Name: "user/ann", Period: budget.Day}
	ever := &Budget{USD: 5, Ledger: new(account), Name: "all"}
	spent, next, least := Bill{Cost: Cost{USD: 4.5}, Tokens: 650}, Bill{Cost: Cost{USD: 2}, Tokens: 90}, Bill{Cost: Cost{USD: 1}}
	for _, tt := range []struct {
		e    BudgetError
		want string
	}{
		{BudgetError{Limit: "usd"}, "budget used up"},
		{BudgetError{Limit: "price", budget: plain}, "budget of $5.00: the price of the model is not known"},
		{BudgetError{Limit: "tokens", budget: plain, Spent: spent, Forecast: next, Least: least}, "650 of 700 tokens are spent, and the next call takes about 90;"},
		{BudgetError{Limit: "usd", budget: plain, Spent: spent, Forecast: next, Least: least}, "$4.5000 of $5.00 are spent, and the next call needs at least $1.0000, $2.0000 with"},
		{BudgetError{Limit: "usd", budget: plain, Forecast: next, Least: least}, "budget too small: of $5.00 nothing is spent, and"},
		{BudgetError{Limit: "usd", budget: led, Spent: spent, Reserved: 0.5, Forecast: next, Least: least}, `$4.5000 of $5.00 of "user/ann" in this day are spent, $0.5000 are reserved`},
		{BudgetError{Limit: "usd", budget: ever, Spent: spent, Forecast: next, Least: least}, `$4.5000 of $5.00 of "all" are spent, and`},
	} {
		if !strings.Contains(tt.e.Error(), tt.want) {
			t.Errorf("%q says not %q", tt.e.Error(), tt.want)
		}
	}
	for c, want := range map[Cost]string{{}: "$0.0000", {USD: 1.23456}: "$1.2346", {USD: 1, Incomplete: true}: "more than $1.0000", {Incomplete: true}: "price unknown"} {
		if c.String() != want {
			t.Errorf("%+v is %s", c, c)
		}
	}
}

// The smallest of several budgets decides how long an answer may be, whichever comes
// first.
func TestTheSmallestBudgetDecides(t *testing.T) {
	q := quote{forecast: forecast{Prompt: 1000, Output: 10_000}, bare: 1, perToken: 0.001, least: 1024}
	r := underWay(t, made(t, Options{}), Input{})
	for _, tokens := range [][]int64{{9000, 4000, 8000}, {4000, 9000}, {9000, 4000}} {
		ctx := t.Context()
		for _, n := range tokens {
			ctx = withBudget(ctx, &Budget{Tokens: n})
		}
		if h, _, err := r.reserveAll(ctx, q); err != nil || h.tokens != 4000 || h.usd != 1+3 {
			t.Errorf("of %v: %+v, %v", tokens, h, err)
		}
	}
}

// A run whose last step can't be paid says so, and isn't given another one. In a turn
// that the service has paused nothing can be said, and no last step is made.
func TestNoLastStep(t *testing.T) {
	paused := memory.NewLog()
	for _, rec := range []memory.Record{
		{Kind: memory.KindInput, Message: transport.UserText("q")},
		{Kind: memory.KindResponse, Response: stopped(t, "pause_turn", "", `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`)},
	} {
		if err := paused.Append(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if !paused.State().Pending {
		t.Fatal("the turn is not paused")
	}
	more := memory.Record{Kind: memory.KindInput, Message: transport.UserText("and now?")}
	for _, tt := range []*struct {
		name    string
		model   string
		log     *memory.Log
		b       Budget
		last    bool // the last step is being made
		written bool
	}{
		{"the last step", "", talked(t, more), Budget{Tokens: 10}, true, true},
		{"a paused turn", "", paused, Budget{Tokens: 10}, false, false},
		{"a model without a price", "some-model", talked(t, more), Budget{USD: 9}, false, false},
	} {
		r := underWay(t, made(t, Options{Model: tt.model}), Input{Log: tt.log})
		if tt.last {
			r.lastStep = new(BudgetError)
		}
		n := tt.log.Len()
		tt.b.WriteUp = "Answer now."
		_, held, err := r.reserve(withBudget(t.Context(), &tt.b))
		var short *BudgetError
		if held != nil || !errors.As(err, &short) || short.WrittenUp != tt.written || tt.log.Len() != n {
			t.Errorf("%s: %+v, %v, %d records more", tt.name, held, err, tt.log.Len()-n)
		}
	}
}

// A call that waits for what others have set aside ends with its run.
func TestAWaitForABudgetEndsWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Budget{USD: 1, usd: 0.99}
		r := underWay(t, made(t, Options{}), Input{Log: talked(t, memory.Record{Kind: memory.KindInput, Message: transport.UserText("and now?")})})
		why := errors.New("the run is over")
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() {
			_, _, err := r.reserve(withBudget(ctx, b))
			done <- err
		}()
		synctest.Wait()
		if len(done) > 0 {
			t.Fatalf("it did not wait: %v", <-done)
		}
		cancel(why)
		synctest.Wait()
		select {
		case err := <-done:
			if !errors.Is(err, why) {
				t.Error(err)
			}
		default:
			t.Error("it waits on")
			if err := (&reservation{budgets: []*Budget{b}, usd: 0.99}).release(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// The first request of a conversation is forecast with all that stands in front of it,
// and what is not counted yet is guessed high.
func TestForecastOfTheFirstRequest(t *testing.T) {
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("Be thorough. ", 1000)
	if n := made(t, Options{System: long}).Forecast(log).Usage.CacheCreationInputTokens; n < cacheplan.EstimateTokens(len(long))*5/4 {
		t.Errorf("a system prompt of %d bytes is forecast with %d tokens", len(long), n)
	}
}

// An error tells what others have reserved, and not what this budget has itself.
func TestReservedByOthers(t *testing.T) {
	b := &Budget{USD: 9, usd: 2, Ledger: new(account), Name: "n"}
	if e := b.short("usd", quote{}, &budget.Spending{Spent: 3, Reserved: 5}); e.Reserved != 3 || e.Spent.Cost.USD != 3 {
		t.Errorf("$%v are reserved, $%v spent", e.Reserved, e.Spent.Cost.USD)
	}
}
