package jsontext_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/whorl-go/whorl/transport/internal/jsontext"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ValidObject takes what encoding/json takes for an object, and passes the members that
// rawjson finds when the text is gone through again.
func TestValidObjectOfEveryShortText(t *testing.T) {
	pieces := []string{"{", "}", "[", "]", `"a"`, `"\u0061"`, ":", ",", " ", "1", "nul", "l"}
	valid := 0
	check := func(text string) {
		var got, want []string
		ok := jsontext.ValidObject([]byte(text), func(key, v []byte) { got = append(got, string(key), string(v)) })
		var m map[string]json.RawMessage
		if is := json.Unmarshal([]byte(text), &m) == nil && m != nil; ok != is {
			t.Fatalf("ValidObject(%q) is %v", text, ok)
		}
		if !ok {
			return
		}
		valid++
		for key, v := range rawjson.Fields([]byte(text)) {
			want = append(want, string(key), string(v))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("ValidObject(%q) passed %q, want %q", text, got, want)
		}
	}
	var grow func(text string, left int)
	grow = func(text string, left int) {
		check("{" + text + "}")
		check(text)
		if left > 0 {
			for _, p := range pieces {
				grow(text+p, left-1)
			}
		}
	}
	grow("", 5)
	for _, text := range []string{`{"a":[{"b":1}],"c":{"d":"}"}, "a" : "x"} `, "\t{}", `{"a":"\"","b":[],"c":{}}`} {
		check(text)
	}
	if valid < 100 {
		t.Errorf("only %d objects", valid)
	}
}
