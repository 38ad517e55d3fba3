package platform

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// A picture or a document by URL is refused by its place, wherever it stands, if the
// platform fetches none.
func TestSourcesByURL(t *testing.T) {
	for _, tt := range []struct{ block, place string }{
		{`{"type":"image","source":{"type":"url","url":"https://a.test/x.png"}}`, "messages.0.content.0"},
		{`{"type":"document","source":{"type":"url","url":"https://a.test/x.pdf"}}`, "messages.0.content.0"},
		{`{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"url","url":"https://a.test/x.png"}}]}`, "messages.0.content.0.content.1"},
		{`{"type":"tool_result","tool_use_id":"a","content":[{"type":"document","source":{"type":"url","url":"https://a.test/x.pdf"}}]}`, "messages.0.content.0.content.0"},
		{`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"url"}}`, ""},
	} {
		b, err := transport.ParseBlock([]byte(tt.block))
		if err != nil {
			t.Fatal(err)
		}
		q := &transport.Request{Model: "claude-opus-5-5", MaxTokens: 1, Messages: []transport.Message{{Role: transport.RoleUser, Content: []transport.Block{b}}}}
		if e := (&Rules{Name: "P"}).check(q); e != nil {
			t.Errorf("%s: without the rule: %v", tt.block, e)
		}
		e := (&Rules{Name: "P", NoURLs: true}).check(q)
		if (e != nil) != (tt.place != "") || e != nil && !strings.Contains(e.Error(), tt.place) {
			t.Errorf("%s: %v, want it refused at %q", tt.block, e, tt.place)
		}
	}
}
