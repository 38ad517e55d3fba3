package memory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
)

// What a run's limits are judged by: counts in a row end with the first response that is
// otherwise, and all of them with the run.
func TestCountsOfARun(t *testing.T) {
	const bad = `{"type":"tool_use","id":"a","name":"f","input":{"INVALID_JSON":"{"}}`
	const other = `{"type":"tool_use","id":"b","name":"f","input":{"INVALID_JSON":"["}}`
	failed := func(id string) memory.Record {
		return memory.Record{Kind: memory.KindResult, Block: transport.ToolCall{ID: id}.AnswerError(transport.Text("no JSON"))}
	}
	run := memory.Record{Kind: memory.KindRun}
	for _, tt := range []struct {
		name    string
		records []memory.Record
		want    memory.Counts
	}{
		{"nothing", []memory.Record{run, input("q")}, memory.Counts{}},
		{"steps", []memory.Record{run, input("q"), response(t, "tool_use", callA), result("a", "1"), response(t, "end_turn", text)}, memory.Counts{Steps: 2}},
		{"pauses", []memory.Record{input("q"), response(t, "pause_turn", server), response(t, "pause_turn", served)}, memory.Counts{Steps: 2, Pauses: 2}},
		{"a pause that is over", []memory.Record{input("q"), response(t, "pause_turn", server), response(t, "end_turn", served, text)}, memory.Counts{Steps: 2}},
		{"cut in a call", []memory.Record{input("q"), response(t, "max_tokens", callA), failed("a"), response(t, "max_tokens", callA)}, memory.Counts{Steps: 2, Cuts: 2}},
		{"cut in a text", []memory.Record{input("q"), response(t, "max_tokens", text)}, memory.Counts{Steps: 1}},
		{"no call", []memory.Record{input("q"), response(t, "tool_use"), response(t, "tool_use", text)}, memory.Counts{Steps: 2, Empty: 2}},
		{"a call", []memory.Record{input("q"), response(t, "tool_use"), response(t, "tool_use", callA)}, memory.Counts{Steps: 2}},
		{"no JSON", []memory.Record{input("q"), response(t, "tool_use", bad), failed("a"), response(t, "tool_use", bad), failed("a")}, memory.Counts{Steps: 2, Malformed: 2}},
		{"no JSON in the first of two calls", []memory.Record{input("q"), response(t, "tool_use", bad, callB), failed("a"), result("b", "1")}, memory.Counts{Steps: 1, Malformed: 1}},
		{"no JSON, unanswered", []memory.Record{input("q"), response(t, "tool_use", bad, other), failed("a")}, memory.Counts{Steps: 1}},
		{"no JSON, then a good call", []memory.Record{input("q"), response(t, "tool_use", bad), failed("a"), response(t, "tool_use", callB), result("b", "1")}, memory.Counts{Steps: 2}},
		{"no JSON, repaired", []memory.Record{input("q"), response(t, "tool_use", bad), result("a", "1")}, memory.Counts{Steps: 1}},
		{"a good call that fails", []memory.Record{input("q"), response(t, "tool_use", callA), failed("a")}, memory.Counts{Steps: 1}},
		{"the next run", []memory.Record{input("q"), response(t, "pause_turn", server), run}, memory.Counts{}},
	} {
		log := memory.NewLog()
		if err := log.Append(t.Context(), tt.records...); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := log.State().Counts; got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// sized is a response with a usage.
func sized(t *testing.T, content, usage string) memory.Record {
	t.Helper()
	return memory.Record{Kind: memory.KindResponse, Response: parseResponse(t, `{"id":"m","type":"message","role":"assistant","model":"m","content":[`+content+`],"stop_reason":"end_turn","usage":`+usage+`}`)}
}

// What the planner of the prompt cache reads of the requests so far.
func TestRequestsAreWhatWasSent(t *testing.T) {
	at := time.Date(2026, 11, 28, 1, 2, 3, 0, time.UTC)
	timed := func(r memory.Record, minute int) memory.Record {
		r.Time = at.Add(time.Duration(minute) * time.Minute)
		return r
	}
	run := func(model string) memory.Record {
		return memory.Record{Kind: memory.KindRun, Data: []byte(`{"model":"` + model + `"}`)}
	}
	warm := memory.Record{Kind: memory.KindNote, Note: notes.Warm}
	log := memory.NewLog()
	for i, r := range []memory.Record{
		run("a"), input("q"),
		sized(t, text, `{"input_tokens":7,"cache_creation_input_tokens":50,"cache_read_input_tokens":600,"output_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30}}`),
		run("b"), input("q"),
		sized(t, server+","+served+","+text, `{"input_tokens":1,"cache_creation_input_tokens":5,"cache_creation":{"ephemeral_1h_input_tokens":9}}`),
		run("a"), input("q"), sized(t, text, `{"input_tokens":4}`),
		{Kind: memory.KindRun}, input("q"), sized(t, text, `{"input_tokens":5}`), // as the run before
	} {
		mustAppend(t, log, timed(r, i))
	}
	want := []memory.Request{
		{At: at.Add(1 * time.Minute), Messages: 1, Prompt: 657, Read: 600, Written5m: 20, Written1h: 30, Config: 1},
		{At: at.Add(4 * time.Minute), Messages: 3, Prompt: 6, Written5m: 0, Written1h: 5, Sums: true, Config: 2},
		{At: at.Add(7 * time.Minute), Messages: 5, Prompt: 4, Config: 1},
		{At: at.Add(10 * time.Minute), Messages: 7, Prompt: 5, Config: 1},
	}
	before := log.State()
	if !slices.Equal(before.Requests, want) || len(before.Configs) != 2 || before.Sent != 7 || before.Before != 5 {
		t.Errorf("%d configurations, sent %d, before %d, requests\n%+v, want\n%+v", len(before.Configs), before.Sent, before.Before, before.Requests, want)
	}
	// The newest one is fresh again once it was read, and never older than it was.
	fork := log.Fork()
	mustAppend(t, log, timed(warm, 60))
	mustAppend(t, log, timed(warm, 30))
	warmed := slices.Clone(want)
	warmed[3].At = at.Add(time.Hour)
	if got := log.State().Requests; !slices.Equal(got, warmed) {
		t.Errorf("kept warm:\n%+v, want\n%+v", got, warmed)
	}
	if got := fork.State().Requests; !slices.Equal(got, want) || !slices.Equal(before.Requests, want) {
		t.Errorf("a note in the log changed the fork's requests or an earlier state's:\n%+v\n%+v", got, before.Requests)
	}
}

// A summary stands for the first messages, all of them too, and nothing that was sent
// before it counts any more.
func TestSummaryTakesThePlaceOfTheFirst(t *testing.T) {
	summary := func(n int, text string) memory.Record {
		r := memory.Record{Kind: memory.KindSummary, Replaces: n, Message: transport.UserText(text)}
		if text == "" {
			r.Message.Content = nil
		}
		return r
	}
	begin := []memory.Record{input("q"), response(t, "tool_use", callA), result("a", "1"), response(t, "end_turn", text), input("more")}
	const whole = "u q; a tool_use:a; u =a; a hm; u more"
	for _, tt := range []struct {
		r       memory.Record
		want    string
		refused string
	}{
		{summary(1, "s"), "u s; a tool_use:a; u =a; a hm; u more", ""},
		{summary(3, "s"), "u s; a hm; u more", ""},
		{summary(5, "s"), "u s", ""},
		{summary(6, "s"), whole, "there are 5"},
		{summary(0, "s"), whole, "there are 5"},
		{summary(2, "s"), whole, "parts calls from their results"},
		{summary(1, ""), whole, "needs content"},
	} {
		log := memory.NewLog()
		if err := log.Append(t.Context(), begin...); err != nil {
			t.Fatal(err)
		}
		fork := log.Fork()
		err := log.Append(t.Context(), tt.r)
		if (err == nil) != (tt.refused == "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("of %d: %v, want %q", tt.r.Replaces, err, tt.refused)
		}
		if got := wire(log); got != tt.want || wire(fork) != whole {
			t.Errorf("of %d: %s, want %s; the fork has %s", tt.r.Replaces, got, tt.want, wire(fork))
		}
		if s := log.State(); err == nil && (s.Sent != 0 || s.Before != 0 || len(s.Requests) != 0 || s.Edits != 1) {
			t.Errorf("of %d: sent %d, before %d, requests %+v, %d edits", tt.r.Replaces, s.Sent, s.Before, s.Requests, s.Edits)
		}
	}
	for name, open := range map[string]memory.Record{"calls": response(t, "tool_use", callA), "a paused turn": response(t, "pause_turn", server)} {
		log := memory.NewLog()
		if err := log.Append(t.Context(), input("q"), open); err != nil {
			t.Fatal(err)
		}
		if err := log.Append(t.Context(), summary(1, "s")); err == nil || !strings.Contains(err.Error(), "while calls are unanswered") {
			t.Errorf("behind %s: %v", name, err)
		}
	}
	// What waited for the user's next message is summarized with the rest.
	log := memory.NewLog()
	if err := log.Append(t.Context(), input("q"), response(t, "tool_use", text), summary(1, "s"), input("and?")); err != nil {
		t.Fatal(err)
	}
	if got := wire(log); got != "u s; u and?" {
		t.Errorf("behind a response that has nothing to go on from: %s", got)
	}
}

// A decision is for one call, with the arguments that were asked about, and once.
func TestDecisionsAreBoundToWhatWasAsked(t *testing.T) {
	asks := func(id, hash string) memory.Record {
		return memory.Record{Kind: memory.KindApprovalRequest, ApprovalRequests: []memory.ApprovalRequest{{CallID: id, Hash: hash, Reason: "why " + id}}}
	}
	decides := func(id, hash string) memory.Record {
		return memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: id, Hash: hash, Approve: true}}
	}
	log := memory.NewLog()
	if err := log.Append(t.Context(), input("q"), response(t, "tool_use", callA, callB), asks("a", "00"), asks("b", "01")); err != nil {
		t.Fatal(err)
	}
	refused := func(r memory.Record, want string) {
		t.Helper()
		if err := log.Append(t.Context(), r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	refused(decides("a", "01"), "for other arguments")
	refused(decides("none", "00"), "no open tool call")
	refused(memory.Record{Kind: memory.KindDecision}, "no decision")
	fork := log.Fork()
	mustAppend(t, log, decides("b", "01"))
	refused(decides("b", "01"), "decided already")
	denied := log.Fork()
	mustAppend(t, denied, memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "a", Hash: "00"}})
	if err := denied.Append(t.Context(), decides("a", "00")); err == nil || !strings.Contains(err.Error(), "decided already") {
		t.Errorf("what was denied is approved: %v", err)
	}
	open := log.State().Open
	if len(open) != 2 || open[0].Decision != nil || open[1].Decision == nil || open[1].ID != "b" || open[1].ApprovalRequest.Reason != "why b" || open[0].Started {
		t.Errorf("open: %+v", open)
	}
	if open := fork.State().Open; open[1].Decision != nil {
		t.Error("a decision in the log is one in its fork")
	}
	mustAppend(t, fork, memory.Record{Kind: memory.KindStarted, Calls: []string{"a"}})
	if open := log.State().Open; open[0].Started {
		t.Error("a call that was started in the fork is started in the log")
	}
	refused(memory.Record{Kind: memory.KindStarted, Calls: []string{"a", "none"}}, "no open tool call")
	if open := log.State().Open; open[0].Started {
		t.Error("a record that was refused has started a call")
	}
	refused(memory.Record{Kind: memory.KindResult, Block: transport.Text("no result")}, "not a tool_result")
	refused(memory.Record{Kind: memory.KindResult, Block: parseBlock(t, `{"type":"tool_result","content":"x"}`)}, "not a tool_result")
}

// Two calls of one id could not both be answered.
func TestCallsOfOneID(t *testing.T) {
	log := memory.NewLog()
	mustAppend(t, log, input("q"))
	if err := log.Append(t.Context(), response(t, "tool_use", callA, callB, callA)); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("%v", err)
	}
}

// A tool that ends the run has ended it, even if another's result comes behind its own.
func TestFinalStaysFinal(t *testing.T) {
	final := result("a", "1")
	final.Final = true
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindRun}, input("q"), response(t, "tool_use", callA, callB), final, result("b", "2")); err != nil {
		t.Fatal(err)
	}
	if !log.State().Final {
		t.Error("the last result took it back")
	}
}

// A message of the inbox comes into the log once, and none that is older than one there.
func TestInboxNumbersRise(t *testing.T) {
	numbered := func(n int64) memory.Record {
		r := input(fmt.Sprint("m", n))
		r.Queued = n
		return r
	}
	log := memory.NewLog()
	mustAppend(t, log, numbered(5))
	for _, n := range []int64{5, 4} {
		if err := log.Append(t.Context(), numbered(n)); err == nil || !strings.Contains(err.Error(), "in the log already") {
			t.Errorf("%d behind 5: %v", n, err)
		}
	}
	mustAppend(t, log, input("not of the inbox"))
	if got := log.State().Queued; got != 5 {
		t.Errorf("the newest is %d", got)
	}
	mustAppend(t, log, numbered(6))
	if got := log.State().Queued; got != 6 {
		t.Errorf("the newest is %d", got)
	}
}

// Payloads that stand elsewhere make a record that can't be sent.
func TestRecordsWithBlobsAreRefused(t *testing.T) {
	r := input("x")
	r.Aside = []string{"sha256:00"}
	if err := memory.NewLog().Append(t.Context(), r); err == nil || !strings.Contains(err.Error(), "package memory/blob") {
		t.Errorf("%v", err)
	}
}

// Forks of one log, each of which goes on, don't write into each other's lists.
func TestForksHaveListsOfTheirOwn(t *testing.T) {
	began := func(child string) memory.Record {
		return memory.Record{Kind: memory.KindNote, Note: notes.Began, Data: []byte(`{"child":"` + child + `"}`)}
	}
	run := func(model string) memory.Record {
		return memory.Record{Kind: memory.KindRun, Data: []byte(`{"model":"` + model + `"}`)}
	}
	system := func(text string) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.SystemText(text)}
	}
	tell := func(log *memory.Log) string {
		s := log.State()
		var requests []int
		for _, r := range s.Requests {
			requests = append(requests, r.Messages)
		}
		return fmt.Sprint(wire(log), s.Background, s.Configs, requests, s.Omitted)
	}
	// Many lengths, as a list that happens to be full is never written into.
	for n := range 9 {
		base := memory.NewLog()
		mustAppend(t, base, run("first"))
		mustAppend(t, base, system("early"))
		for i := range n {
			for _, r := range []memory.Record{began(fmt.Sprint("child", i)), run(fmt.Sprint("m", i)), input(fmt.Sprint("q", i)), response(t, "end_turn", text)} {
				mustAppend(t, base, r)
			}
			mustAppend(t, base, leftOut(omit.Omission{Containers: []string{fmt.Sprint("c", i)}}))
		}
		more := func(log *memory.Log, name string) {
			t.Helper()
			for _, r := range []memory.Record{
				began(name), run(name), system("s " + name), input(name), response(t, "tool_use", callA), input("wait " + name), system("later " + name), result("a", name),
				response(t, "end_turn", text), leftOut(omit.Omission{Containers: []string{name}, MCPServers: []string{name}}),
			} {
				mustAppend(t, log, r)
			}
		}
		before := tell(base)
		one, two := base.Fork(), base.Fork()
		more(one, "one")
		first := tell(one)
		more(two, "two")
		more(base, "own")
		if got := tell(one); got != first || strings.Contains(got, "two") || strings.Contains(got, "own") {
			t.Errorf("%d: the first fork was\n%s, and is\n%s", n, first, got)
		}
		if got := tell(two); strings.Contains(got, "one") || strings.Contains(got, "own") {
			t.Errorf("%d: the second fork is\n%s", n, got)
		}
		again, err := base.ForkAt(base.Len() - 10)
		if err != nil {
			t.Fatal(err)
		}
		if got := tell(again); got != before {
			t.Errorf("%d: forked at its old end, it is\n%s, and was\n%s", n, got, before)
		}
	}
}

// Positions are those of the whole log, through all that it was forked from.
func TestRecordsFromAPosition(t *testing.T) {
	log := memory.NewLog()
	note := func(n int) memory.Record { return memory.Record{Kind: memory.KindNote, Note: fmt.Sprint(n)} }
	for n := range 7 {
		mustAppend(t, log, note(n))
		if n == 2 || n == 4 {
			log = log.Fork()
		}
	}
	for from := range 9 {
		for _, log := range []*memory.Log{log, log.Fork()} {
			n := max(0, from)
			for i, r := range log.Records(from) {
				if i != n || r.Note != fmt.Sprint(n) {
					t.Errorf("from %d: record %d is %q at %d", from, n, r.Note, i)
				}
				n++
			}
			if n != max(7, from) {
				t.Errorf("from %d: ended at %d", from, n)
			}
		}
	}
	for n := range 8 {
		at, err := log.ForkAt(n)
		if err != nil {
			t.Fatalf("at %d: %v", n, err)
		}
		mustAppend(t, at, memory.Record{Kind: memory.KindNote, Note: "other"})
		var got []string
		for _, r := range at.Records(0) {
			got = append(got, r.Note)
		}
		if want := append(strings.Fields("0 1 2 3 4 5 6")[:n:n], "other"); !slices.Equal(got, want) || at.Len() != n+1 {
			t.Errorf("forked at %d: %q, %d records", n, got, at.Len())
		}
	}
	for _, n := range []int{-1, 8} {
		if _, err := log.ForkAt(n); err == nil {
			t.Errorf("forked at %d of 7", n)
		}
	}
	for i, r := range log.Records(0) {
		if r.Note != fmt.Sprint(i) {
			t.Errorf("a fork wrote %q at %d into the log", r.Note, i)
		}
	}
}

// An approval is of one call only: of its id, its name, its toolset, and its arguments as
// they are written, whose boundaries count.
func TestHashCallTellsCallsApart(t *testing.T) {
	seen := map[string]transport.ToolCall{}
	for _, c := range []transport.ToolCall{
		{ID: "a", Toolset: "b", Name: "c", Input: []byte(`{}`)},
		{ID: "x", Toolset: "b", Name: "c", Input: []byte(`{}`)},
		{ID: "a", Toolset: "x", Name: "c", Input: []byte(`{}`)},
		{ID: "a", Toolset: "b", Name: "x", Input: []byte(`{}`)},
		{ID: "a", Toolset: "b", Name: "c", Input: []byte(`{ }`)},
		{ID: "a", Toolset: "", Name: "bc", Input: []byte(`{}`)},
		{ID: "ab", Toolset: "", Name: "c", Input: []byte(`{}`)},
		{ID: "a", Toolset: "b", Name: "c{", Input: []byte(`}`)},
	} {
		h := memory.HashCall(c)
		if other, ok := seen[h]; ok {
			t.Errorf("%+v has the hash of %+v", c, other)
		}
		seen[h] = c
	}
	// Decisions wait in stores: the hash is the same in all versions.
	if got, want := memory.HashCall(transport.ToolCall{ID: "toolu_1", Name: "pay", Input: []byte(`{"usd":1}`)}), "78d1df4f12bc92fcafb1eabf0f41d01c09cc7bf5a3e35d29fe8df314b7b87c2e"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
