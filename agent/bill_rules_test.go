package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	sentdata "github.com/whorl-go/whorl/agent/internal/sent"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

type forGood bool

func (forGood) Error() string     { return "for good or not" }
func (p forGood) Permanent() bool { return bool(p) }

// Which failures may pass, so that the same request is made again later.
func TestMayPass(t *testing.T) {
	yes, no := true, false
	of := func(typ transport.ErrorType, should *bool) error {
		return fmt.Errorf("x: %w", &transport.Error{Type: typ, ShouldRetry: should})
	}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{errors.New("away"), true}, {context.DeadlineExceeded, true}, {&net.OpError{Err: errors.New("refused")}, true},
		{&transport.StreamError{Err: errors.New("cut")}, true},
		{forGood(true), false}, {forGood(false), true}, {fmt.Errorf("x: %w", forGood(true)), false},
		{of(transport.ErrRateLimit, nil), true}, {of(transport.ErrOverloaded, nil), true}, {of(transport.ErrAPI, nil), true}, {of(transport.ErrTimeout, nil), true},
		{of(transport.ErrAuthentication, nil), false}, {of(transport.ErrPermission, nil), false}, {of(transport.ErrNotFound, nil), false}, {of(transport.ErrBilling, nil), false},
		{of("new_error", nil), false}, {of(transport.ErrInvalidRequest, nil), false},
		{of(transport.ErrRateLimit, &no), false}, {of(transport.ErrPermission, &yes), true}, {of(transport.ErrInvalidRequest, &yes), false},
	} {
		if got := mayPass(tt.err); got != tt.want {
			t.Errorf("%v may pass: %v", tt.err, got)
		}
	}
}

// Attempts that broke off are billed by what they told, each once, and the rest as lost.
func TestAttempts(t *testing.T) {
	one, two, stop := stopped(t, "end_turn", ""), stopped(t, "end_turn", ""), stopped(t, "end_turn", "")
	begin := func(r *transport.Response) transport.Event {
		return transport.Event{Type: transport.EventMessageStart, Response: r}
	}
	restart := transport.Event{Type: transport.EventRestarted}
	lost := fmt.Errorf("x: %w", &transport.LostError{Attempts: 3, Err: errors.New("away")})
	cut := &transport.StreamError{Err: errors.New("cut"), Partial: two}
	for _, tt := range []struct {
		name   string
		events []transport.Event
		err    error
		void   []*transport.Response
		lost   int
	}{
		{"nothing came", nil, errors.New("away"), nil, 0},
		{"it had begun", []transport.Event{begin(one)}, errors.New("away"), []*transport.Response{one}, 0},
		{"what came last counts", []transport.Event{begin(one), {Type: transport.EventMessageDelta, Response: two}, {Type: transport.EventContentBlockDelta}}, errors.New("away"), []*transport.Response{two}, 0},
		{"it was begun again", []transport.Event{begin(one), restart, begin(two)}, errors.New("away"), []*transport.Response{one, two}, 0},
		{"begun again before anything came", []transport.Event{restart, begin(two)}, errors.New("away"), []*transport.Response{two}, 0},
		{"begun again, and nothing came", []transport.Event{begin(one), restart}, errors.New("away"), []*transport.Response{one}, 0},
		{"the error has what had come", []transport.Event{begin(one)}, cut, []*transport.Response{two}, 0},
		{"attempts were lost", nil, lost, nil, 3},
		{"no error", []transport.Event{begin(stop)}, nil, []*transport.Response{stop}, 0},
	} {
		var a attempts
		for _, ev := range tt.events {
			a.observe(ev)
		}
		a.failed(tt.err)
		if len(a.void) != len(tt.void) {
			t.Errorf("%s: %d void", tt.name, len(a.void))
			continue
		}
		for i := range a.void {
			if a.void[i] != tt.void[i] {
				t.Errorf("%s: the void attempt %d is another one", tt.name, i)
			}
		}
		if a.lost != tt.lost || a.begun != nil {
			t.Errorf("%s: %d lost, %v begun", tt.name, a.lost, a.begun)
		}
		n := len(tt.void)
		if tt.lost > 0 {
			n++
		}
		list := a.notes()
		if len(list) != n {
			t.Errorf("%s: %d notes", tt.name, len(list))
		}
		if tt.lost > 0 && (list[n-1].Note != notes.Lost || string(list[n-1].Data) != `{"attempts":3}`) {
			t.Errorf("%s: %+v", tt.name, list[n-1])
		}
	}
}

// What the notes of a log cost: a broken response more than is known, attempts of which
// nothing is known something.
func TestBillsOfNotes(t *testing.T) {
	resp := string(stopped(t, "end_turn", "").Raw())
	const usd = (10*4 + 5*20) / 1e6
	for _, tt := range []struct {
		note, data string
		want       Bill
	}{
		{notes.Aside, resp, Bill{Requests: 1, Cost: Cost{USD: usd}, Tokens: 15}},
		{notes.Warm, resp, Bill{Requests: 1, Cost: Cost{USD: usd}, Tokens: 15}},
		{notes.Interrupted, resp, Bill{Requests: 1, Cost: Cost{USD: usd, Incomplete: true}, Tokens: 15}},
		{notes.Aside, `{`, Bill{}},
		{notes.Lost, `{"attempts":3}`, Bill{Requests: 3, Cost: Cost{Incomplete: true}}},
		{notes.Lost, `{"attempts":0}`, Bill{}}, {notes.Lost, `{"attempts":-2}`, Bill{}}, {notes.Lost, `{}`, Bill{}},
		{notes.Check, resp, Bill{}},
	} {
		l := &pricer{}
		rec := memory.Record{Kind: memory.KindNote, Note: tt.note, Data: []byte(tt.data)}
		b := l.bill(&rec)
		if d := b.Cost.USD - tt.want.Cost.USD; d > 1e-12 || d < -1e-12 || b.Cost.Incomplete != tt.want.Cost.Incomplete || b.Requests != tt.want.Requests || b.Tokens != tt.want.Tokens {
			t.Errorf("%s %s: %+v, want %+v", tt.note, tt.data, b, tt.want)
		}
	}
	usage := transport.Usage{InputTokens: 1, CacheReadInputTokens: 2, CacheCreationInputTokens: 4, OutputTokens: 8}
	if n := tokensOf(usage); n != 15 {
		t.Errorf("%d tokens", n)
	}
	usage.Iterations = []transport.Iteration{{InputTokens: 16, CacheCreationInputTokens: 32, CacheReadInputTokens: 64, OutputTokens: 128}, {OutputTokens: 256}}
	if n := tokensOf(usage); n != 496 {
		t.Errorf("%d tokens in iterations", n)
	}
}

// Where the usage says nothing something was counted all the same.
func TestUntold(t *testing.T) {
	for _, tt := range []struct {
		name    string
		usage   transport.Usage
		content bool
		want    sentdata.Estimate
	}{
		{"all is there", transport.Usage{InputTokens: 1, OutputTokens: 1}, true, sentdata.Estimate{}},
		{"all of it was cached", transport.Usage{CacheReadInputTokens: 1, OutputTokens: 1}, true, sentdata.Estimate{}},
		{"nothing", transport.Usage{}, true, sentdata.Estimate{Input: 1, Output: 1}},
		{"no prompt", transport.Usage{OutputTokens: 1}, true, sentdata.Estimate{Input: 1}},
		{"no answer", transport.Usage{InputTokens: 1}, true, sentdata.Estimate{Output: 1}},
		{"an answer that holds nothing", transport.Usage{InputTokens: 1}, false, sentdata.Estimate{}},
		{"sums over iterations", transport.Usage{Iterations: []transport.Iteration{{}}}, true, sentdata.Estimate{}},
	} {
		resp := stopped(t, "end_turn", "")
		if tt.content {
			resp = stopped(t, "end_turn", "", aCall)
		}
		resp.Usage = tt.usage
		if got := untold(resp); got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
		b := (&pricer{own: nil}).estimated(resp, sentdata.Estimate{Input: 7}, time.Time{})
		if b.Cost.Incomplete != (tt.want != sentdata.Estimate{}) {
			t.Errorf("%s: %+v", tt.name, b)
		}
	}
}

// What a child's log has of its parent's is not billed twice.
func TestSharedRecords(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rec := func(words string, late time.Duration) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.UserText(words), Time: at.Add(late)}
	}
	log := func(list ...memory.Record) *memory.Log {
		l := memory.NewLog()
		if err := l.Append(t.Context(), list...); err != nil {
			t.Fatal(err)
		}
		return l
	}
	parent := log(rec("a", 0), rec("b", 0), rec("c", 0))
	for i, tt := range []struct {
		child *memory.Log
		want  int
	}{
		{log(rec("x", 0)), 0}, {log(rec("a", 0)), 1}, {log(rec("a", 0), rec("b", 0), rec("x", 0)), 2},
		{log(rec("a", 0), rec("b", 1), rec("c", 0)), 1}, {log(rec("a", 0), rec("b", 0), rec("c", 0), rec("d", 0)), 3}, {memory.NewLog(), 0},
	} {
		if got := sharedRecords(parent, tt.child); got != tt.want {
			t.Errorf("%d: %d, want %d", i, got, tt.want)
		}
	}
	b := Bill{Unpriced: []string{"m"}}
	b.Add(Bill{Requests: 1, Tokens: 2, Sent: 3, Unpriced: []string{"m", "n"}, Usage: transport.Usage{OutputTokens: 4}, Cost: Cost{USD: 5, Incomplete: true}})
	if b.Requests != 1 || b.Tokens != 2 || b.Sent != 3 || fmt.Sprint(b.Unpriced) != "[m n]" || b.Usage.OutputTokens != 4 || b.Cost != (Cost{USD: 5, Incomplete: true}) {
		t.Errorf("%+v", b)
	}
}

// A run records its configuration only where it is another one than before: its prices
// are those of the model that was asked for then.
func TestLaterRunsArePricedAlike(t *testing.T) {
	own := models.Model{ID: "gateway/opus", Prices: []models.Price{{Input: 7}}}
	log := memory.NewLog()
	for _, config := range []string{`{"model":"gateway/opus"}`, ""} {
		run := memory.Record{Kind: memory.KindRun}
		if config != "" {
			run.Data = []byte(config)
		}
		resp := stopped(t, "end_turn", "", `{"type":"text","text":"a"}`)
		resp.Model, resp.Usage = "opus-at-home", transport.Usage{InputTokens: 1e6, OutputTokens: 1}
		if err := log.Append(t.Context(), run, memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")}, memory.Record{Kind: memory.KindResponse, Response: resp}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := BillOf(t.Context(), log, own); err != nil || b.Cost.USD != 14 || b.Requests != 2 {
		t.Errorf("%+v, %v", b, err)
	}
}

// Bills that began as one don't write to each other's lists.
func TestBillsAreApart(t *testing.T) {
	of := func(models ...string) Bill { return Bill{Unpriced: models} }
	var base Bill
	for _, m := range []string{"a", "b", "c"} {
		base.Add(of(m))
	}
	base.Unpriced = append(make([]string, 0, 8), base.Unpriced...)
	one, two := base, base
	one.Add(of("one", "a"))
	two.Add(of("two"))
	if got := fmt.Sprint(one.Unpriced, two.Unpriced, base.Unpriced); got != "[a b c one] [a b c two] [a b c]" {
		t.Error(got)
	}
}

// What a request has lost is charged to ledgers as so many prompts, and to the run and
// to other budgets as requests of unknown cost.
func TestLostAttemptsAreCharged(t *testing.T) {
	b, also := new(Budget), new(Budget)
	h := &reservation{budgets: []*Budget{b, also}, prompt: 0.25}
	r := underWay(t, made(t, Options{}), Input{})
	if list := r.recordFailed(h, &attempts{lost: 3}); len(list) != 1 || list[0].Note != notes.Lost {
		t.Errorf("the log gets %+v", list)
	}
	if spent := b.Spent(); h.charged != 0.75 || spent.Requests != 3 || !spent.Cost.Incomplete || !r.result.Cost.Incomplete {
		t.Errorf("$%v for ledgers, the budget has %+v, the run %v", h.charged, spent, r.result.Cost)
	}
	if b.Spent().Requests != also.Spent().Requests {
		t.Errorf("one budget has %+v, the other %+v", b.Spent(), also.Spent())
	}
}
