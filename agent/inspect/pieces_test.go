package inspect

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

// A name of this machine is known by its letters, whatever its port; others are not.
func TestKnownHosts(t *testing.T) {
	p := &Page{opts: Options{Hosts: []string{"dev.example"}}}
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost:1": true, "127.0.0.1": true, "127.8.9.1:80": true, "[::1]:80": true, "::1": true, "DEV.example:80": true, "dev.example": true,
		"": false, "10.0.0.1": false, "localhost.example": false, "dev.example.com": false, "[::2]:80": false, "0.0.0.0": false,
	} {
		if got := p.knows(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	for from, want := range map[string]bool{"127.0.0.1:9": true, "[::1]:9": true, "[::ffff:127.0.0.1]:9": true, "10.0.0.7:9": false, "127.0.0.1": false, "": false, "@": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = from
		if got := isLocal(r); got != want {
			t.Errorf("from %q: %v", from, got)
		}
	}
}

// A block is cut where it is long, by the limits of its kind, and whole where it is asked
// for.
func TestViewBlock(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, tt := range []struct {
		name, raw  string
		limit      int
		text, json int // bytes
		cut        bool
	}{
		{"a text", `{"type":"text","text":"` + long(6000) + `"}`, 0, 6000, 0, false},
		{"a long text", `{"type":"text","text":"` + long(6001) + `"}`, 0, 6000, 0, true},
		{"the whole", `{"type":"text","text":"` + long(6001) + `"}`, noLimit, 6001, 0, false},
		{"a text with sources", `{"type":"text","text":"a","citations":[{"a":1}]}`, 0, 1, 9, false},
		{"a text with none", `{"type":"text","text":"a","citations":[]}`, 0, 1, 0, false},
		{"a thought", `{"type":"thinking","thinking":"` + long(6001) + `","signature":"s"}`, 0, 6000, 0, true},
		{"a call", `{"type":"tool_use","id":"c","name":"f","input":{"a":"` + long(1992) + `"}}`, 0, 0, 2000, false},
		{"a long call", `{"type":"tool_use","id":"c","name":"f","input":{"a":"` + long(1993) + `"}}`, 0, 0, 2000, true},
		{"a result", `{"type":"tool_result","tool_use_id":"c","content":"` + long(2000) + `"}`, 0, 2000, 0, false},
		{"a long result", `{"type":"tool_result","tool_use_id":"c","content":"` + long(2001) + `"}`, 0, 2000, 0, true},
		{"a result of parts", `{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"a"},{"type":"image","a":1},{"type":"text","text":"b"}]}`, 0, 2, 23, false},
		{"a long part", `{"type":"tool_result","tool_use_id":"c","content":[{"type":"image","a":"` + long(2000) + `"}]}`, 0, 0, 2000, true},
	} {
		b, err := transport.ParseBlock([]byte(tt.raw))
		if err != nil {
			t.Fatal(err)
		}
		v := viewBlock(b, tt.limit)
		if len(v.Text) != tt.text || len(v.JSON) != tt.json || v.Cut != tt.cut || v.Bytes != len(tt.raw) {
			t.Errorf("%s: %d bytes of text, %d of JSON, cut %v, %d in all", tt.name, len(v.Text), len(v.JSON), v.Cut, v.Bytes)
		}
	}
	if text, cut := clip("aé", 2); text != "a" || !cut {
		t.Errorf("%q %v", text, cut)
	}
	for source, want := range map[string]string{
		`{"media_type":"image/png","data":"AAAA"}`: "data:image/png;base64,AAAA", `{"media_type":"image/svg+xml","data":"AAAA"}`: "", `{"media_type":"text/html","data":"AAAA"}`: "", `{"media_type":"image/png"}`: "",
		`{"media_type":"image/png","data":"` + long(300_001) + `"}`: "",
	} {
		if got := imageURL([]byte(source)); got != want {
			t.Errorf("%.80s: %.80s", source, got)
		}
	}
	for text, want := range map[string]bool{`{}`: true, " {\"a\":1}\n": true, `[]`: false, `"{}"`: false, `{`: false, ``: false, ` `: false} {
		if got := isObject(text); got != want {
			t.Errorf("%q is an object: %v", text, got)
		}
	}
	for name, want := range map[string]bool{"a.html": true, "index.html": false, "a.htm": false, "a/b.html": false, "b.json": false} {
		if got := isReport(name); got != want {
			t.Errorf("%s is a report: %v", name, got)
		}
	}
}

// What is kept of a session counts as long as it has as many records.
func TestBriefsAreOfNow(t *testing.T) {
	var b briefs
	b.put("s", briefView{Records: 3, Steps: 1})
	if v, ok := b.get("s", 3); !ok || v.Steps != 1 {
		t.Errorf("%+v, %v", v, ok)
	}
	if _, ok := b.get("s", 4); ok {
		t.Error("what was before the newest record is told")
	}
	if _, ok := b.get("t", 0); ok {
		t.Error("another session's is told")
	}
	for name, want := range map[transport.Breakpoint]string{
		{Part: transport.PartTools, Index: 2}: "tools.2", {Part: transport.PartSystem, Index: 1}: "system.1", {Part: transport.PartMessages, Index: 3, Block: 4}: "messages.3.content.4",
	} {
		if got := placeName(name); got != want {
			t.Errorf("%+v: %s, want %s", name, got, want)
		}
	}
	if same("", "") || same("a", "") || same("", "a") || same("a", "ab") || !same("a", "a") {
		t.Error("which tokens are the same")
	}
	if a, b := newKey("t"), newKey("u"); a != newKey("t") || a.cookie == b.cookie || a.value == b.value || len(a.value) != 64 {
		t.Errorf("%+v, %+v", a, b)
	}
	p := &Page{key: newKey("a b&c")}
	for _, base := range []string{"http://x/y", "http://x/y/"} {
		if got := p.URL(base); got != "http://x/y/?token=a+b%26c" {
			t.Error(got)
		}
	}
}
