package citations_test

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools/citations"
	"github.com/whorl-go/whorl/transport"
)

// cited is a text block with citations.
func cited(t testing.TB, text string, cites ...string) transport.Block {
	return block(t, `{"type":"text","text":"`+text+`","citations":[`+strings.Join(cites, ",")+`]}`)
}

// The sources of an answer are as many as it names, whatever they lack.
func TestSourcesAreToldApart(t *testing.T) {
	user := []transport.Message{{Role: transport.RoleUser, Content: []transport.Block{
		block(t, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"one"},"title":"notes"}`),
		block(t, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"two"},"title":"notes"}`),
		block(t, `{"type":"search_result","source":"own","title":"R","content":[{"type":"text","text":"three"}]}`),
	}}}
	const first = `{"type":"char_location","cited_text":"one","document_index":0,"start_char_index":0,"end_char_index":3}`
	a := citations.Read(user, []transport.Block{
		cited(t, "A", first, `{"type":"char_location","cited_text":"two","document_index":1,"start_char_index":0,"end_char_index":3}`),
		cited(t, "B", first, `{"type":"search_result_location","cited_text":"three","source":"own","title":"R","search_result_index":0}`),
		cited(t, "C", `{"type":"char_location","cited_text":"one","document_index":0,"document_title":"named by the service","start_char_index":0,"end_char_index":3}`),
	})
	want := []citations.Source{{Number: 1, Title: "notes"}, {Number: 2, Title: "notes"}, {Number: 3, Title: "R", URL: "own"}, {Number: 4, Title: "named by the service"}}
	if len(a.Sources) != len(want) {
		t.Fatalf("%d sources, want %d", len(a.Sources), len(want))
	}
	for i, w := range want {
		if *a.Sources[i] != w {
			t.Errorf("source %d is %+v, want %+v", i, *a.Sources[i], w)
		}
	}
	for i, number := range []int{1, 2, 1, 3, 4} {
		if c := a.Citations[i]; c.Source.Number != number || c.Status != citations.Verified {
			t.Errorf("citation %d is of source %d, %s; want %d, verified", i, c.Source.Number, c.Status, number)
		}
	}
	if d := a.Doubtful(); d != nil {
		t.Errorf("doubtful: %+v", d)
	}
}

// A text that is there and empty is another thing than one that isn't there.
func TestEmptySource(t *testing.T) {
	user := []transport.Message{{Role: transport.RoleUser, Content: []transport.Block{
		block(t, `{"type":"search_result","source":"own","title":"R","content":[]}`),
		block(t, `{"type":"document","source":{"type":"file","file_id":"file_1"},"title":"upload"}`),
		block(t, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"whole"},"title":"last"}`),
	}}}
	a := citations.Read(user, []transport.Block{cited(t, "x",
		`{"type":"search_result_location","cited_text":"words","source":"own","search_result_index":0}`,
		`{"type":"page_location","cited_text":"words","document_index":0}`,
		`{"type":"char_location","cited_text":"whole","document_index":1,"start_char_index":0,"end_char_index":5}`,
		`{"type":"char_location","cited_text":"","document_index":1,"start_char_index":0,"end_char_index":0}`,
	)})
	for i, want := range []citations.Status{citations.NotFound, citations.Unavailable, citations.Verified, citations.Unavailable} {
		if got := a.Citations[i].Status; got != want {
			t.Errorf("citation %d is %s, want %s", i, got, want)
		}
	}
}

func TestContainsPastWhatIsInvisible(t *testing.T) {
	for _, test := range []struct {
		text, quote string
		want        bool
	}{
		{"one\u200b two", "one two", true},
		{"one \u200btwo", "one two", true},
		{"one two", "one\u200b two", true},
		{"one\u200btwo", "one two", false},
		{"a − b", "a - b", true},
		{"„Ja“", `"Ja"`, true},
		{"it‚s", "it's", true},
		{"1. 2.", "1.", true},
		{"one\u00a0two", "one two", true},
	} {
		if got := citations.Contains(test.text, test.quote); got != test.want {
			t.Errorf("Contains(%q, %q) = %v", test.text, test.quote, got)
		}
	}
}

// What a source says stays inside of its footnote.
func TestFootnotes(t *testing.T) {
	web := func(url, title, quote string) string {
		return `{"type":"web_search_result_location","url":"` + url + `","title":"` + title + `","cited_text":"` + quote + `","encrypted_index":"x"}`
	}
	long := strings.Repeat("é", 201)
	for _, test := range []struct{ name, citation, want string }{
		{"no title", web("https://a.example/<b>", "", ""), "<https://a.example/%3Cb%3E>"},
		{"brackets", web("https://a.example/(1)", "T", ""), "[T](https://a.example/%281%29)"},
		{"markup", web("https://a.example", `*a_b`+"`"+`[c]<d>\\n*`, ""), `[\*a\_b` + "\\`" + `\[c\]\<d\> \*](https://a.example)`},
		{"no web", web("file_a.md", "", ""), `file\_a.md`},
		{"title that is the name", web("a.md", "a.md", ""), "a.md"},
		{"title and name", web("a.md", "T", ""), "T (a.md)"},
		{"other schemes", web("javascript:alert(1)", "T", ""), "T (javascript:alert(1))"},
		{"plain http", web("http://a.example", "T", ""), "[T](http://a.example)"},
		{"quote in lines", web("https://a.example", "T", `a\\n\\n  b`), "[T](https://a.example): “a b”"},
		{"long quote", web("https://a.example", "T", long), "[T](https://a.example): “" + long[:400] + "…”"},
		{"longest quote", web("https://a.example", "T", long[:400]), "[T](https://a.example): “" + long[:400] + "”"},
	} {
		citation := strings.ReplaceAll(test.citation, `\\n`, `\n`)
		got := citations.Read(nil, []transport.Block{cited(t, "x", citation)}).Markdown()
		if want := "x[^1]\n\n[^1]: " + test.want + "\n"; got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, got, want)
		}
	}
}

func TestFootnotesAreFew(t *testing.T) {
	quote := func(text string) string {
		return `{"type":"web_search_result_location","url":"https://a.example","title":"T","cited_text":"` + text + `","encrypted_index":"x"}`
	}
	for want, quotes := range map[string][]string{
		"“a”; “b”; “c”":                      {"a", "b", "a", "c", "b"},
		"“a”; “b”; “c”; and 1 more passages": {"a", "b", "c", "d"},
		"“a”; “b”; “c”; and 2 more passages": {"a", "b", "c", "d", "", "e"},
	} {
		var cites []string
		for _, q := range quotes {
			cites = append(cites, quote(q))
		}
		got := citations.Read(nil, []transport.Block{cited(t, "x", cites...), cited(t, " y\\n", cites[0])}).Markdown()
		if want := "x[^1] y[^1]\n\n[^1]: [T](https://a.example): " + want + "\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
