package transport

import (
	"strings"
	"testing"
)

func TestConstructors(t *testing.T) {
	gif := []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00D,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")
	block := func(b Block, err error) string {
		if err != nil {
			return "error: " + err.Error()
		}
		if _, err := ParseBlock(b.Raw()); err != nil || b.Type() == "" {
			t.Errorf("%s: %v", b.Raw(), err)
		}
		return string(b.Raw())
	}
	for _, tt := range []struct{ got, want string }{
		{block(Image{Data: gif}.Block()), `{"type":"image","source":{"type":"base64","media_type":"image/gif","data":"R0lGODlhAQABAIAAAAAAAAAARCwAAAAAAQABAAACAkQBADs="}}`},
		{block(Image{URL: "https://x.example/<a>"}.Block()), `{"type":"image","source":{"type":"url","url":"https://x.example/<a>"}}`},
		{block(Image{FileID: "f", URL: "u"}.Block()), `error: image: 2 sources given; give exactly one`},
		{block(Document{Data: []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"), Title: "T", Context: "C", Citations: true}.Block()), `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0NvdW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlPj5lbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+PgolJUVPRg=="},"title":"T","context":"C","citations":{"enabled":true}}`},
		{block(Document{Text: "t"}.Block()), `{"type":"document","source":{"type":"text","media_type":"text/plain","data":"t"}}`},
		{block(Document{Blocks: []Block{Text("a"), Text("b")}}.Block()), `{"type":"document","source":{"type":"content","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}`},
		{block(Document{Blocks: []Block{Text("a")}, URL: "u"}.Block()), `error: document: Text or Blocks together with another source`},
		{block(SearchResult{Source: "s", Title: "t", Texts: []string{"a", " "}, Citations: true}.Block()), `{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"a"}],"citations":{"enabled":true}}`},
		{string(Message{Role: RoleSystem, Content: []Block{Text("x")}, ClearAt: "next_user_message"}.AppendJSON(nil)), `{"role":"system","content":[{"type":"text","text":"x"}],"clear_at":"next_user_message"}`},
		{string(SystemText("x").AppendJSON(nil)), `{"role":"system","content":[{"type":"text","text":"x"}]}`},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %s\nwant %s", tt.got, tt.want)
		}
	}
}

// A picture or a document that the service refuses makes every later request
// fail, so it is refused when it is made.
func TestMediaThatTheServiceRefuses(t *testing.T) {
	png := func(width string) string {
		return "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00" + width + "\x00\x00\x00\x01\b\x06\x00\x00\x00"
	}
	for _, tt := range []struct {
		name string
		make interface{ Block() (Block, error) }
		want string
	}{
		{"cut off", Image{Data: []byte("\x89PNG\r\n\x1a\n")}, "its beginning can't be read"},
		{"wrong sum", Image{Data: []byte(png("\x00\x01") + "1234")}, "its beginning can't be read"},
		{"too wide", Image{Data: []byte(png("\x1f\x41") + "\xbc\xa1\xf3\x24")}, "8001 × 1 pixels"},
		{"too heavy", Image{Data: append([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00D,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"), make([]byte, 8<<20)...)}, "bytes in base64"},
		{"no picture", Image{Data: []byte("hello"), MediaType: "image/png"}, "it is text/plain"},
		{"locked PDF", Document{Data: []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page>>endobj\ntrailer<</Root 1 0 R/Encrypt 4 0 R>>\n%%EOF")}, "encrypted"},
		{"broken PDF", Document{Data: []byte("%PDF-1.7")}, "it is truncated"},
		{"PDF of 601 pages", Document{Data: []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 601>>endobj\n3 0 obj<</Type/Page>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF")}, "601 pages"},
		{"long title", Document{Text: "x", Title: strings.Repeat("é", 501)}, "the title has 501 characters"},
	} {
		if _, err := tt.make.Block(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	b, err := Image{Data: []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00D,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"), MediaType: "image/png"}.Block()
	if err != nil || !strings.Contains(string(b.Raw()), `"media_type":"image/gif"`) {
		t.Errorf("a GIF said to be a PNG: %s, %v", b.Raw(), err)
	}
	if _, err := (Document{Text: "x", Title: strings.Repeat("é", 500)}).Block(); err != nil {
		t.Error(err)
	}
}
