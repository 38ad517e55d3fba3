package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

// What a check says of an answer goes back to the model, is recorded once, and ends the
// run only where it says nothing of the answer.
func TestOutcomesOfChecks(t *testing.T) {
	away := errors.New("away")
	for _, tt := range []struct {
		name  string
		check func(context.Context, *Result) error
		more  []memory.Record // behind the answer
		most  int
		back  bool
		last  string // of the conversation
		notes string
		fails error
		limit string
	}{
		{"it passes", func(context.Context, *Result) error { return nil }, nil, 2, false, "a", "{}", nil, ""},
		{"it doesn't", func(context.Context, *Result) error { return errors.New(" shorter\xff \n") }, nil, 2, true, "shorter\uFFFD", "{\"error\":\"shorter\uFFFD\"}", nil, ""},
		{"without a word", func(context.Context, *Result) error { return errors.New(" ") }, nil, 2, true, "The answer did not pass a check.", `{"error":"The answer did not pass a check."}`, nil, ""},
		{"nobody could tell", func(context.Context, *Result) error { return tools.Fatal(away) }, nil, 2, false, "a", "", away, ""},
		{"no money to tell", func(context.Context, *Result) error { return &BudgetError{} }, nil, 2, false, "a", "", &BudgetError{}, ""},
		{"it crashes", func(context.Context, *Result) error { panic("boom") }, nil, 2, false, "a", "", &PanicError{}, ""},
		{"none may go back", func(context.Context, *Result) error { return away }, nil, 0, false, "a", "", &LimitError{}, "away"},
		{"it has said so before", func(context.Context, *Result) error { panic("asked again") }, []memory.Record{{Kind: memory.KindNote, Note: notes.Check, Data: []byte(`{}`)}}, 2, false, "a", "{}", nil, ""},
		{"of another answer", func(context.Context, *Result) error { return away }, []memory.Record{
			{Kind: memory.KindNote, Note: notes.Check, Data: []byte(`{"error":"x"}`)}, {Kind: memory.KindInput, Message: transport.UserText("x")},
			{Kind: memory.KindResponse, Response: stopped(t, "end_turn", "", `{"type":"text","text":"b"}`)},
		}, 2, true, "away", `{"error":"x"}{"error":"away"}`, nil, ""},
		{"as often as may be", func(context.Context, *Result) error { return away }, []memory.Record{
			{Kind: memory.KindNote, Note: notes.Check, Data: []byte(`{"error":"x"}`)}, {Kind: memory.KindInput, Message: transport.UserText("x")},
			{Kind: memory.KindResponse, Response: stopped(t, "end_turn", "", `{"type":"text","text":"b"}`)},
		}, 1, false, "b", `{"error":"x"}`, &LimitError{}, "away"},
	} {
		a := made(t, Options{Check: func(ctx context.Context, res *Result) error {
			if res.Text != "words" {
				t.Errorf("%s: it is shown %q", tt.name, res.Text)
			}
			return tt.check(ctx, res)
		}})
		r := a.NewRun(Input{Log: talked(t, tt.more...)})
		r.limits.Checks, r.text = tt.most, []string{"wor", "ds"}
		back, err := r.check(t.Context())
		if back != tt.back || (err != nil) != (tt.fails != nil) {
			t.Errorf("%s: goes back %v, %v", tt.name, back, err)
		}
		var limit *LimitError
		var panicked *PanicError
		var short *BudgetError
		switch tt.fails.(type) {
		case *LimitError:
			if !errors.As(err, &limit) || limit.Limit != "checks" || limit.Reason != tt.limit || limit.Max != int64(tt.most) {
				t.Errorf("%s: %v", tt.name, err)
			}
		case *PanicError:
			if !errors.As(err, &panicked) {
				t.Errorf("%s: %v", tt.name, err)
			}
		case *BudgetError:
			if !errors.As(err, &short) {
				t.Errorf("%s: %v", tt.name, err)
			}
		default:
			if !errors.Is(err, tt.fails) {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
		m, said := r.log.Messages(), ""
		for _, rec := range r.log.Records(0) {
			if rec.Note == notes.Check {
				said += string(rec.Data)
			}
		}
		if got := m[len(m)-1].Text(); got != tt.last || said != tt.notes {
			t.Errorf("%s: the log ends with %q and has the notes %s, want %q and %s", tt.name, got, said, tt.last, tt.notes)
		}
	}
}

// What a process that died has left reserved is booked by what the log has behind it: a
// response, or a request beside the conversation, or else the forecast.
func TestEntriesOfADeadProcess(t *testing.T) {
	resp := stopped(t, "end_turn", "")
	const usd = "0.00014" // 10 tokens at $4, 5 at $20 a million
	aside := memory.Record{Kind: memory.KindNote, Note: notes.Aside, Data: resp.Raw()}
	for _, tt := range []struct {
		name  string
		entry string // behind the session's prefix
		more  []memory.Record
		want  string
		lost  bool
	}{
		{"a response", "4 $0.5 x", nil, usd, false},
		{"one that came before", "5 $0.5 x", nil, "0.5", true},
		{"a request beside it", "5 $0.5 x", []memory.Record{aside}, usd, false},
		{"a note of something else", "5 $0.25 x", []memory.Record{{Kind: memory.KindNote, Note: notes.Check, Data: resp.Raw()}}, "0.25", true},
		{"not a request's", "five", nil, "", false},
	} {
		store := new(memory.RAM)
		log, err := memory.Create(store, "s", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range talked(t, tt.more...).Records(0) {
			if err := log.Append(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		led := &account{spent: budget.Spending{Open: []string{"other 1 " + tt.entry, ofSession(log) + tt.entry}}}
		also := &account{spent: led.spent}
		r := made(t, Options{}).NewRun(Input{Log: log})
		n := log.Len()
		ctx := withBudget(withBudget(t.Context(), &Budget{USD: 1, Ledger: led, Name: "n"}), &Budget{USD: 1, Ledger: also, Name: "n"})
		if err := r.settleEntries(ctx); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		want := ""
		if tt.want != "" {
			want = "charge " + ofSession(log) + tt.entry + " " + tt.want
		}
		for i, led := range []*account{led, also} {
			if got := strings.Join(led.told, ", "); got != want {
				t.Errorf("%s: ledger %d: %s, want %s", tt.name, i, got, want)
			}
		}
		if lost := log.Len() > n; lost != tt.lost {
			t.Errorf("%s: noted as lost: %v", tt.name, lost)
		}
	}
}

// A moody store is RAM whose leases fail while they are told to.
type moody struct {
	*memory.RAM
	fails func(n int) error
	began time.Time

	mu       sync.Mutex
	renewals []time.Duration
}

func (s *moody) leased() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.renewals)
}

func (s *moody) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d > 0 {
		s.mu.Lock()
		s.renewals = append(s.renewals, time.Since(s.began))
		n := len(s.renewals)
		s.mu.Unlock()
		if err := s.fails(n); err != nil {
			return err
		}
	}
	return s.RAM.Lease(ctx, id, owner, d)
}

// A lease is renewed each third of its life, whether or not the store was away once, and
// is given back.
func TestLeaseIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &moody{RAM: new(memory.RAM), began: time.Now(), fails: func(n int) error {
			if n == 2 {
				return memory.ErrUnavailable
			}
			return nil
		}}
		r := made(t, Options{Limits: Limits{Lease: 30 * time.Second}}).NewRun(Input{Store: store, Session: "s", Prompt: "q"})
		ctx, release, err := r.hold(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(35 * time.Second)
		if ctx.Err() != nil {
			t.Errorf("a store that was away has ended the run: %v", context.Cause(ctx))
		}
		if at := store.leased(); len(at) != 4 || at[1] != 10*time.Second || at[3] != 30*time.Second {
			t.Errorf("leased at %v", at)
		}
		var leased *memory.LeaseError
		if err := store.RAM.Lease(t.Context(), "s", "other", time.Second); !errors.As(err, &leased) || leased.Owner != r.owner {
			t.Errorf("another process took the session: %v", err)
		}
		if r.log.TryLock() {
			t.Error("another run may take the log")
		}
		release()
		if err := store.RAM.Lease(t.Context(), "s", "other", time.Second); err != nil {
			t.Errorf("the lease was not given back: %v", err)
		}
		if ctx.Err() == nil || !r.log.TryLock() {
			t.Error("the log was not given back")
		}
		n := len(store.leased())
		time.Sleep(time.Minute)
		if len(store.leased()) != n {
			t.Error("a lease is renewed behind the run's end")
		}
	})
}

// A run that is cancelled holds its session until it is over, however long its tools take
// to end, and then gives it back; a renewal that is under way comes before that.
func TestLeaseOfACancelledRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &moody{RAM: new(memory.RAM), began: time.Now(), fails: func(n int) error {
			if n == 5 {
				time.Sleep(5 * time.Second)
			}
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		_, release, err := made(t, Options{Limits: Limits{Lease: 30 * time.Second}}).NewRun(Input{Store: store, Session: "s", Prompt: "q"}).hold(ctx, false)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(42 * time.Second)
		if err := store.RAM.Lease(t.Context(), "s", "other", time.Second); !errors.Is(err, memory.ErrLeased) {
			t.Errorf("another process took the session while the run ends: %v", err)
		}
		release()
		time.Sleep(10 * time.Second)
		if err := store.RAM.Lease(t.Context(), "s", "other", time.Second); err != nil {
			t.Errorf("the lease was not given back: %v", err)
		}
	})
}

// A tool that reports more than anybody reads isn't held up.
func TestReportsHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &job{owner: made(t, Options{}).NewRun(Input{})}
		for range 1000 {
			j.report("half")
		}
		if n := len(j.owner.news); n == 0 || n > 100 {
			t.Errorf("%d reports are kept", n)
		}
	})
}

// Only a sub-agent's session is held by its caller's lease.
func TestSessionsOfTheCaller(t *testing.T) {
	store := new(memory.RAM)
	a := made(t, Options{})
	run := func(id string) *Run { return a.NewRun(Input{Store: store, Session: id, Prompt: "q"}) }
	for id, want := range map[string]bool{"s/2-a": true, "s/2-a/3-b": true, "s": false, "s2": false, "t/2-a": false} {
		if got := run(id).ofCaller(withRun(t.Context(), run("s"))); got != want {
			t.Errorf("%s below s: %v", id, got)
		}
	}
	if run("s/2-a").ofCaller(t.Context()) || a.NewRun(Input{}).ofCaller(withRun(t.Context(), a.NewRun(Input{}))) {
		t.Error("a run without a caller, or one in memory, is held by one")
	}
}

// Decisions are told as the log has them, and steering comes to an end with the run.
func TestEventsOfDecisions(t *testing.T) {
	c := transport.ToolCall{ID: "a"}
	yes := decidedEvent(c, &memory.Decision{Approve: true, Reason: "ok", Input: json.RawMessage(`{"n":1}`)})
	no := decidedEvent(c, &memory.Decision{Reason: "no"})
	if yes.Type != EventDecided || yes.Call.ID != "a" || yes.Decision.Permission != Allow || yes.Decision.Reason != "ok" || string(yes.Decision.Input) != `{"n":1}` || no.Decision.Permission != Deny || no.Decision.Reason != "no" {
		t.Errorf("%+v, %+v", yes.Decision, no.Decision)
	}
	for reason, want := range map[string]string{"": "This call was not permitted.", "late": "This call was not permitted: late"} {
		if got := denial(reason); got != want {
			t.Errorf("%q", got)
		}
	}
	r := made(t, Options{}).NewRun(Input{Log: talked(t)})
	if err := r.Steer(transport.Message{Role: "user"}); err == nil {
		t.Error("an empty message was taken")
	}
	if err := r.Steer(transport.UserText("hurry")); err != nil || r.end() || r.state == runEnded {
		t.Errorf("the run ends although something was said: %v", err)
	}
	if err := r.laySteers(t.Context()); err != nil || len(r.steers) != 0 || !r.end() {
		t.Errorf("%v, %v left", err, r.steers)
	}
	if m := r.log.Messages(); m[len(m)-1].Text() != "hurry" {
		t.Errorf("%q", m[len(m)-1].Text())
	}
	if err := r.Steer(transport.UserText("too late")); err == nil {
		t.Error("a run that has ended takes a message")
	}
	if err := r.ChangeTools(ToolChange{Add: []string{"f"}}); err == nil || !strings.Contains(err.Error(), "the run has ended") {
		t.Errorf("%v", err)
	}
}

// The text of an answer goes on over pauses in which the service works, and begins
// again elsewhere.
func TestTextOverPauses(t *testing.T) {
	search := `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
	words := func(s string) string { return `{"type":"text","text":"` + s + `"}` }
	for _, tt := range []struct {
		name  string
		steps []*transport.Response
		want  string
	}{
		{"a pause", []*transport.Response{stopped(t, "pause_turn", "", words("a"), search), stopped(t, "end_turn", "", words("b"))}, "ab"},
		{"two", []*transport.Response{stopped(t, "pause_turn", "", words("a"), search), stopped(t, "pause_turn", "", words("b")), stopped(t, "end_turn", "", words("c"))}, "abc"},
		{"a pause in which nothing works", []*transport.Response{stopped(t, "pause_turn", "", words("a")), stopped(t, "end_turn", "", words("b"))}, "b"},
		{"a call between", []*transport.Response{stopped(t, "tool_use", "", words("a"), search), stopped(t, "end_turn", "", words("b"))}, "b"},
		{"a turn before", []*transport.Response{stopped(t, "pause_turn", "", words("a"), search), stopped(t, "tool_use", "", words("b")), stopped(t, "end_turn", "", words("c"))}, "c"},
	} {
		r := made(t, Options{}).NewRun(Input{})
		for _, resp := range tt.steps {
			r.count(resp, &Bill{Requests: 1, Sent: 2, Cost: Cost{USD: 0.5}, Usage: transport.Usage{OutputTokens: 3}})
		}
		n := len(tt.steps)
		if got := strings.Join(r.text, ""); got != tt.want || r.result.Steps != n || r.result.Response != tt.steps[n-1] || r.result.StopReason != "end_turn" {
			t.Errorf("%s: %q after %d steps", tt.name, got, r.result.Steps)
		}
		if r.result.Sent != int64(2*n) || r.result.Cost.USD != 0.5*float64(n) || r.result.Usage.OutputTokens != int64(3*n) || r.own.Requests != n {
			t.Errorf("%s: %+v", tt.name, r.result)
		}
	}
}

// Which failures of a store are about the store: a call goes on in the next run.
func TestUnwritable(t *testing.T) {
	for _, err := range []error{memory.ErrUnavailable, memory.ErrConflict, memory.ErrLocked, memory.ErrFull, memory.ErrReadOnly, memory.ErrLeased, memory.ErrNoSession, memory.ErrReplaced} {
		if !unwritable(errors.Join(errors.New("x"), err)) {
			t.Errorf("%v is about what was to be stored", err)
		}
	}
	if unwritable(errors.New("what")) || unwritable(nil) {
		t.Error("any error is about the store")
	}
	r := made(t, Options{}).NewRun(Input{Log: talked(t)})
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	before := time.Now()
	if err := r.append(t.Context(), memory.Record{Kind: memory.KindNote, Note: "x", Data: []byte("{}"), Time: at}, memory.Record{Kind: memory.KindNote, Note: "y", Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	for i, rec := range r.log.Records(5) {
		if i == 5 && !rec.Time.Equal(at) || i == 6 && rec.Time.Before(before.Truncate(time.Second)) {
			t.Errorf("record %d is of %v", i, rec.Time)
		}
	}
}

// What is to be left out is told by its place in the log, also where an endpoint is not
// sent all of that.
func TestOmissionsAreOfTheLog(t *testing.T) {
	deploy := tools.FuncWith("deploy", "Deploys.", func(context.Context, struct{}) (string, error) { return "", nil }, tools.Options{DeferLoading: true})
	all := mute{transport.Features{SystemMessages: true, InlineTools: true}}
	change, err := made(t, Options{Client: all, Tools: []tools.Tool{plain{name: "f"}, deploy}}).ChangeTools(ToolChange{Add: []string{"deploy"}})
	if err != nil {
		t.Fatal(err)
	}
	log := memory.NewLog()
	err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("one")}, memory.Record{Kind: memory.KindInput, Message: change},
		memory.Record{Kind: memory.KindResponse, Response: stopped(t, "end_turn", "", `{"type":"text","text":"so"}`)}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("two")})
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[int]transport.Client{2: all, 3: mute{}} {
		found := &omit.Error{Err: errors.New("refused"), Omission: omit.Omission{Blocks: []omit.Place{{Message: 2}}}}
		err := made(t, Options{Client: c, Tools: []tools.Tool{deploy}}).NewRun(Input{Log: log}).letGo(t.Context(), found)
		var told *omit.Error
		if !errors.As(err, &told) || told.Omission.Blocks[0].Message != want || found.Omission.Blocks[0].Message != 2 {
			t.Errorf("message 2 of the request is said to be %v of the log, want message %d", told.Omission.Blocks, want)
		}
	}
}
