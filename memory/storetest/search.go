package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/transport"
)

// RunSearcher runs the tests of [search.Searcher].
func RunSearcher(t *testing.T, open func(t *testing.T) memory.Store) {
	_, err := skipWithout[search.Searcher](t, open).Search(ctx, search.Query{Words: "x"})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err) // a wrapper that can't, whatever is inside
	}
	run(t, open, test{"search", testSearch}, test{"a tree that was deleted", testSearchTree},
		test{"matches", testSearchMatches})
}

func testSearch(t *testing.T, s under) {
	says := func(id string, n int, text string) {
		t.Helper()
		must(t, s.Append(ctx, id, n, memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}))
	}
	find := func(q search.Query) string {
		t.Helper()
		matches, err := need[search.Searcher](s).Search(ctx, q)
		must(t, err)
		var list []string
		for _, m := range matches {
			list = append(list, fmt.Sprintf("%s/%d", m.Session, m.Record))
		}
		return strings.Join(list, " ")
	}
	expect := func(words, want string) {
		t.Helper()
		if got := find(search.Query{Words: words}); got != want {
			t.Errorf("%q: found %q, want %q", words, got, want)
		}
	}
	resp, err := transport.ParseResponse([]byte(`{"id":"m","content":[{"type":"text","text":"Try the Äpfel at Main Street."}],"stop_reason":"end_turn","usage":{}}`))
	must(t, err)

	expect("anything", "")
	says("ann", 0, "Where do I buy apples and pears?")
	must(t, s.Append(ctx, "ann", 1, memory.Record{Kind: memory.KindResponse, Response: resp}, note("apples"),
		memory.Record{Kind: memory.KindResult, Block: transport.ToolResult("x", transport.Text("apples"))}))
	says("bob", 0, "I like apples, apples, apples")
	must(t, s.SetMeta(ctx, "bob", "user", "bob"))
	expect("street", "ann/1")
	expect("äpfel", "ann/1")
	expect("apfel", "ann/1")
	if got := strings.Fields(find(search.Query{Words: "PEARS street"})); len(got) != 2 {
		t.Errorf("one word of each: %q", got)
	}
	expect("nothing of it", "")
	expect(`"; ' OR * NEAR( - --`, "")
	expect("", "")
	expect("\u0301 \u0308", "")
	if got := strings.Fields(find(search.Query{Words: "apples " + strings.Repeat("zzz ", 20_000)})); len(got) != 2 {
		t.Errorf("among 20,000 words: %q", got)
	}
	expect("pears "+strings.Repeat("z", 20_000), "ann/0") // such as a picture's base64
	expect(strings.Repeat("z", 20_000), "")
	if got := find(search.Query{Words: "apples", Meta: map[string]string{"user": "bob"}}); got != "bob/0" {
		t.Errorf("bob's apples: %q", got)
	}
	if got := find(search.Query{Words: "apples", Meta: map[string]string{"user": ""}}); got != "" {
		t.Errorf("nobody's apples: %q", got)
	}
	if got := strings.Fields(find(search.Query{Words: "apples"})); len(got) != 2 {
		t.Errorf("apples: %q", got)
	}
	if got := strings.Fields(find(search.Query{Words: "apples", Limit: 1})); len(got) != 1 {
		t.Errorf("at most one: %q", got)
	}
	matches, err := need[search.Searcher](s).Search(ctx, search.Query{Words: "main"})
	must(t, err)
	if len(matches) != 1 || matches[0].Role != "assistant" || matches[0].Text != "Try the Äpfel at Main Street." {
		t.Errorf("matches %+v", matches)
	}

	// What comes later is found too; a fork only with what is its own.
	says("bob", 1, "and zucchini")
	expect("zucchini", "bob/1")
	must(t, s.Fork(ctx, "bob", 2, "fork"))
	says("fork", 2, "and zucchini again")
	if got := strings.Fields(find(search.Query{Words: "zucchini"})); len(got) != 2 {
		t.Errorf("zucchini: %q", got)
	}
	// What is deleted is not found, and the rest still is.
	must(t, s.Delete(ctx, "bob"))
	expect("zucchini", "fork/2")
	must(t, s.Delete(ctx, "fork"))
	expect("zucchini", "")
	expect("pears", "ann/0")

	for i := range 700 {
		says("long", i, fmt.Sprintf("number%d of many", i))
	}
	expect("number699", "long/699")
}
