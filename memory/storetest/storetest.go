// Package storetest provides the tests that every [memory.Store] must pass, and tests
// for its optional abilities.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) memory.Store { return mystore.New(t.TempDir()) })
//	}
//
// Run runs all tests, and skips those of an ability that the store lacks. RunCore,
// RunForker and so on run a part of them.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/transport"
)

// Run runs all tests, each on an empty store that open returns. Use t.Cleanup in open
// to close the store. Run skips the tests of abilities that the store lacks.
func Run(t *testing.T, open func(t *testing.T) memory.Store) {
	for _, suite := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) memory.Store)
	}{
		{"core", RunCore},
		{"forker", RunForker},
		{"leaser", RunLeaser},
		{"inbox", RunInbox},
		{"metadata", RunMetaSetter},
		{"waker", RunWaker},
		{"budgets", RunBudgets},
		{"blobs", RunBlobs},
		{"importer", RunImporter},
		{"searcher", RunSearcher},
	} {
		t.Run(suite.name, func(t *testing.T) { suite.run(t, open) })
	}
}

type test struct {
	name string
	test func(*testing.T, under)
}

func run(t *testing.T, open func(t *testing.T) memory.Store, tests ...test) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, under{open(t), t}) })
	}
}

// RunCore runs the tests of [memory.Store].
func RunCore(t *testing.T, open func(t *testing.T) memory.Store) {
	run(t, open,
		test{"append and load", testAppend},
		test{"exact bytes", testBytes},
		test{"atomic", testAtomic},
		test{"conflict", testConflict},
		test{"one of many writers wins", testRace},
		test{"no session", testNoSession},
		test{"cancelled", testCancelled},
		test{"delete", testDelete},
		test{"list", testList},
		test{"large records", testLarge},
		test{"many sessions at once", testManySessions},
		test{"a session while it grows", testReadWhileGrowing},
		test{"logs", testLog},
		test{"refresh", testRefresh},
		test{"odd ids", testOddIDs},
		test{"incarnations", testIncarnations},
		test{"logs of a session that was replaced", testReplaced},
		test{"begun with metadata and parent", testStart},
		test{"tree", testTree},
		test{"conditions of a list together", testListTogether},
		test{"cursor", testCursor},
		test{"old trees are deleted", testDeleteBefore},
		test{"copied into RAM", testCopyOut},
		test{"when it was changed", testChanged},
		test{"the caller's list", testCallersList},
	)
}

// RunForker runs the tests of [memory.Forker].
func RunForker(t *testing.T, open func(t *testing.T) memory.Store) {
	skipWithout[memory.Forker](t, open)
	run(t, open,
		test{"fork", testFork},
		test{"forks of forks", testForkChain},
		test{"delete what forks share", testDeleteForked},
		test{"log", testLogFork},
		test{"incarnation and start", testForkStart},
		test{"what a fork begins with", testForkBegins},
	)
}

// RunLeaser runs the tests of [memory.Leaser].
func RunLeaser(t *testing.T, open func(t *testing.T) memory.Store) {
	skipWithout[memory.Leaser](t, open)
	run(t, open,
		test{"lease", testLease},
		test{"lease that ends", testLeaseEnds},
		test{"lease that is prolonged", testLeaseProlonged},
		test{"delete while leased", testDeleteLeased},
	)
}

// RunInbox runs the tests of [memory.Inbox].
func RunInbox(t *testing.T, open func(t *testing.T) memory.Store) {
	skipWithout[memory.Inbox](t, open)
	run(t, open,
		test{"inbox", testInbox},
		test{"clocks that disagree", testInboxClocks},
		test{"once in the log", testInboxOnce},
		test{"chosen numbers", testInboxNumbers},
	)
}

// RunMetaSetter runs the tests of [memory.MetaSetter].
func RunMetaSetter(t *testing.T, open func(t *testing.T) memory.Store) {
	skipWithout[memory.MetaSetter](t, open)
	run(t, open,
		test{"metadata", testMeta},
		test{"list", testListMeta},
		test{"log", testLogMeta},
	)
}

// RunWaker runs the tests of [memory.Waker].
func RunWaker(t *testing.T, open func(t *testing.T) memory.Store) {
	skipWithout[memory.Waker](t, open)
	run(t, open,
		test{"wake", testWake},
		test{"due by message", testDueMessage},
		test{"due when", testDueWhen},
		test{"far times", testFarTimes},
		test{"a lease goes with its session", testLeaseGoesWithItsSession},
		test{"due by a lease that ran out", testDueLease},
		test{"those who listen are told", testNotify},
		test{"what is to go on is not swept", testSweepKeeps},
		test{"a message while a session is swept", testSweepLate},
		test{"sweeps beside messages", testSweepRaces},
	)
}

// RunBudgets runs the tests of [budget.Ledger].
func RunBudgets(t *testing.T, open func(t *testing.T) memory.Store) {
	skipWithout[budget.Ledger](t, open)
	run(t, open,
		test{"reserve and charge", testBudget},
		test{"at once", testBudgetRace},
		test{"bad amounts", testBudgetBad},
		test{"after a crash", testBudgetCrash},
		test{"apart", testBudgetsApart},
	)
}

// RunBlobs runs the tests of [memory.Blobs].
func RunBlobs(t *testing.T, open func(t *testing.T) memory.Store) {
	skipWithout[memory.Blobs](t, open)
	run(t, open,
		test{"blobs", testBlobs},
		test{"shared", testBlobsShared},
		test{"appended with records", testBlobsAppended},
		test{"given and kept", testGiven},
		test{"payloads put aside", testAside},
		test{"payloads of forks and children", testAsideShared},
		test{"payloads copied and exported", testAsideMoved},
		test{"payloads in the inbox", testAsideInbox},
		test{"payloads lost", testAsideLost},
	)
}

// RunImporter runs the tests of [memory.Importer].
func RunImporter(t *testing.T, open func(t *testing.T) memory.Store) {
	skipWithout[memory.Importer](t, open)
	run(t, open,
		test{"copy loses nothing", testCopy},
		test{"export and import", testExport},
		test{"refused", testImportRefused},
		test{"numbers of messages", testImportNumbers},
		test{"what is found out", testImportIgnores},
		test{"old to the instant", testOldToTheInstant},
		test{"cursor between sessions of one time", testCursorTies},
	)
}

// skipWithout skips the test if the store lacks the ability T, or says so when it
// is asked for it.
func skipWithout[T any](t *testing.T, open func(t *testing.T) memory.Store) T {
	t.Helper()
	s, err := memory.Need[T](open(t))
	if err != nil {
		t.Skip(err)
	}
	return s
}

// under is the store under test, with short forms of what it may be able to do.
type under struct {
	memory.Store
	t *testing.T
}

func need[T any](s under) T {
	s.t.Helper()
	a, err := memory.Need[T](s.Store)
	if err != nil {
		s.t.Skip(err)
	}
	return a
}

func (s under) Append(ctx context.Context, id string, n int, records ...memory.Record) error {
	return s.Store.Append(ctx, id, memory.Position{Records: n}, records...)
}

func (s under) Load(ctx context.Context, id string, n int) iter.Seq2[memory.Record, error] {
	return s.Store.Load(ctx, id, memory.Position{Records: n})
}

func (s under) Fork(ctx context.Context, from string, n int, to string) error {
	return need[memory.Forker](s).Fork(ctx, from, memory.Position{Records: n}, to, nil)
}

func (s under) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	return need[memory.Leaser](s).Lease(ctx, id, owner, d)
}

func (s under) SetMeta(ctx context.Context, id, key, value string) error {
	return need[memory.MetaSetter](s).SetMeta(ctx, id, key, value)
}

func (s under) Enqueue(ctx context.Context, id string, r memory.Record) error {
	return need[memory.Inbox](s).Enqueue(ctx, id, r)
}

func (s under) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	return need[memory.Inbox](s).Inbox(ctx, id, after)
}

var ctx = context.Background()

// note makes a record that can stand anywhere.
func note(text string) memory.Record {
	return memory.Record{Kind: memory.KindNote, Time: time.Unix(1, 5).UTC(), Note: text}
}

func notes(texts ...string) []memory.Record {
	var list []memory.Record
	for _, text := range texts {
		list = append(list, note(text))
	}
	return list
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks what the error is, and that it names the session.
func wantError(t *testing.T, err, want error, id string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), id) {
		t.Errorf("error %v; want one that matches %q and names %q", err, want, id)
	}
}

// load gives the notes of a session's records, joined.
func load(t *testing.T, s under, id string, from int) string {
	t.Helper()
	var texts []string
	for r, err := range s.Load(ctx, id, from) {
		if err != nil {
			t.Fatalf("load %q from %d: %v", id, from, err)
		}
		texts = append(texts, r.Note)
	}
	return strings.Join(texts, " ")
}

func want(t *testing.T, s under, id, records string) {
	t.Helper()
	if got := load(t, s, id, 0); got != records {
		t.Errorf("session %q holds %q, want %q", id, got, records)
	}
	info, err := s.Info(ctx, id)
	must(t, err)
	if n := len(strings.Fields(records)); info.Records != n || info.ID != id {
		t.Errorf("info %+v; want id %q and %d records", info, id, n)
	}
}

func testAppend(t *testing.T, s under) {
	before := time.Now().Add(-time.Minute)
	must(t, s.Append(ctx, "s", 0, notes("a", "b")...))
	must(t, s.Append(ctx, "s", 2, note("c")))
	must(t, s.Append(ctx, "empty", 0))
	want(t, s, "s", "a b c")
	want(t, s, "empty", "")
	for from, records := range []string{"a b c", "b c", "c", "", ""} {
		if got := load(t, s, "s", from); got != records {
			t.Errorf("from %d: %q, want %q", from, got, records)
		}
	}
	if got := load(t, s, "s", -1); got != "a b c" {
		t.Errorf("from -1: %q", got)
	}
	for range s.Load(ctx, "s", 0) {
		break // the store must bear it
	}
	must(t, s.Append(ctx, "s", 3, note("d")))
	info, err := s.Info(ctx, "s")
	must(t, err)
	if info.Created.Before(before) || info.Changed.Before(info.Created) || info.Changed.After(time.Now().Add(time.Minute)) || info.Parent != "" || info.Origin != "" || info.Incarnation == "" {
		t.Errorf("info %+v", info)
	}
}

func testBytes(t *testing.T, s under) {
	raw := "{\"type\":\"message\",\"id\":\"m\",\n \"content\":[{\"type\":\"new\",\"n\":9007199254740993,\"z\":null,\"a\":\"<&>\\u00e9\u2028\"}],\"stop_reason\":\"end_turn\",\"usage\":{}}"
	resp, err := transport.ParseResponse([]byte(raw))
	must(t, err)
	resp.Cut = []string{"x"}
	resp.Meta = transport.Meta{RequestID: "req", Attempts: 2, Duration: time.Second}
	block, err := transport.ParseBlock([]byte(`{"type":"tool_result" , "tool_use_id":"a"}`))
	must(t, err)
	records := []memory.Record{
		{Kind: memory.KindRun, Time: time.Unix(9, 8).UTC(), Limits: &memory.Limits{Steps: 1, Pauses: 2, Cuts: -1}},
		{Kind: memory.KindInput, Message: transport.UserText("hi\u0000"), Queued: 7},
		{Kind: memory.KindResponse, Response: resp},
		{Kind: memory.KindStarted, Calls: []string{"a", "b"}},
		{Kind: memory.KindResult, Block: block, Final: true},
		{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: "a", Hash: "h", Reason: "r"}}},
		{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "a", Hash: "h", Approve: true, Reason: "r", Input: []byte(`{"b":1,"a":2}`)}},
		{Kind: memory.KindNote, Note: "n", Data: []byte(`{"b":1,"a":[]}`)},
	}
	must(t, s.Append(ctx, "s", 0, records...))
	i := 0
	for got, err := range s.Load(ctx, "s", 0) {
		must(t, err)
		a, err := got.AppendJSON(nil)
		must(t, err)
		b, err := records[i].AppendJSON(nil)
		must(t, err)
		if string(a) != string(b) {
			t.Errorf("record %d: came back as\n%s, want\n%s", i, a, b)
		}
		if r := got.Response; r != nil && (string(r.Raw()) != raw || !reflect.DeepEqual(r.Meta, resp.Meta)) {
			t.Errorf("response came back as %s, %+v", r.Raw(), r.Meta)
		}
		i++
	}
	if i != len(records) {
		t.Errorf("%d records, want %d", i, len(records))
	}
}

func testAtomic(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, note("a")))
	// The year has no JSON form. A store that keeps no JSON may take it.
	bad := note("bad")
	bad.Time = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := s.Append(ctx, "s", 1, note("b"), bad); err != nil {
		want(t, s, "s", "a")
		must(t, s.Append(ctx, "s", 1, notes("b", "c")...))
		want(t, s, "s", "a b c")
	}
}

func testConflict(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, notes("a", "b")...))
	for _, n := range []int{0, 1, 3} {
		wantError(t, s.Append(ctx, "s", n, note("x")), memory.ErrConflict, "s")
	}
	want(t, s, "s", "a b")
}

// testRace has writers that each try to be the one that appends record n.
func testRace(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0))
	const writers, rounds = 8, 10
	won := make(chan string, writers*rounds)
	parallel(writers, func(w int) {
		for n := range rounds {
			text := fmt.Sprintf("%d.%d", n, w)
			switch err := s.Append(ctx, "s", n, note(text)); {
			case err == nil:
				won <- text
			case !errors.Is(err, memory.ErrConflict):
				t.Errorf("writer %d, record %d: %v", w, n, err)
			}
			for { // wait until somebody has won
				if info, err := s.Info(ctx, "s"); err != nil || info.Records > n {
					break
				}
			}
		}
	})
	close(won)
	winners := map[string]bool{}
	for text := range won {
		winners[text] = true
	}
	got := strings.Fields(load(t, s, "s", 0))
	if len(got) != rounds || len(winners) != rounds {
		t.Fatalf("%d records, %d winners, want %d of each", len(got), len(winners), rounds)
	}
	for n, text := range got {
		if !winners[text] || !strings.HasPrefix(text, fmt.Sprintf("%d.", n)) {
			t.Errorf("record %d is %q, which did not win", n, text)
		}
	}
}

func testNoSession(t *testing.T, s under) {
	_, err := s.Info(ctx, "none")
	wantError(t, err, memory.ErrNoSession, "none")
	wantError(t, s.Append(ctx, "none", 1, note("x")), memory.ErrNoSession, "none")
	wantError(t, s.Delete(ctx, "none"), memory.ErrNoSession, "none")
	for _, err := range s.Load(ctx, "none", 0) {
		wantError(t, err, memory.ErrNoSession, "none")
	}
	if _, err := memory.Open(ctx, s.Store, "none"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("opened: %v", err)
	}
	for range s.List(ctx, memory.Query{}) {
		t.Error("a session is listed")
	}
}

func testCancelled(t *testing.T, s under) {
	must(t, s.Append(ctx, "s", 0, note("a")))
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Append(over, "s", 1, note("b")); !errors.Is(err, context.Canceled) {
		t.Errorf("append: %v", err)
	}
	for _, err := range s.Load(over, "s", 0) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("load: %v", err)
		}
	}
	want(t, s, "s", "a")
}

func testLarge(t *testing.T, s under) {
	big := strings.Repeat("0123456789abcdef", 1<<19) // 8 MB
	must(t, s.Append(ctx, "s", 0, note("a"), note(big), note("b")))
	var got []string
	for r, err := range s.Load(ctx, "s", 0) {
		must(t, err)
		got = append(got, r.Note)
	}
	if len(got) != 3 || got[1] != big || got[2] != "b" {
		t.Errorf("%d records, the second of %d bytes", len(got), len(got[1]))
	}
}

func testOddIDs(t *testing.T, s under) {
	ids := []string{"a/../b", "'; DROP TABLE sessions; --", "ä\u2028", " ", "a", "A", "%", strings.Repeat("x", 500)}
	for i, id := range ids {
		must(t, s.Append(ctx, id, 0, note(fmt.Sprint(i))))
	}
	for i, id := range ids {
		want(t, s, id, fmt.Sprint(i))
	}
}
