package citations_test

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/tools/citations"
	"github.com/whorl-go/whorl/transport"
)

func block(t testing.TB, raw string) transport.Block {
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// conversation has a document of each kind that can be cited.
func conversation(t testing.TB) []transport.Message {
	return []transport.Message{
		{Role: transport.RoleUser, Content: []transport.Block{
			block(t, `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"Ä first fact. A second fact."},"title":"facts.txt"}`),
			block(t, `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"eA=="},"title":"paper"}`),
			transport.Text("Which facts are there?"),
		}},
		{Role: transport.RoleAssistant, Content: []transport.Block{block(t, `{"type":"tool_use","id":"toolu_1","name":"find","input":{}}`)}},
		{Role: transport.RoleUser, Content: []transport.Block{
			block(t, `{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"search_result","source":"https://a.example/x_(1)","title":"A [page]","content":[{"type":"text","text":"One."},{"type":"text","text":"The “quoted”\n words – here."}]},{"type":"document","source":{"type":"content","content":[{"type":"text","text":"chunk one"},{"type":"text","text":"chunk two"}]},"title":"chunks"}]}`),
		}},
	}
}

func answer(t testing.TB) []transport.Block {
	return []transport.Block{
		block(t, `{"type":"web_fetch_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"web_fetch_result","url":"https://b.example/","retrieved_at":"x","content":{"type":"document","source":{"type":"text","media_type":"text/plain","data":"fetched text"},"title":"B"}}}`),
		transport.Text("There are "),
		block(t, `{"type":"text","text":"two facts","citations":[{"type":"char_location","cited_text":"Ä first fact. ","document_index":0,"document_title":"facts.txt","start_char_index":0,"end_char_index":14},{"type":"char_location","cited_text":"A third fact.","document_index":0,"document_title":"facts.txt","start_char_index":14,"end_char_index":28}]}`),
		transport.Text(", a quote "),
		block(t, `{"type":"text","text":"and more. ","citations":[{"type":"search_result_location","cited_text":"The \"quoted\" words - here.","source":"https://a.example/x_(1)","title":"A [page]","search_result_index":0,"start_block_index":1,"end_block_index":2},{"type":"content_block_location","cited_text":"chunk two","document_index":2,"document_title":"chunks","start_block_index":1,"end_block_index":2}]}`),
		block(t, `{"type":"text","text":"The web says so.","citations":[{"type":"web_search_result_location","url":"https://c.example","title":"C","encrypted_index":"x","cited_text":"so"},{"type":"char_location","cited_text":"fetched text","document_index":3,"document_title":"B","start_char_index":0,"end_char_index":12},{"type":"page_location","cited_text":"in the paper","document_index":1,"document_title":"paper","start_page_number":1,"end_page_number":2},{"type":"new_location","cited_text":"?"}]}`),
	}
}

func TestRead(t *testing.T) {
	a := citations.Read(conversation(t), answer(t))
	want := []struct {
		quote, title, url string
		number            int
		status            citations.Status
	}{
		{"Ä first fact. ", "facts.txt", "", 1, citations.Verified},
		{"A third fact.", "facts.txt", "", 1, citations.NotFound},
		{`The "quoted" words - here.`, "A [page]", "https://a.example/x_(1)", 2, citations.Verified},
		{"chunk two", "chunks", "", 3, citations.Verified},
		{"so", "C", "https://c.example", 4, citations.Unavailable},
		{"fetched text", "B", "https://b.example/", 5, citations.Verified},
		{"in the paper", "paper", "", 6, citations.Unavailable},
		{"?", "", "", 7, citations.Unavailable},
	}
	if len(a.Citations) != len(want) || len(a.Sources) != 7 {
		t.Fatalf("%d citations of %d sources", len(a.Citations), len(a.Sources))
	}
	for i, w := range want {
		c := a.Citations[i]
		if c.Quote != w.quote || c.Source.Title != w.title || c.Source.URL != w.url || c.Source.Number != w.number || c.Status != w.status {
			t.Errorf("citation %d is %q of %+v, %s; want %+v", i, c.Quote, *c.Source, c.Status, w)
		}
	}
	if d := a.Doubtful(); len(d) != 1 || d[0].Quote != "A third fact." {
		t.Errorf("doubtful: %+v", d)
	}
	if got := a.Text(); got != "There are two facts, a quote and more. The web says so." {
		t.Errorf("text %q", got)
	}
}

func TestMarkdown(t *testing.T) {
	const want = `There are two facts[^1], a quote and more.[^2][^3] The web says so.[^4][^5][^6][^7]

[^1]: facts.txt: “Ä first fact.”; “A third fact.” **(not found in the source)**
[^2]: [A \[page\]](https://a.example/x_%281%29): “The "quoted" words - here.”
[^3]: chunks: “chunk two”
[^4]: [C](https://c.example): “so”
[^5]: [B](https://b.example/): “fetched text”
[^6]: paper: “in the paper”
[^7]: Source 7: “?”
`
	if got := citations.Read(conversation(t), answer(t)).Markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	plain := citations.Read(nil, []transport.Block{transport.Text("No sources.\n")})
	if got := plain.Markdown(); got != "No sources.\n" {
		t.Errorf("without sources: %q", got)
	}
}

func TestContains(t *testing.T) {
	tests := []struct {
		text, quote string
		want        bool
	}{
		{"a b c", "b", true},
		{"a  b\n\nc", "a b c", true},
		{"it’s “so” – really", `it's "so" - really`, true},
		{"soft\u00adhyphen", "softhyphen", true},
		{"a long sentence", "long…", true},
		{"a long sentence", "...long sentence.", true},
		{"a b c", "B", false},
		{"a b c", "a c", false},
		{"a b c", "", false},
		{"a b c", " … ", false},
		{"", "a", false},
	}
	for _, test := range tests {
		if got := citations.Contains(test.text, test.quote); got != test.want {
			t.Errorf("Contains(%q, %q) = %v", test.text, test.quote, got)
		}
	}
}

func TestOddCitations(t *testing.T) {
	for _, c := range []string{
		`{"type":"char_location","cited_text":"x","document_index":-1}`, `{"type":"char_location","cited_text":"x","document_index":99}`,
		`{"type":"char_location","cited_text":"Ä","document_index":0,"start_char_index":5,"end_char_index":2}`,
		`{"type":"char_location","cited_text":"Ä","document_index":0,"start_char_index":-5,"end_char_index":9999}`,
		`{"type":"search_result_location","cited_text":"x","search_result_index":7}`, `{}`, `null`, `1`, `{"document_index":"x"}`,
	} {
		a := citations.Read(conversation(t), []transport.Block{block(t, fmt.Sprintf(`{"type":"text","text":"t","citations":[%s]}`, c))})
		if a.Text() != "t" || len(a.Citations) > 1 {
			t.Errorf("%s: %+v", c, a)
		}
		if len(a.Citations) == 1 && a.Citations[0].Status == citations.NotFound {
			t.Errorf("%s: %+v", c, a.Citations[0])
		}
	}
}

func ExampleRead() {
	result, _ := transport.ParseBlock([]byte(`{"type":"search_result","source":"https://example.com/ruby","title":"Ruby facts","content":[{"type":"text","text":"Ruby was created in 1993."}]}`))
	answer, _ := transport.ParseBlock([]byte(`{"type":"text","text":"Ruby is from 1993.","citations":[{"type":"search_result_location","cited_text":"created in 1993","source":"https://example.com/ruby","title":"Ruby facts","search_result_index":0,"start_block_index":0,"end_block_index":1}]}`))
	question := transport.Message{Role: transport.RoleUser, Content: []transport.Block{result, transport.Text("How old is Ruby?")}}

	a := citations.Read([]transport.Message{question}, []transport.Block{answer})
	fmt.Println(a.Citations[0].Status)
	fmt.Print(a.Markdown())
	// Output:
	// verified
	// Ruby is from 1993.[^1]
	//
	// [^1]: [Ruby facts](https://example.com/ruby): “created in 1993”
}
