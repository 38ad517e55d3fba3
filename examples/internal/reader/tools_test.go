package reader

import (
	"testing"

	"github.com/whorl-go/whorl/transport"
)

func define(t *testing.T, raw string) transport.ToolDefinition {
	t.Helper()
	d, err := transport.ParseToolDefinition([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFindTools(t *testing.T) {
	k := findTools([]transport.ToolDefinition{
		define(t, `{"name":"calc","description":"Computes.","input_schema":{"type":"object","properties":{"expression":{"type":"string"}},"required":["expression"]}}`),
		define(t, `{"name":"grep_docs","description":"Searches the docs.","input_schema":{"type":"object","properties":{"q":{"type":"string"},"max_results":{"type":"integer"}},"required":["q"]}}`),
		define(t, `{"name":"view","description":"View a file.","input_schema":{"type":"object","properties":{"file_path":{"type":"string"},"offset":{"type":"integer"},"limit":{"type":"integer"}},"required":["file_path"]}}`),
		define(t, `{"name":"ls","description":"List files.","input_schema":{"type":"object","properties":{"prefix":{"type":"string"}}}}`),
		define(t, `{"name":"delete","description":"Deletes a file.","input_schema":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}}`),
		define(t, `{"type":"web_search_20250305","name":"web_search"}`),
	})
	switch {
	case k.search == nil || k.search.name != "grep_docs" || k.search.query != "q":
		t.Errorf("search: %+v", k.search)
	case k.read == nil || k.read.name != "view" || k.read.path != "file_path" || k.read.from != "offset" || !k.read.countMode:
		t.Errorf("read: %+v", k.read)
	case k.list == nil || k.list.name != "ls" || k.list.query != "prefix":
		t.Errorf("list: %+v", k.list)
	case k.calculate == nil || k.calculate.name != "calc":
		t.Errorf("calculate: %+v", k.calculate)
	case !k.webSearch || k.webFetch:
		t.Error("web_search is there and web_fetch is not")
	}
	if k := findTools([]transport.ToolDefinition{define(t, `{"name":"send","description":"Sends a mail.","input_schema":{"type":"object","properties":{"to":{"type":"string"},"text":{"type":"string"}},"required":["to","text"]}}`)}); k.search != nil || k.read != nil {
		t.Errorf("a tool that does something was taken for one that looks: %+v", k)
	}
}

func TestTranscript(t *testing.T) {
	k := kit{
		search: &toolUse{name: "search", query: "query"},
		read:   &toolUse{name: "read", path: "path", from: "from", to: "to"},
	}
	block := func(raw string) transport.Block {
		b, err := transport.ParseBlock([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	messages := []transport.Message{
		transport.UserText("An old question?"),
		{Role: transport.RoleAssistant, Content: []transport.Block{transport.Text("An old answer.")}},
		transport.UserText("Why?"),
		{Role: transport.RoleAssistant, Content: []transport.Block{
			block(`{"type":"tool_use","id":"a","name":"search","input":{"query":"x"}}`),
			block(`{"type":"tool_use","id":"b","name":"read","input":{"path":"./a.go","from":3,"to":4}}`),
			block(`{"type":"tool_use","id":"c","name":"read","input":{"path":"plain.txt","from":5,"to":6}}`),
			block(`{"type":"tool_use","id":"d","name":"read","input":{"path":"gone","from":1,"to":2}}`),
		}},
		{Role: transport.RoleUser, Content: []transport.Block{
			transport.ToolResult("a", transport.Text("Passages that hold each word: x 3, y 0.\n\na.go:3: // three\na.go:4: \tfour\n\nb.go:9: nine\n")),
			transport.ToolResult("b", transport.Text("a.go has 40 lines.\n3\t// three\n4\t\tfour\n")),
			transport.ToolResult("c", transport.Text("five\nsix")),
			transport.ToolCall{ID: "d"}.AnswerError(transport.Text("1\tno such file")),
		}},
	}
	tr := readTranscript(messages, k, nil)
	if tr.question != "Why?" || tr.rounds != 1 || len(tr.calls) != 4 {
		t.Fatalf("question %q, %d rounds, %d calls", tr.question, tr.rounds, len(tr.calls))
	}
	if len(tr.hits) != 3 || tr.hits[2].rank != 1 || tr.hits[0].passage == tr.hits[2].passage || tr.hits[1].text != "\tfour" {
		t.Errorf("hits: %+v", tr.hits)
	}
	if _, counted := tr.counts["y"]; tr.counts["x"] != 3 || !counted {
		t.Errorf("counts: %v", tr.counts)
	}
	if a := tr.opened["a.go"]; len(a) != 2 || a[3] != "// three" || a[4] != "\tfour" {
		t.Errorf("a.go: %v", a)
	}
	if p := tr.opened["plain.txt"]; len(p) != 2 || p[5] != "five" || p[6] != "six" {
		t.Errorf("plain.txt: %v", p)
	}
	if len(tr.opened["gone"]) != 0 {
		t.Error("an error was read as a file")
	}
	// A hint behind results changes nothing, a question starts over.
	last := &messages[len(messages)-1]
	results := last.Content
	last.Content = append(results[:4:4], transport.Text("Two calls are left."))
	if tr := readTranscript(messages, k, nil); tr.question != "Why?" || len(tr.calls) != 4 {
		t.Errorf("a hint: question %q, %d calls", tr.question, len(tr.calls))
	}
	last.Content = append(results[:4:4], transport.Text("Two calls are left."), transport.Text("Never mind. How?"))
	if tr := readTranscript(messages, k, nil); tr.question != "Never mind. How?" || tr.rounds != 0 || len(tr.calls) != 0 {
		t.Errorf("a question: question %q, %d rounds, %d calls", tr.question, tr.rounds, len(tr.calls))
	}
}
