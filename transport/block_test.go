package transport

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// What a block must be, and what is read of it, however its members are written.
func TestParseBlock(t *testing.T) {
	for _, raw := range []string{``, ` `, `[]`, `7`, `"a"`, `null`, `{`, `{}`, `{"type":7}`, `{"type":null}`, `{"type":""}`, `{"type":"text"}x`} {
		if b, err := ParseBlock([]byte(raw)); err == nil || !b.IsZero() || !strings.HasPrefix(err.Error(), "content block: ") {
			t.Errorf("%q: %v, %v", raw, b, err)
		}
	}
	for _, tt := range []struct {
		raw    string
		typ    BlockType
		marked bool
		marks  string
	}{
		{"\n {\"type\":\"text\",\"text\":\"a\"}\t", "text", false, ""},
		{`{"type":"next_year"}`, "next_year", false, ""},
		{`{"type":"next\u005fyear"}`, "next_year", false, ""},
		{`{"t\u0079pe":"text","text":"a"}`, "text", false, ""},
		{`{"type":"text","text":"a","cache_control":null}`, "text", false, ""},
		{`{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}`, "text", true, "-"},
		{`{"type":"text","text":"a","cache\u005fcontrol":{"type":"ephemeral","ttl":"1h"}}`, "text", true, "1h"},
		{`{"type":"text","text":"a","cache\u005fcontrol":null}`, "text", false, ""},
		{`{"\u0061":1,"type":"text","text":"a"}`, "text", false, ""},
		{`{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"5m"}},{"type":"text","text":"b","cache_control":null},{"type":"image","cache_control":{"type":"ephemeral"}}],"cache_control":{"type":"ephemeral","ttl":"1h"}}`, "tool_result", true, "5m - 1h"},
		{`{"type":"tool_result","tool_use_id":"t","content":"no cache_control here"}`, "tool_result", false, ""},
		{`{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"f","cache_control":{"type":"ephemeral","ttl":"1h"}}}}`, "tool_addition", false, "1h"},
		{`{"type":"tool_use","id":"t","name":"f","input":{"cache_control":{"ttl":"1h"}}}`, "tool_use", false, ""},
	} {
		b, err := ParseBlock([]byte(tt.raw))
		if err != nil {
			t.Errorf("%s: %v", tt.raw, err)
			continue
		}
		var marks []string
		for ttl := range b.Marks() {
			if ttl == "" {
				ttl = "-"
			}
			marks = append(marks, string(ttl))
		}
		for range b.Marks() {
			break // an early end is kept to
		}
		m := Message{Role: RoleUser, Content: []Block{b}}
		if b.Type() != tt.typ || b.Marked() != tt.marked || strings.Join(marks, " ") != tt.marks || string(b.Raw()) != strings.TrimSpace(tt.raw) || m.HasMarks() != (tt.marks != "") {
			t.Errorf("%s: type %s, marked %v, marks %q, of the message %v", tt.raw, b.Type(), b.Marked(), marks, m.HasMarks())
		}
	}
}

// A mark goes in place of a null, also of one whose key is escaped.
func TestMarkInPlaceOfNull(t *testing.T) {
	for raw, want := range map[string]string{
		`{"type":"text","cache_control":null,"text":"x"}`:      `{"type":"text","cache_control":{"type":"ephemeral"},"text":"x"}`,
		`{"type":"text","cache\u005fcontrol":null,"text":"x"}`: `{"type":"text","cache\u005fcontrol":{"type":"ephemeral"},"text":"x"}`,
		`{"type":"text","text":"x" }`:                          `{"type":"text","text":"x" ,"cache_control":{"type":"ephemeral"}}`,
	} {
		r := Request{Model: "m", Messages: []Message{{Role: RoleUser, Content: []Block{mustBlock(t, raw)}}}, Breakpoints: []Breakpoint{{Part: PartMessages}}}
		b, err := r.Body()
		if err != nil || !strings.Contains(string(b.Bytes()), `"content":[`+want+`]`) || b.Len() != int64(len(b.Bytes())) {
			t.Errorf("%s: %v %s", raw, err, b.Bytes())
		}
	}
}

// A Block is its JSON for encoding/json, and keeps nothing of what it read.
func TestBlockJSON(t *testing.T) {
	data := []byte(`{"type":"text","text":"a"}`)
	var b Block
	if err := b.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if out, err := json.Marshal(b); err != nil || string(out) != `{"type":"text","text":"a"}` {
		t.Errorf("%s, %v", out, err)
	}
	if err := b.UnmarshalJSON([]byte(`{}`)); err == nil || b.Type() != TypeText {
		t.Errorf("%v; the block is %s", err, b.Raw())
	}
	if out, err := json.Marshal(Block{}); err == nil {
		t.Errorf("the zero Block is %s", out)
	}
	long := `{"x":"` + strings.Repeat("y", 100) + `"}`
	if _, err := ParseBlock([]byte(long)); err == nil || !strings.HasSuffix(err.Error(), `… (108 bytes)`) || len(err.Error()) > 150 {
		t.Errorf("got %v", err)
	}
	if got := brief([]byte(strings.Repeat("a", 80))); got != `"`+strings.Repeat("a", 80)+`"` {
		t.Errorf("80 bytes are %s", got)
	}
}

// A call is read with its toolset, and its answer names both.
func TestToolCallAndAnswer(t *testing.T) {
	c, ok := mustBlock(t, `{"type":"tool_use","id":"t\"1","name":"f","toolset_name":"s","input":{"a":1}}`).ToolCall()
	if !ok || c.ID != `t"1` || c.Name != "f" || c.Toolset != "s" || string(c.Input) != `{"a":1}` || c.Cut {
		t.Errorf("got %+v", c)
	}
	if c, ok := mustBlock(t, `{"type":"tool_use","id":"t","name":"f","toolset_name":null,"input":{}}`).ToolCall(); !ok || c.Toolset != "" {
		t.Errorf("got %+v", c)
	}
	for _, raw := range []string{`{"type":"server_tool_use","id":"t","name":"f","input":{}}`, `{"type":"tool_result","tool_use_id":"t"}`} {
		if c, ok := mustBlock(t, raw).ToolCall(); ok || c.ID != "" {
			t.Errorf("%s is the call %+v", raw, c)
		}
	}
	marked := mustBlock(t, `{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}`)
	for _, tt := range []struct {
		got  Block
		want string
	}{
		{c.Answer(), `{"type":"tool_result","tool_use_id":"t\"1","toolset_name":"s"}`},
		{c.Answer(Text("a"), Text("b")), `{"type":"tool_result","tool_use_id":"t\"1","toolset_name":"s","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}`},
		{c.AnswerError(Text("a")), `{"type":"tool_result","tool_use_id":"t\"1","toolset_name":"s","content":[{"type":"text","text":"a"}],"is_error":true}`},
		{ToolCall{ID: "t"}.AnswerError(), `{"type":"tool_result","tool_use_id":"t","is_error":true}`},
		{ToolResult("t", marked, Text("b")), `{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"b"}]}`},
	} {
		if string(tt.got.Raw()) != tt.want {
			t.Errorf("got  %s\nwant %s", tt.got.Raw(), tt.want)
		}
		again := mustBlock(t, tt.want)
		if tt.got.Type() != TypeToolResult || tt.got.ToolUseID() != again.ToolUseID() || tt.got.ToolUseID() == "" || tt.got.inner != again.inner || tt.got.marked {
			t.Errorf("%s: id %q, inner mark %v, marked %v", tt.want, tt.got.ToolUseID(), tt.got.inner, tt.got.marked)
		}
	}
	if id := Text("a").ToolUseID(); id != "" {
		t.Errorf("a text answers %q", id)
	}
	// The last of two members counts, as everywhere.
	if id := mustBlock(t, `{"type":"tool_result","tool_use_id":"a","tool_use_id":"b"}`).ToolUseID(); id != "b" {
		t.Errorf("got %q", id)
	}
}

// A document has one source, whichever it is.
func TestDocumentSources(t *testing.T) {
	pdf := []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF")
	blocks := []Block{Text("a")}
	for name, tt := range map[string]struct {
		make interface{ Block() (Block, error) }
		want string // an error if it has no brace
	}{
		"a file":                {Document{FileID: "f"}, `{"type":"document","source":{"type":"file","file_id":"f"}}`},
		"a URL":                 {Document{URL: "u"}, `{"type":"document","source":{"type":"url","url":"u"}}`},
		"a picture's file":      {Image{FileID: "f"}, `{"type":"image","source":{"type":"file","file_id":"f"}}`},
		"nothing":               {Document{Title: "t"}, "document: 0 sources given; give exactly one"},
		"no picture":            {Image{}, "image: 0 sources given; give exactly one"},
		"text and blocks":       {Document{Text: "t", Blocks: blocks}, "document: Text or Blocks together with another source"},
		"text and data":         {Document{Text: "t", Data: pdf}, "document: Text or Blocks together with another source"},
		"text and a URL":        {Document{Text: "t", URL: "u"}, "document: Text or Blocks together with another source"},
		"text and a file":       {Document{Text: "t", FileID: "f"}, "document: Text or Blocks together with another source"},
		"blocks and data":       {Document{Blocks: blocks, Data: pdf}, "document: Text or Blocks together with another source"},
		"blocks and a file":     {Document{Blocks: blocks, FileID: "f"}, "document: Text or Blocks together with another source"},
		"a PDF and a file":      {Document{Data: pdf, FileID: "f"}, "document: 2 sources given; give exactly one"},
		"a URL and a file":      {Document{URL: "u", FileID: "f"}, "document: 2 sources given; give exactly one"},
		"data that is no PDF":   {Document{Data: []byte("hello")}, "document: Data must be a PDF, not text/plain; charset=utf-8; give text as Text"},
		"a passage of nowhere":  {SearchResult{Title: "t", Texts: []string{"a"}}, "search result: Source and Title must not be empty"},
		"a passage of no title": {SearchResult{Source: "s", Texts: []string{"a"}}, "search result: Source and Title must not be empty"},
	} {
		b, err := tt.make.Block()
		switch {
		case strings.HasPrefix(tt.want, "{") && (err != nil || string(b.Raw()) != tt.want):
			t.Errorf("%s: %s, %v", name, b.Raw(), err)
		case !strings.HasPrefix(tt.want, "{") && (err == nil || err.Error() != tt.want || !b.IsZero()):
			t.Errorf("%s: %s, %v", name, b.Raw(), err)
		}
	}
}

// A body can be read in any pieces, more than once, and not behind its end.
func TestBodyReaders(t *testing.T) {
	r := conversation(t, 4)
	r.Breakpoints = []Breakpoint{{Part: PartTools}, {Part: PartMessages, Index: 3, Block: 1}}
	b, err := r.StreamBody()
	if err != nil {
		t.Fatal(err)
	}
	want := string(b.Bytes())
	for _, most := range []int{1, 7, 1 << 20} {
		in := b.NewReader().(*bodyReader)
		var got []byte
		for p := in.Next(most); len(p) > 0; p = in.Next(most) {
			if len(p) > most {
				t.Fatalf("a piece of %d bytes, at most %d were asked for", len(p), most)
			}
			got = append(got, p...)
		}
		if string(got) != want {
			t.Errorf("in pieces of %d: %d bytes, want %d", most, len(got), len(want))
		}
		if n, err := in.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("behind the end: %d, %v", n, err)
		}
	}
	in := b.NewReader()
	if n, err := in.Read(nil); n != 0 || err != nil {
		t.Errorf("of nothing: %d, %v", n, err)
	}
	p := make([]byte, len(want))
	if n, err := in.Read(p); n != len(want) || err != nil || string(p) != want {
		t.Errorf("in one piece: %d, %v", n, err)
	}
	if n, err := in.Read(nil); n != 0 || err != nil {
		t.Errorf("of nothing at the end: %d, %v", n, err)
	}
	in = b.NewReader()
	if _, err := in.Read(p[:10]); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := in.Read(p); n != 0 || err != io.EOF {
		t.Errorf("of a closed reader: %d, %v", n, err)
	}
	if got, err := io.ReadAll(iotest.OneByteReader(b.NewReader())); err != nil || string(got) != want {
		t.Errorf("byte by byte: %d, %v", len(got), err)
	}
	w := &failingWriter{left: 20}
	if n, err := b.WriteTo(w); err != io.ErrShortWrite || n != 20 {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	n := min(w.left, len(p))
	if w.left -= n; n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
