package flow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A notebook notes what a sink is told.
type notebook struct{ lines []string }

func (n *notebook) note(format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}
func (n *notebook) Begin(r int)                     { n.note("begin %d", r) }
func (n *notebook) Open(b Block)                    { n.note("open %d %s%s", b.Index, b.Type, b.Name) }
func (n *notebook) Text(b Block, text string)       { n.note("text %d %s", b.Index, text) }
func (n *notebook) Close(b Block)                   { n.note("close %d", b.Index) }
func (n *notebook) Stands(r *transport.Response)    { n.note("stands") }
func (n *notebook) Void()                           { n.note("void") }
func (n *notebook) Record(r memory.Record, num int) { n.note("record %s", r.Kind) }
func (n *notebook) Item(it feed.Item)               { n.note("item %s", it.Kind) }

func response(t *testing.T, content string) feed.Item {
	t.Helper()
	r, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"x","content":[` + content + `],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	return feed.Item{Kind: feed.Record, Record: memory.Record{Kind: memory.KindResponse, Response: r}, At: feed.Position{Records: 3}}
}

// A response is told whole and once, whatever of it was told while it was written.
func TestResponsesAreToldOnce(t *testing.T) {
	begin, over := feed.Item{Kind: feed.Begin}, feed.Item{Kind: feed.Over}
	block := func(i int, typ transport.BlockType) feed.Item {
		return feed.Item{Kind: feed.Block, Block: i, Type: typ}
	}
	call := feed.Item{Kind: feed.Block, Type: "tool_use", Name: "f", ID: "c"}
	delta := func(i int, text string) feed.Item { return feed.Item{Kind: feed.Delta, Block: i, Text: text} }
	stop := func(i int) feed.Item { return feed.Item{Kind: feed.Stop, Block: i} }
	input := feed.Item{Kind: feed.Record, Record: memory.Record{Kind: memory.KindInput, Message: transport.UserText("x")}}
	hello, calls := `{"type":"text","text":"Hello"}`, `{"type":"tool_use","id":"c","name":"f","input":{}}`
	for name, test := range map[string]struct {
		items []feed.Item
		want  string
	}{
		"only its record":      {[]feed.Item{response(t, hello)}, "begin 1|open 0 text|text 0 Hello|close 0|stands"},
		"all of it":            {[]feed.Item{begin, block(0, "text"), delta(0, "Hel"), delta(0, "lo"), stop(0), over, response(t, hello)}, "begin 1|open 0 text|text 0 Hel|text 0 lo|close 0|stands"},
		"its beginning":        {[]feed.Item{begin, block(0, "text"), delta(0, "Hel"), over, response(t, hello)}, "begin 1|open 0 text|text 0 Hel|text 0 lo|close 0|stands"},
		"no block yet":         {[]feed.Item{begin, over, response(t, hello)}, "begin 1|open 0 text|text 0 Hello|close 0|stands"},
		"another text":         {[]feed.Item{begin, block(0, "text"), delta(0, "Hol"), over, response(t, hello)}, "begin 1|open 0 text|text 0 Hol|void|begin 1|open 0 text|text 0 Hello|close 0|stands"},
		"a text that was less": {[]feed.Item{begin, block(0, "text"), delta(0, "Hel"), stop(0), over, response(t, hello)}, "begin 1|open 0 text|text 0 Hel|close 0|void|begin 1|open 0 text|text 0 Hello|close 0|stands"},
		"another block":        {[]feed.Item{begin, block(0, "thinking"), over, response(t, hello)}, "begin 1|open 0 thinking|void|begin 1|open 0 text|text 0 Hello|close 0|stands"},
		"too many blocks":      {[]feed.Item{begin, block(0, "text"), block(1, "text"), over, response(t, hello)}, "begin 1|open 0 text|open 1 text|void|begin 1|open 0 text|text 0 Hello|close 0|stands"},
		"no arguments":         {[]feed.Item{begin, call, stop(0), over, response(t, calls)}, "begin 1|open 0 tool_usef|text 0 {}|close 0|stands"},
		"begun again":          {[]feed.Item{begin, block(0, "text"), delta(0, "Hel"), over, begin, block(0, "text"), delta(0, "Hello"), stop(0), over, response(t, hello)}, "begin 1|open 0 text|text 0 Hel|void|begin 1|open 0 text|text 0 Hello|close 0|stands"},
		"never":                {[]feed.Item{begin, block(0, "text"), delta(0, "Hel"), over, input}, "begin 1|open 0 text|text 0 Hel|void|record input"},
		"what is lost":         {[]feed.Item{delta(0, "x"), stop(4), block(0, "text"), response(t, hello), response(t, hello)}, "begin 1|open 0 text|text 0 Hello|close 0|stands|begin 2|open 0 text|text 0 Hello|close 0|stands"},
	} {
		n := new(notebook)
		f := New(n, 0)
		for _, it := range test.items {
			f.Item(it)
		}
		f.End()
		if got := strings.Join(n.lines, "|"); got != test.want {
			t.Errorf("%s:\n%s\nand not\n%s", name, got, test.want)
		}
	}
}
