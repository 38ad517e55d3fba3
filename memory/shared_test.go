package memory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

func texts(l *memory.Log) (list []string) {
	for _, r := range l.Records(0) {
		list = append(list, r.Message.Text())
	}
	return list
}

// A user's message that lands in front of a system message leaves what others have read,
// and what forks share, as it was.
func TestMessagesThatAreSharedStay(t *testing.T) {
	for before := range 6 {
		log := memory.NewLog()
		for i := range before {
			appendAll(t, log, input(fmt.Sprint(i)))
		}
		system := memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("rule")}}}
		appendAll(t, log, input("first"), system)
		read, fork := log.Messages(), log.Fork()
		appendAll(t, log, input("second"))
		for name, messages := range map[string][]transport.Message{"what was read": read, "a fork": fork.Messages()} {
			if n := len(messages); n != before+2 || messages[n-1].Text() != "rule" {
				t.Errorf("%d before: %s has %d messages, and ends in %q", before, name, n, messages[n-1].Text())
			}
		}
		if now := log.Messages(); len(now) != before+3 || now[before+1].Text() != "second" || now[before+2].Text() != "rule" {
			t.Errorf("%d before: the log has %v", before, now)
		}
	}
}

// Logs that come of one another by several forks have lists of their own, also of their
// parts, and who reads one has what was there when it began.
func TestForksOfForks(t *testing.T) {
	for parts := range 7 {
		log := memory.NewLog()
		var want []string
		say := func(l *memory.Log, text string) {
			t.Helper()
			appendAll(t, l, input(text))
		}
		for i := range parts {
			want = append(want, fmt.Sprint(i))
			say(log, want[i])
			log = log.Fork()
		}
		say(log, "a")
		one := log.Fork()
		say(log, "b")
		two := log.Fork()
		say(one, "one")
		say(two, "two")
		for l, rest := range map[*memory.Log][]string{log: {"a", "b"}, one: {"a", "one"}, two: {"a", "b", "two"}} {
			if got := texts(l); !slices.Equal(got, append(slices.Clip(want), rest...)) {
				t.Errorf("%d parts: %q, want them to end in %q", parts, got, rest)
			}
		}
		var seen []string
		for i, r := range log.Records(0) {
			say(log, "while somebody reads")
			for range log.Records(0) {
			}
			if seen = append(seen, r.Message.Text()); i != len(seen)-1 {
				t.Errorf("%d parts: record %d is at %d", parts, len(seen)-1, i)
			}
		}
		if !slices.Equal(seen, append(slices.Clip(want), "a", "b")) {
			t.Errorf("%d parts: who began to read saw %q", parts, seen)
		}
		// What a caller appends to the messages is his.
		mine := append(log.Messages(), transport.UserText("mine"))
		say(log, "the log's")
		if got := mine[len(mine)-1].Text(); got != "mine" {
			t.Errorf("%d parts: the caller's message is %q now", parts, got)
		}
	}
}

// A record comes out of a log as it came in.
func TestRecordsComeOutWhole(t *testing.T) {
	log := memory.NewLog()
	resp := response(t, "tool_use", callA)
	resp.Data, resp.Time = json.RawMessage(`{"cost":1}`), time.Unix(1, 2)
	last := result("a", "x")
	last.Final = true
	appendAll(t, log, input("q"), resp, memory.Record{Kind: memory.KindStarted, Calls: []string{"a"}}, last)
	var got []memory.Record
	for _, r := range log.Records(0) {
		got = append(got, r)
	}
	if string(got[1].Data) != `{"cost":1}` || !got[1].Time.Equal(resp.Time) || got[1].Response != resp.Response {
		t.Errorf("the response: %+v", got[1])
	}
	if !slices.Equal(got[2].Calls, []string{"a"}) || !got[3].Final || got[3].Block.ToolUseID() != "a" || got[3].Time.IsZero() {
		t.Errorf("%+v, %+v", got[2], got[3])
	}
}

// The caller's records stay without a time, whichever of them has none.
func TestTimesAreTheLogs(t *testing.T) {
	for _, times := range [][]time.Time{{{}, time.Unix(1, 0)}, {time.Unix(1, 0), {}}} {
		log, records := memory.NewLog(), []memory.Record{input("a"), input("b")}
		for i := range records {
			records[i].Time = times[i]
		}
		appendAll(t, log, records...)
		for i, r := range log.Records(0) {
			if !records[i].Time.Equal(times[i]) || r.Time.IsZero() {
				t.Errorf("%v: record %d has %v, and %v in the log", times, i, records[i].Time, r.Time)
			}
		}
	}
}

// A child that was begun twice at the same time is one.
func TestChildIsOne(t *testing.T) {
	log, first := memory.NewLog(), memory.NewLog()
	second, err := log.Child("c", func() (*memory.Log, error) {
		_, err := log.Child("c", func() (*memory.Log, error) { return first, nil })
		return memory.NewLog(), err
	})
	if err != nil || second != first {
		t.Errorf("a second child took the place of the first: %v", err)
	}
	if _, err := log.Child("d", func() (*memory.Log, error) { return nil, io.EOF }); err != io.EOF {
		t.Errorf("%v", err)
	}
	for name, child := range log.Children() {
		if name != "c" || child != first {
			t.Errorf("the children have %s", name)
		}
	}
}

// A named blob is known by all of its bytes.
func TestNamedBlobs(t *testing.T) {
	b := memory.Blob{Data: []byte("abc")}.Named()
	if err := b.Check(); err != nil {
		t.Error(err)
	}
	shorter, other, empty := b, b, b
	shorter.Data = b.Data[:2]
	other.Data = []byte("xyz")
	empty.Data = nil
	renamed := memory.Blob{Data: []byte("xyz")}.Named()
	renamed.Name = b.Name
	for _, bad := range []memory.Blob{shorter, other, empty, renamed, {Name: "x", Data: b.Data}, {Data: b.Data}} {
		if err := bad.Check(); !errors.Is(err, memory.ErrCorrupt) {
			t.Errorf("%q of %q: %v", bad.Name, bad.Data, err)
		}
	}
}

// stumbling is a store of which one step fails.
type stumbling struct {
	*memory.RAM
	info    error
	load    error
	loading func()
}

func (s *stumbling) Info(ctx context.Context, id string) (memory.Info, error) {
	if err := s.info; err != nil {
		s.info = nil
		return memory.Info{}, err
	}
	return s.RAM.Info(ctx, id)
}

func (s *stumbling) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if do := s.loading; do != nil {
		s.loading = nil
		do()
	}
	if err := s.load; err != nil {
		s.load = nil
		return func(yield func(memory.Record, error) bool) { yield(memory.Record{}, err) }
	}
	return s.RAM.Load(ctx, id, from)
}

func TestOpenings(t *testing.T) {
	ctx, store := t.Context(), &stumbling{RAM: new(memory.RAM)}
	log, err := memory.OpenOrCreate(ctx, store, "s", &memory.Start{Meta: map[string]string{"k": "v"}})
	if err != nil || log.Len() != 0 || log.Meta()["k"] != "v" {
		t.Fatalf("%v", err)
	}
	appendAll(t, log, input("a"))
	down := fmt.Errorf("no connection: %w", memory.ErrUnavailable)
	store.info = down
	if l, err := memory.OpenOrCreate(ctx, store, "s", nil); !errors.Is(err, down) || l != nil {
		t.Errorf("a store that is down: %v", err)
	}
	store.load = down
	if l, err := memory.OpenOrCreate(ctx, store, "s", nil); !errors.Is(err, down) || l != nil {
		t.Errorf("a store that goes down: %v", err)
	}
	// A session that is replaced between the look at it and its records is opened.
	store.loading = func() {
		if err := errors.Join(store.Delete(ctx, "s"), store.Append(ctx, "s", memory.Position{}, input("another"))); err != nil {
			t.Error(err)
		}
	}
	again, err := memory.Open(ctx, store, "s")
	if err != nil || !slices.Equal(texts(again), []string{"another"}) {
		t.Fatalf("replaced: %v", err)
	}
	if err := log.Refresh(ctx); !errors.Is(err, memory.ErrReplaced) {
		t.Errorf("the log of the one before: %v", err)
	}
	// What others append that doesn't fit is named by its place in the session.
	if err := store.Append(ctx, "s", memory.Position{Records: 1}, input("fits"), result("x", "doesn't")); err != nil {
		t.Fatal(err)
	}
	var bad *memory.RecordError
	if err := again.Refresh(ctx); !errors.As(err, &bad) || bad.Record != 2 || again.Len() != 1 {
		t.Errorf("%v, %d records", err, again.Len())
	}
	if err := memory.NewLog().Refresh(ctx); err != nil {
		t.Errorf("a log without a store: %v", err)
	}
	fork, err := memory.ForkSession(ctx, store, "s", 1, "f", nil)
	if err != nil || fork.ID() != "f" || fork.Len() != 1 {
		t.Errorf("fork: %v", err)
	}
	// A log that is not there yet takes what begins meanwhile.
	early, err := memory.Create(store, "e", nil)
	if err == nil {
		err = errors.Join(early.Refresh(ctx), store.Append(ctx, "e", memory.Position{}, input("first")), early.Refresh(ctx))
	}
	if err != nil || early.Len() != 1 || early.Position().Incarnation == "" {
		t.Errorf("%v, %+v", err, early.Position())
	}
	appendAll(t, early, input("second"))
}

// A refusal in the middle of a turn takes back what waits for the service, and what is
// known of requests goes no further than that; the turn's words stay where it ends
// without the result.
func TestTurnsThatAreTakenBack(t *testing.T) {
	says := func(text string) string { return fmt.Sprintf(`{"type":"text","text":%q}`, text) }
	for name, tt := range map[string]struct {
		records      []memory.Record
		want         string
		sent, before int
		edits        int
	}{
		"refused": {[]memory.Record{response(t, "pause_turn", server), response(t, "refusal")}, "u q", 1, 1, 1},
		"refused, later": {[]memory.Record{response(t, "pause_turn", says("x"), server), response(t, "pause_turn", says("y")), response(t, "refusal")},
			"u q", 1, 1, 1},
		"refused, later still": {[]memory.Record{response(t, "pause_turn", says("x"), server), response(t, "pause_turn", says("y")), response(t, "pause_turn", says("z")), response(t, "refusal")},
			"u q", 1, 1, 1},
		"ended": {[]memory.Record{response(t, "pause_turn", says("x"), server), response(t, "end_turn", says("y"))},
			"u q; a x; a y", 1, 1, 1},
		"nothing is left of a part": {[]memory.Record{response(t, "pause_turn", server), response(t, "end_turn", says("y"))},
			"u q; a y", 1, 1, 1},
		"one of two is served": {[]memory.Record{response(t, "pause_turn", server, `{"type":"server_tool_use","id":"s2","name":"web_search","input":{}}`), response(t, "end_turn", served, says("y"))},
			"u q; a server_tool_use:s; a web_search_tool_result: y", 1, 1, 1},
		"white space is left of a part": {[]memory.Record{response(t, "pause_turn", says(" \n"), server), response(t, "end_turn", says("y"))},
			"u q; a y", 1, 1, 1},
		"served": {[]memory.Record{response(t, "pause_turn", server), response(t, "end_turn", served, says("y"))},
			"u q; a server_tool_use:s; a web_search_tool_result: y", 2, 1, 0},
	} {
		log := memory.NewLog()
		appendAll(t, log, input("q"))
		var before *memory.Log
		var was string
		var requests []memory.Request
		for i, r := range tt.records {
			if i == len(tt.records)-1 {
				before, was, requests = log.Fork(), wire(log), slices.Clone(log.State().Requests)
			}
			appendAll(t, log, r)
		}
		s := log.State()
		if got := wire(log); got != tt.want || s.Sent != tt.sent || s.Before != tt.before || s.Edits != tt.edits || s.Pending {
			t.Errorf("%s: %s, sent %d, before %d, %d edits, pending %v; want %s, %d, %d, %d", name, got, s.Sent, s.Before, s.Edits, s.Pending, tt.want, tt.sent, tt.before, tt.edits)
		}
		appendAll(t, log, input("more"))
		if got := wire(before); got != was || !slices.Equal(before.State().Requests, requests) {
			t.Errorf("%s: the fork before it: %s, was %s; %+v, were %+v", name, got, was, before.State().Requests, requests)
		}
	}
}

// A system message that came too early stands behind the next message of the user's,
// which may be results; until then it waits. One that follows the user's is no answer.
func TestSystemMessagesThatWait(t *testing.T) {
	system := func(text string) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.SystemText(text)}
	}
	log := memory.NewLog()
	appendAll(t, log, system("first"))
	if s := log.State(); !s.Waiting || s.Messages != 0 || s.Input {
		t.Errorf("alone: %+v", s)
	}
	appendAll(t, log, input("q"))
	if s := log.State(); s.Waiting || !s.Input || wire(log) != "u q; s first" {
		t.Errorf("behind the user's: %+v, %s", s, wire(log))
	}
	appendAll(t, log, system("second"))
	if s := log.State(); !s.Input {
		t.Errorf("one more: %+v", s)
	}
	appendAll(t, log, response(t, "end_turn", text), system("third"))
	if s := log.State(); !s.Waiting || s.Input {
		t.Errorf("behind a response: %+v", s)
	}
	appendAll(t, log, response(t, "tool_use", callA), result("a", "x"))
	if got, want := wire(log), "u q; s first; s second; a hm; a tool_use:a; u =a; s third"; got != want || log.State().Waiting {
		t.Errorf("%s, want %s", got, want)
	}
	log = memory.NewLog()
	appendAll(t, log, input("q"), memory.Record{Kind: memory.KindResponse, Response: inContainer(t, "c1", `"end_turn","content":[`+text+`]`)}, input("more"),
		memory.Record{Kind: memory.KindResponse, Response: inContainer(t, "", `"end_turn","content":[`+text+`]`)})
	if got := log.State().Container; got != "c1" {
		t.Errorf("the container is %q", got)
	}
}
