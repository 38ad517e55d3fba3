package agent

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/media"
)

// When a summary that failed is tried again, and what a note says of it.
func TestSummaryIsTriedAgain(t *testing.T) {
	for _, tt := range []struct {
		try  summaryTry
		size int64
		full bool
		want bool
	}{
		{summaryTry{}, 0, false, true},
		{summaryTry{failed: true}, 1, false, true},
		{summaryTry{failed: true, size: 800}, 899, false, false},
		{summaryTry{failed: true, size: 800}, 900, false, true},
		{summaryTry{failed: true, size: 800}, 824, true, false},
		{summaryTry{failed: true, size: 800}, 825, true, true},
		{summaryTry{failed: false, size: 800}, 1, false, true},
	} {
		if got := tt.try.again(tt.size, tt.full); got != tt.want {
			t.Errorf("%+v at %d, full %v: %v", tt.try, tt.size, tt.full, got)
		}
	}
	r := new(Run)
	note := r.unsummarized(12_345)
	if got := wasUnsummarized(note); got != r.summary || got != (summaryTry{failed: true, size: 12_345}) {
		t.Errorf("%+v, %+v", got, r.summary)
	}
}

// What counts as a summary, and what it takes the place of.
func TestWhatASummaryIs(t *testing.T) {
	compaction := `{"type":"compaction","content":"so far"}`
	words := `{"type":"text","text":"so far"}`
	for _, tt := range []struct {
		name, stop string
		content    []string
		role       transport.Role
	}{
		{"the service's", "compaction", []string{compaction}, "assistant"},
		{"behind thinking", "compaction", []string{`{"type":"thinking","thinking":"","signature":"s"}`, compaction}, "assistant"},
		{"an empty one", "compaction", []string{`{"type":"compaction","content":null}`}, ""},
		{"none", "compaction", []string{words}, ""},
		{"a block of it in an answer", "end_turn", []string{compaction}, ""},
		{"the model's", "end_turn", []string{words}, "user"},
		{"of white space", "end_turn", []string{`{"type":"text","text":" \n"}`}, ""},
		{"with a call", "end_turn", []string{words, aCall}, ""},
		{"cut off", "max_tokens", []string{words}, ""},
		{"a call", "tool_use", []string{words, aCall}, ""},
		{"a refusal", "refusal", []string{words}, ""},
	} {
		m, ok := summaryOf(stopped(t, tt.stop, "", tt.content...))
		if ok != (tt.role != "") || m.Role != tt.role {
			t.Errorf("%s: %v, %+v", tt.name, ok, m)
		}
	}
	user, model := transport.UserText("q"), transport.Message{Role: "assistant", Content: []transport.Block{transport.Text("a")}}
	search, call := `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`
	found := `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`
	says := func(blocks ...string) transport.Message {
		m := transport.Message{Role: "assistant"}
		for _, b := range blocks {
			m.Content = append(m.Content, parsed(t, b))
		}
		return m
	}
	for _, tt := range []struct {
		name     string
		messages []transport.Message
		requests []int
		want     int
	}{
		{"the newest step is kept", []transport.Message{user, model, user, model, user}, []int{1, 3}, 3},
		{"after a paused turn", []transport.Message{user, model, user, model, model, user}, []int{1, 3, 4}, 3},
		{"nothing behind it", []transport.Message{user, model, user}, []int{1, 3}, 1},
		{"nothing was sent", []transport.Message{user}, nil, 0},
		{"a log that is shorter now", []transport.Message{user}, []int{1, 3}, 0},
		{"an empty request", []transport.Message{model, user}, []int{0}, 0},
		{"a search with its result", []transport.Message{user, model, user, says(search, found), user}, []int{1, 3}, 3},
		{"the result of a search before", []transport.Message{user, says(search, call), user, says(found), user}, []int{1, 3}, 1},
		{"there and further back", []transport.Message{user, says(search, call), user, says(call), user, says(found), user}, []int{1, 3, 5}, 1},
		{"a result whose call is gone", []transport.Message{user, model, user, says(found), user}, []int{1, 3}, 0},
		{"an input behind it", []transport.Message{user, user, model}, []int{1}, 0},
	} {
		var s memory.State
		for _, n := range tt.requests {
			s.Requests = append(s.Requests, memory.Request{Messages: n})
		}
		if got := ownSummary(tt.messages, s); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// A summary loses what was said with the authority of the system: it is given again.
func TestStillInForce(t *testing.T) {
	removal := parsed(t, `{"type":"tool_removal","tool":{"name":"f"}}`)
	system := func(b ...transport.Block) transport.Message {
		return transport.Message{Role: "system", Content: b}
	}
	user, model := transport.UserText("q"), transport.Message{Role: "assistant", Content: []transport.Block{transport.Text("a")}}
	passing := system(transport.Text("now"))
	passing.ClearAt = "next_user_message"
	list := []transport.Message{user, system(transport.Text("one"), removal), model, user, system(removal), system(transport.Text("two")), user}
	words := func(records []memory.Record) string {
		var said []string
		for _, r := range records {
			if r.Kind != memory.KindInput || r.Message.Role != "system" {
				t.Errorf("%+v", r)
			}
			said = append(said, fmt.Sprintf("%s/%d", r.Message.Text(), len(r.Message.Content)))
		}
		return strings.Join(said, " ")
	}
	for _, tt := range []struct {
		n     int
		keeps bool
		want  string
	}{
		{0, false, ""}, {1, false, ""}, {2, false, "one/2 /1 two/1"}, {2, true, "one/1 two/1"}, {6, false, "one/2 /1 two/1"}, {6, true, "one/1 two/1"},
	} {
		if got := words(stillInForce(list, tt.n, tt.keeps)); got != tt.want {
			t.Errorf("the first %d, changes kept %v: %q, want %q", tt.n, tt.keeps, got, tt.want)
		}
		if got := words(stillInForce(append(list, passing), tt.n, tt.keeps)); got != tt.want {
			t.Errorf("the first %d, changes kept %v, in front of a reminder: %q, want %q", tt.n, tt.keeps, got, tt.want)
		}
	}
	said := []transport.Message{user, system(transport.Text("one")), user, system(transport.Text("two")), user, system(transport.Text("one"))}
	if got := words(stillInForce(said, 2, false)); got != "two/1 one/1" {
		t.Errorf("what was said once more: %q", got)
	}
	if c := list[1].Content; len(c) != 2 || c[1].Type() != removal.Type() {
		t.Errorf("the log's message was changed: %v", c)
	}
	if got := stillInForce(list[:3], 2, false); got != nil {
		t.Errorf("behind the model's words: %v", got)
	}
}

// Results are cut at the limit, over all their blocks, between runes, and what is cut is
// told once.
func TestLimitOfResults(t *testing.T) {
	takes := media.LimitsFor(200_000)
	run := func(most int, texts ...string) (string, []string) {
		var res tools.Result
		for _, s := range texts {
			res.Content = append(res.Content, transport.Text(s))
		}
		var got []string
		all := ""
		for _, b := range limit(outcome{result: res}, takes, most).Content {
			s := transport.Message{Content: []transport.Block{b}}.Text()
			got = append(got, s)
			all += s
		}
		return all, got
	}
	for _, tt := range []struct {
		name  string
		most  int
		texts []string
		begin string
		cut   string // what the notice says of bytes; "" if nothing is cut
		n     int
	}{
		{"it fits", 10, []string{"0123456789"}, "0123456789", "", 1},
		{"one too many", 9, []string{"0123456789"}, "012345678\n[cut", "has 10 bytes, the first 9", 1},
		{"in a rune", 9, []string{"01234567é9"}, "01234567\n[cut", "has 11 bytes, the first 8", 1},
		{"no limit", -1, []string{strings.Repeat("x", 1<<16)}, "xxx", "", 1},
		{"nothing", 0, []string{"0"}, "\n[cut", "has 1 bytes, the first 0", 1},
		{"quotes count as one", 4, []string{`""""`}, `""""`, "", 1},
	} {
		all, got := run(tt.most, tt.texts...)
		if !strings.HasPrefix(all, tt.begin) || !strings.Contains(all, tt.cut) || strings.Contains(all, "[cut") != (tt.cut != "") || len(got) != tt.n || !utf8.ValidString(all) {
			t.Errorf("%s: %q", tt.name, all)
		}
	}
	big := strings.Repeat("x", 200)
	if all, got := run(300, big, big, big); len(got) != 2 || strings.Count(all, "[cut") != 1 {
		t.Errorf("%d blocks: %q", len(got), all)
	}
	for _, tt := range []struct {
		o    outcome
		want string
	}{
		{outcome{err: fmt.Errorf("no")}, "no"}, {outcome{err: fmt.Errorf(" ")}, "the tool failed and did not say why"},
		{outcome{err: fmt.Errorf("no"), result: tools.Text("yes")}, "no"},
	} {
		if res := limit(tt.o, takes, -1); !res.IsError || (transport.Message{Content: res.Content}).Text() != tt.want {
			t.Errorf("%+v", res)
		}
	}
	if res := limit(outcome{result: tools.Text("yes")}, takes, -1); res.IsError {
		t.Error("a result is an error")
	}
}

// The model is shown the beginning and the end of what is kept elsewhere.
func TestPreview(t *testing.T) {
	text := strings.Repeat("a", 60) + "\n" + strings.Repeat("b", 39)
	got := preview("3-c", text, 100, 40)
	for _, want := range []string{"has 100 bytes in 2 lines", "Bytes 0 to 30 and 90 to the end", `id "3-c"`, "\n" + strings.Repeat("a", 30) + "\n[…]\n" + strings.Repeat("b", 10)} {
		if !strings.Contains(got, want) {
			t.Errorf("%q has no %q", got, want)
		}
	}
	if strings.Contains(got, "were kept") || !strings.Contains(preview("3-c", text, 99, 40), "Only the first 99 bytes were kept.") {
		t.Error("what was not kept is told, and nothing else")
	}
	if got := preview("3-c", "0123", 4, 400); !strings.HasSuffix(got, "\n0123\n[…]\n") {
		t.Errorf("a text that is shorter than the preview stands there twice: %q", got)
	}
	if got := preview("3-c", strings.Repeat("é", 100), 200, 7); !utf8.ValidString(got) {
		t.Errorf("%q", got)
	}
}

// A summary that came settles one that failed before it, for a run that goes on too.
func TestASummaryAfterOneThatFailed(t *testing.T) {
	r := made(t, Options{}).NewRun(Input{Log: talked(t)})
	failed := r.unsummarized(50_000)
	for _, tt := range []struct {
		name string
		more []memory.Record
		want summaryTry
	}{
		{"one that failed", []memory.Record{failed}, summaryTry{failed: true, size: 50_000}},
		{"and one that came", []memory.Record{failed, {Kind: memory.KindSummary, Message: transport.UserText("so far"), Replaces: 4}}, summaryTry{}},
		{"and another run", []memory.Record{failed, {Kind: memory.KindRun, Limits: new(memory.Limits)}}, summaryTry{}},
	} {
		r := made(t, Options{}).NewRun(Input{Log: talked(t, tt.more...)})
		if r.replay(); r.summary != tt.want {
			t.Errorf("%s: %+v", tt.name, r.summary)
		}
	}
}

// A prompt that was paid for again is in the run's result as well as in the event.
func TestMissesAreKept(t *testing.T) {
	first, second := stopped(t, "end_turn", ""), stopped(t, "end_turn", "")
	first.Usage.CacheCreationInputTokens = 10_000
	r := made(t, Options{}).NewRun(Input{Log: talked(t)})
	r.record = 4
	m := r.missed(first, time.Now(), second, time.Now())
	if m == nil || len(r.result.Misses) != 1 || r.result.Misses[0] != *m || m.Tokens != 10_000 {
		t.Errorf("%+v, the result has %+v", m, r.result.Misses)
	}
	if m := r.missed(nil, time.Time{}, second, time.Now()); m != nil || len(r.result.Misses) != 1 {
		t.Errorf("without a response before: %+v", m)
	}
}
