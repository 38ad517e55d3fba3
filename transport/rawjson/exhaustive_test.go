package rawjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// every calls f with every text of up to n of the pieces.
func every(n int, pieces []string, f func(text string)) {
	var grow func(text string, left int)
	grow = func(text string, left int) {
		f(text)
		if left > 0 {
			for _, p := range pieces {
				grow(text+p, left-1)
			}
		}
	}
	grow("", n)
}

// What is JSON and what isn't is as in encoding/json, for every short text.
func TestValidOfEveryShortText(t *testing.T) {
	same := func(text string) {
		if got := Valid([]byte(text)); got != json.Valid([]byte(text)) {
			t.Fatalf("Valid(%q) is %v", text, got)
		}
	}
	every(6, []string{"-", "+", "0", "1", ".", "e", "E"}, same)
	every(6, []string{"[", "]", "{", "}", `"a"`, ":", ","}, same)
	every(4, []string{" ", "\t", "\n", "\r", "\f", "1", "[", "]", "nul", "l", "true", "false"}, same)
	every(4, []string{`\`, "u", "00", "b", "G", "/", "\x00", "\x1f", "\x7f", "é", "\xff"}, func(text string) {
		same(`"` + text + `"`)
		same(`{"` + text + `":"` + text + `"}`)
		same(`"` + text)
	})
	for at := range 20 { // wherever it stands among words of eight bytes
		for c := range 256 {
			same(`"` + strings.Repeat("a", at) + string([]byte{byte(c)}) + `aaaaaaaaaaaaaaaaaaaaa"`)
		}
	}
}

// Strings are decoded, and written again, as encoding/json does.
func TestEveryEscape(t *testing.T) {
	same := func(quoted string) {
		var want string
		if json.Unmarshal([]byte(quoted), &want) != nil {
			return
		}
		if got := Unquote([]byte(quoted)); got != want {
			t.Fatalf("Unquote(%s) = %q, want %q", quoted, got, want)
		}
		if got := string(AppendUnquoted([]byte("in front"), []byte(quoted))); utf8.ValidString(quoted) && got != "in front"+want {
			t.Fatalf("AppendUnquoted(%s) = %q, want %q", quoted, got, want)
		}
	}
	for r := range 1 << 16 {
		same(fmt.Sprintf(`"a\u%04xb"`, r))
		same(fmt.Sprintf(`"a\u%04Xb"`, r))
	}
	every(3, []string{`\ud83d`, `\ude00`, `\uD83D`, `\u0041`, `\n`, `\r`, `\t`, `\b`, `\f`, `\/`, `\\`, `\"`, "x", "u", "é", "\xff"}, func(text string) { same(`"` + text + `"`) })

	for at := range 20 {
		for c := range 256 {
			s := strings.Repeat("a", at) + string([]byte{byte(c)}) + "<>&aaaaaaaaaaaaaaaaaaaa"
			want, escaped := s, string(AppendString(nil, s))
			if c >= utf8.RuneSelf {
				want = strings.ToValidUTF8(s, "\ufffd")
			}
			var got string
			if err := json.Unmarshal([]byte(escaped), &got); err != nil || got != want {
				t.Fatalf("AppendString(%q) = %s: %q, %v", s, escaped, got, err)
			}
		}
	}
	for s, want := range map[string]string{
		"": `""`, "a\n\r\t\b\f\x00\x1f\x7f": `"a\n\r\t\u0008\u000c\u0000\u001f` + "\x7f" + `"`, `"\/`: `"\"\\/"`, "\ufffd\xffé\xc3": `"` + "\ufffd\ufffdé\ufffd" + `"`,
		"\u2028<": `"` + "\u2028<" + `"`,
	} {
		if got := string(AppendString([]byte("k:"), s)); got != "k:"+want {
			t.Errorf("AppendString(%q) = %s, want %s", s, got, want)
		}
	}
}

// What isn't a quoted string has no inside.
func TestInner(t *testing.T) {
	for text, want := range map[string]string{`""`: "", `"a"`: "a", `"\""`: `\"`, `"`: "nil", ``: "nil", `a"`: "nil", `"a`: "nil", `7`: "nil", `null`: "nil", `"a" `: "nil"} {
		got := Inner([]byte(text))
		if want == "nil" != (got == nil) || got != nil && string(got) != want {
			t.Errorf("Inner(%s) = %q", text, got)
		}
		if got == nil && Unquote([]byte(text)) != "" {
			t.Errorf("Unquote(%s) = %q", text, Unquote([]byte(text)))
		}
	}
}

// Members are found behind any white space, as Get finds them; other values have none.
func TestMembersAndElements(t *testing.T) {
	const object = "\r\n\t { \t\"a\"\r\n:\t[1 ,\r2\t,\n3 ]\r,\n\"b\" : -1.5e3\r, \"c\":null\t,\"d\"\n:\"x\" ,\"\\u0061\":7\n} "
	var got []string
	for key, v := range Members([]byte(object)) {
		got = append(got, key+"="+string(v))
	}
	if s := strings.Join(got, ";"); s != "a=[1 ,\r2\t,\n3 ];b=-1.5e3;c=null;d=\"x\";a=7" {
		t.Errorf("got %q", s)
	}
	got = nil
	for key, v := range Fields([]byte(object)) {
		if got = append(got, string(key)+"="+string(v)); len(got) == 2 {
			break
		}
	}
	if s := strings.Join(got, ";"); s != "a=[1 ,\r2\t,\n3 ];b=-1.5e3" {
		t.Errorf("got %q", s)
	}
	got = nil
	for e := range Elements([]byte("\n\t[ 1\t,\r\n\"a,]\" ,{\"b\":[2]}\r]")) {
		got = append(got, string(e))
	}
	if s := strings.Join(got, ";"); s != `1;"a,]";{"b":[2]}` {
		t.Errorf("got %q", s)
	}
	got = nil
	for e := range Elements([]byte(`[1,2,3]`)) {
		if got = append(got, string(e)); len(got) == 2 {
			break
		}
	}
	if len(got) != 2 {
		t.Errorf("got %q", got)
	}
	for _, text := range []string{``, ` `, `7`, `"a"`, `null`, `[1]`} {
		for key := range Fields([]byte(text)) {
			t.Errorf("%q has member %q", text, key)
		}
	}
	for _, text := range []string{``, ` `, `7`, `"[1]"`, `null`, `{"a":1}`} {
		for e := range Elements([]byte(text)) {
			t.Errorf("%q has element %q", text, e)
		}
	}
}

func TestGetString(t *testing.T) {
	const object = `{"a":"x\n","b":7,"c":null,"d":["x"],"e":"","f":"first","\u0066":"last","aa":"no","\u0067":1}`
	for name, want := range map[string]string{"a": "x\n", "b": "", "c": "", "d": "", "e": "", "f": "last", "g": "", "z": "", "": ""} {
		if got := GetString([]byte(object), name); got != want {
			t.Errorf("GetString(%s) = %q, want %q", name, got, want)
		}
	}
	if got := Get([]byte(object), "z"); got != nil {
		t.Errorf("got %q of nothing", got)
	}
	if got := Get([]byte(object), "e"); string(got) != `""` || cap(got) != 2 {
		t.Errorf("got %q with room for %d", got, cap(got))
	}
	for text, want := range map[string]bool{"": true, "null": true, `"null"`: false, "0": false, "nul": false, "{}": false} {
		if IsNull([]byte(text)) != want {
			t.Errorf("IsNull(%q) is %v", text, !want)
		}
	}
}

// Whatever the text, nothing is read out of bounds, and a piece that is cut yields
// nothing wrong.
func TestEveryBrokenText(t *testing.T) {
	every(6, []string{"{", "}", "[", "]", `"`, `\`, ":", ",", "1"}, func(text string) {
		b := []byte(text)
		for range Fields(b) {
		}
		for range Elements(b) {
		}
		Get(b, "a")
		Unquote(b)
		Drop(b, "a")
		AppendUnquoted(nil, []byte(`"`+text+`"`))
		object, whole := CloseUp(b)
		if !json.Valid(object) || len(object) == 0 || object[0] != '{' {
			t.Fatalf("CloseUp(%q) = %q", text, object)
		}
		if whole && string(object) != text {
			t.Fatalf("CloseUp(%q) = %q, whole", text, object)
		}
	})
	if n := Skip([]byte(`[1, "a"] x`), 0); n != 8 {
		t.Errorf("Skip is %d", n)
	}
	for text, want := range map[string]int{"": -1, ",": -1, "1 ": 1, "1\t": 1, "1\n": 1, "1\r": 1, "1:": 1, "1}": 1, "1]": 1, "1,": 1, `"a`: -1, "[1": -1, `["]`: -1, "{}": 2} {
		if got := Skip([]byte(text), 0); got != want {
			t.Errorf("Skip(%q) is %d, want %d", text, got, want)
		}
	}
}

// Every way in which an object can be changed leaves valid JSON with what is said.
func TestRewriteDropMerge(t *testing.T) {
	rewritten := Rewrite([]byte("in front "), []byte(`{ "a" : 1 , "b":"x" }`), func(dst, key, value []byte) []byte {
		if string(key) == "a" {
			return append(dst, "[2]"...)
		}
		return append(append(dst, value...), '!')
	})
	if got, want := string(rewritten), `in front { "a" : [2] , "b":"x"! }`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for text, want := range map[string]string{
		`{"a":1}`: `{}`, `{"a":1,"b":2}`: `{"b":2}`, `{"b":2,"a":1}`: `{"b":2}`, `{"b":2,"a":1,"c":3}`: `{"b":2,"c":3}`, `{ "b":2 , "a":1 }`: `{ "b":2 }`,
		`{"a":1,"a":2}`: `{}`, `{"a":1,"b":2,"a":3}`: `{"b":2}`, `{"b":1,"a":2,"a":3}`: `{"b":1}`, `{"b":1,"a":2,"c":4,"a":3}`: `{"b":1,"c":4}`,
		`{"\u0061":1,"b":2}`: `{"b":2}`, `{"b":{"a":1}}`: `{"b":{"a":1}}`, `[1]`: `[1]`, `{"b":1,"c":2,"a":3,"a":4}`: `{"b":1,"c":2}`,
	} {
		in := []byte(text)
		got := Drop(in, "a")
		if string(got) != want || text == want && &got[0] != &in[0] || string(in) != text {
			t.Errorf("Drop(%s) = %s, want %s; it is %s now", text, got, want, in)
		}
	}
	for _, tt := range []struct{ base, over, want, values string }{
		{`{}`, `{}`, `{}`, `{}`},
		{`{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`, `{"a":1,"b":2}`},
		{`{"a":1,"b":2}`, `{"a":null}`, `{"a":null,"b":2}`, `{"a":1,"b":2}`},
		{`{"a":1}`, `{"b":null}`, `{"a":1,"b":null}`, `{"a":1,"b":null}`},
		{`{"a":null}`, `{"a":2}`, `{"a":2}`, `{"a":2}`},
		{`{"a":{"b":1}}`, `{"a":{"c":2}}`, `{"a":{"c":2}}`, `{"a":{"c":2}}`},
		{`{"\u0061":1}`, `{"a":2}`, `{"\u0061":2}`, `{"\u0061":2}`},
		{`{"a":1}`, `{"\u0061":2}`, `{"a":2}`, `{"a":2}`},
		{`{"b":1}`, `{"\u0061":2}`, `{"b":1,"\u0061":2}`, `{"b":1,"\u0061":2}`},
		{`{"\u0062":1}`, `{"a":2}`, `{"\u0062":1,"a":2}`, `{"\u0062":1,"a":2}`},
		{`{"a":1}`, `{"a":2,"a":3}`, `{"a":3}`, `{"a":3}`},
	} {
		if got := string(Merge([]byte(tt.base), []byte(tt.over))); got != tt.want {
			t.Errorf("Merge(%s, %s) = %s, want %s", tt.base, tt.over, got, tt.want)
		}
		if got := string(AppendMergedValues([]byte("x"), []byte(tt.base), []byte(tt.over))); got != "x"+tt.values || string(MergeValues([]byte(tt.base), []byte(tt.over))) != tt.values {
			t.Errorf("MergeValues(%s, %s) = %s, want %s", tt.base, tt.over, got[1:], tt.values)
		}
	}
	if got, err := Marshal(map[string]string{"a": "<&>"}); err != nil || string(got) != `{"a":"<&>"}` || cap(got) != len(got) {
		t.Errorf("got %s, %v, room for %d", got, err, cap(got))
	}
	if _, err := Marshal(func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

// Depth is bounded where encoding/json bounds it; what is closed up leaves room around it.
func TestDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, n := range []int{maxDepth - 1, maxDepth, maxDepth + 1} {
		if got := Valid([]byte(nested(n))); got != json.Valid([]byte(nested(n))) {
			t.Errorf("%d levels: %v", n, got)
		}
	}
	const most = maxDepth - roomAround
	for _, n := range []int{most - 2, most - 1, most} {
		text := `{"a":` + nested(n) + `}`
		object, whole := CloseUp([]byte(text))
		if whole != (n < most) || whole && string(object) != text {
			t.Errorf("%d levels in an object: whole is %v", n, whole)
		}
		around := strings.Repeat("[", roomAround) + string(object) + strings.Repeat("]", roomAround)
		if !json.Valid([]byte(around)) {
			t.Errorf("%d levels in an object: no room around it", n)
		}
	}
	// Beside the deepest place things go on as before.
	text := `{"a":` + strings.Repeat("[", most-1) + `1,"x",{`
	object, whole := CloseUp([]byte(text))
	if want := text[:len(text)-2] + strings.Repeat("]", most-1) + "}"; whole || string(object) != want {
		t.Errorf("closed up otherwise: %d bytes, want %d", len(object), len(want))
	}
}
