package rawjson

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever the text and the names are, valid JSON stays valid.
func TestEmbedStaysValid(t *testing.T) {
	texts := append([]string{
		`{"a":true,"b":[null,"c"]}`, `{"a":"b","b":"\"a"}`, `"a"`, `["a","a","\\","\"b\"","ab","b a"]`, `{"a":",","b":":"}`, `{"a":"\u0061"}`,
	}, seeds...)
	names := []string{"a", "b", ":", ",", ":true,", `\`, `\"`, "", "c", "b a", "é", "\n", "1", "[null,", "sha256:00"}
	data := []byte("the payload's bytes")
	embedded := 0
	for _, text := range texts {
		if !json.Valid([]byte(text)) {
			continue
		}
		for _, a := range names {
			for _, b := range names {
				p := []Payload{{Name: a, Data: data}, {Name: b}}
				got := Embed([]byte(text), p)
				if !json.Valid(got) {
					t.Errorf("%s with %q and %q: %s", text, a, b, got)
				}
				if p[0].Places > 0 && !strings.Contains(string(got), "dGhlIHBheWxvYWQncyBieXRlcw==") {
					t.Errorf("%s with %q: %s", text, a, got)
				}
				embedded += p[0].Places + p[1].Places
			}
		}
	}
	if embedded < 100 {
		t.Errorf("%d were embedded: the test tests nothing", embedded)
	}
	if text := []byte(`{"a":1}`); &Embed(text, []Payload{{Name: "b"}})[0] != &text[0] {
		t.Error("a text without the name is another one")
	}
}

// Payloads go into their places in the order of the text, whatever their own order,
// and only into strings that are the name.
func TestEmbedPlaces(t *testing.T) {
	p := []Payload{{Name: "bb", Data: []byte("B")}, {Name: "aa", Data: []byte("A")}, {Name: "Zz", Data: []byte("Z")}, {Name: "{x", Data: []byte("x")}, {Name: "@x", Data: []byte("x")}}
	in := `{"1":"aa","2":"bb","3":"aa","4":"aab","5":"baa","6":"x aa","7":"Zz","8":"{x","9":"@x","10":"zz"}`
	want := `{"1":"QQ==","2":"Qg==","3":"QQ==","4":"aab","5":"baa","6":"x aa","7":"Wg==","8":"{x","9":"@x","10":"zz"}`
	got := Embed([]byte(in), p)
	if string(got) != want || cap(got) != len(got) {
		t.Errorf("got %s, with room for %d", got, cap(got))
	}
	if p[0].Places != 1 || p[1].Places != 2 || p[2].Places != 1 || p[3].Places+p[4].Places != 0 {
		t.Errorf("places %+v", p)
	}
	// The first of two payloads of one name counts for the text.
	twice := []Payload{{Name: "aa", Data: []byte("A")}, {Name: "aa", Data: []byte("B")}}
	if got := string(Embed([]byte(`["aa","aa"]`), twice)); got != `["QQ==","QQ=="]` && got != `["Qg==","Qg=="]` {
		t.Errorf("got %s", got)
	}
	for _, text := range []string{`aa`, `aa"`, `"aa`} { // no JSON, and no panic
		if got := string(Embed([]byte(text), p)); got != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}
