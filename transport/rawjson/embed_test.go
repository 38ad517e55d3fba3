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
