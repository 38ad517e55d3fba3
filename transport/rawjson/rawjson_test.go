package rawjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

var seeds = []string{
	`{}`, `[]`, `null`, `""`, `{"a":1}`, ` { "a" : [ 1 , { "b" : "\"}" } ] , "c" : null } `,
	`{"a":{"b":[1,2,{"c":"x"}]},"a":2}`, `"\ud83d\ude00 \ud83d \u00e9 \/ \\ \" \n"`, `[1,-2.5e10,true,false,null,"x",[[]],{}]`,
	`{"é":1,"\u0061":2,"":3}`, `{"n":9223372036854775807}`, `{"a":`, `{"a":"x`, `{"a":1,"b":{"c":[1,2`, `[`, `{"a":tru`, `{"a":1}x`, `{"a" 1}`, "{\"a\":\"\x01\"}", `{"a":1,}`,
}

func FuzzAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		// Nothing may panic, whatever the input.
		for range Elements(text) {
		}
		for range Fields(text) {
		}
		if dropped := Drop(text, "a"); json.Valid(text) && !json.Valid(dropped) {
			t.Fatalf("Drop(%q) = %q", text, dropped)
		}
		object, whole := CloseUp(text)
		var m map[string]json.RawMessage
		if err := json.Unmarshal(object, &m); err != nil {
			t.Fatalf("CloseUp(%q) = %q: %v", text, object, err)
		}
		if whole != (json.Unmarshal(text, &m) == nil && m != nil) {
			t.Fatalf("CloseUp(%q): whole is %v", text, whole)
		}
		if Valid(text) != json.Valid(text) {
			t.Fatalf("Valid(%q) is %v", text, Valid(text))
		}
		if !json.Valid(text) {
			return
		}
		if m = nil; json.Unmarshal(text, &m) == nil && m != nil {
			n := 0
			seen := make(map[string]bool)
			for key, v := range Members(text) {
				n++
				seen[key] = true
				if !json.Valid(v) {
					t.Fatalf("%q: member %q is %q", text, key, v)
				}
			}
			if len(seen) != len(m) {
				t.Fatalf("%q: %d members, want %d", text, len(seen), len(m))
			}
			for key, want := range m {
				if got := Get(text, key); utf8.Valid(text) && !bytes.Equal(got, want) {
					t.Fatalf("%q: Get(%q) = %q, want %q", text, key, got, want)
				}
			}
		}
		var list []json.RawMessage
		if json.Unmarshal(text, &list) == nil && list != nil {
			var got []json.RawMessage
			for e := range Elements(text) {
				got = append(got, e)
			}
			if len(got) != len(list) {
				t.Fatalf("%q: %d elements, want %d", text, len(got), len(list))
			}
			for i := range list {
				if !bytes.Equal(got[i], list[i]) {
					t.Fatalf("%q: element %d is %q, want %q", text, i, got[i], list[i])
				}
			}
		}
		var s string
		if trimmed := Trim(text); len(trimmed) > 0 && trimmed[0] == '"' && json.Unmarshal(text, &s) == nil {
			if got := Unquote(trimmed); got != s {
				t.Fatalf("Unquote(%q) = %q, want %q", text, got, s)
			}
			var back string
			if err := json.Unmarshal(AppendString(nil, s), &back); err != nil || back != s {
				t.Fatalf("AppendString(%q) comes back as %q: %v", s, back, err)
			}
		}
	})
}

func TestCloseUp(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		whole      bool
	}{
		{``, `{}`, false},
		{`nonsense`, `{}`, false},
		{`"text"`, `{}`, false},
		{`{`, `{}`, false},
		{` {"a": 1} `, `{"a": 1}`, true},
		{`{"a": 1}x`, `{"a": 1}`, false},
		{`{"path":"a.go","text":"hello wor`, `{"path":"a.go"}`, false},
		{`{"path":"a.go","te`, `{"path":"a.go"}`, false},
		{`{"path":"a.go","text"`, `{"path":"a.go"}`, false},
		{`{"path":"a.go","text":`, `{"path":"a.go"}`, false},
		{`{"path":"a.go",`, `{"path":"a.go"}`, false},
		{`{"path":"a.go"`, `{"path":"a.go"}`, false},
		{`{"n":12`, `{}`, false},
		{`{"n":12,`, `{"n":12}`, false},
		{`{"n":tru`, `{}`, false},
		{`{"a":{"b":[1,{"c":2},3`, `{"a":{"b":[1,{"c":2}]}}`, false},
		{`{"a":[`, `{"a":[]}`, false},
		{`{"a":[1,]}`, `{"a":[1]}`, false},
		{`{"a":"\u12`, `{}`, false},
		{`{"a":"\q","b":1}`, `{}`, false},
		{`{"a":{"b":[[1]],"c":2},"d":3,"e`, `{"a":{"b":[[1]],"c":2},"d":3}`, false}, // what ends at one place goes on behind it
	} {
		got, whole := CloseUp([]byte(tt.text))
		if string(got) != tt.want || whole != tt.whole {
			t.Errorf("CloseUp(%q) = %q, %v; want %q, %v", tt.text, got, whole, tt.want, tt.whole)
		}
	}
}

// However much of an object has come, closing it up gives an object that the
// whole one contains.
func TestCloseUpOfEveryPrefix(t *testing.T) {
	const text = `{"a":[1,"two",{"b":null,"c":"\ud83d\ude00"}],"d":{"e":{"f":-1.5e3}},"g":true}`
	var all any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	for n := range len(text) {
		got, whole := CloseUp([]byte(text[:n]))
		var part any
		if err := json.Unmarshal(got, &part); err != nil || whole {
			t.Fatalf("%q: %q, %v, %v", text[:n], got, whole, err)
		}
		if !within(part, all) {
			t.Fatalf("%q: %q is not a part of it", text[:n], got)
		}
	}
}

func within(part, all any) bool {
	switch p := part.(type) {
	case map[string]any:
		a, ok := all.(map[string]any)
		for k, v := range p {
			ok = ok && within(v, a[k])
		}
		return ok
	case []any:
		a, ok := all.([]any)
		for i, v := range p {
			ok = ok && i < len(a) && within(v, a[i])
		}
		return ok
	}
	return reflect.DeepEqual(part, all)
}

func TestMerge(t *testing.T) {
	got := Merge([]byte(`{"a":1,"b":{"x":1},"c":null}`), []byte(`{"d":4,"b":{"y":2},"c":3}`))
	if want := `{"a":1,"b":{"y":2},"c":3,"d":4}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDrop(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{}`, `{}`},
		{`{"a":1}`, `{"a":1}`},
		{`{"x":1}`, `{}`},
		{`{ "x" : 1 }`, `{ }`},
		{`{"x":1,"a":2}`, `{"a":2}`},
		{`{"a":2,"x":1}`, `{"a":2}`},
		{`{"a":2, "x":{"x":1} , "b":3 }`, `{"a":2, "b":3 }`},
		{`{"x":1,"x":2}`, `{}`},
		{`{"a":0,"x":1,"x":2}`, `{"a":0}`},
	} {
		got := Drop([]byte(tt.text), "x")
		var a, b any
		if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(tt.want), &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestMarshal(t *testing.T) {
	got, err := Marshal(map[string]string{"a": "<&>"})
	if want := `{"a":"<&>"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := Marshal(func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

func TestLookingUpAllocatesNothing(t *testing.T) {
	text := []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + strings.Repeat("x", 1000) + `"}}`)
	n := testing.AllocsPerRun(100, func() {
		for key, v := range Fields(text) {
			if string(key) == "delta" && Get(v, "text") == nil {
				t.Fatal("no text")
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleFields() {
	for key, value := range Fields([]byte(`{"id": 9007199254740993, "ok": true}`)) {
		fmt.Printf("%s is %s\n", key, value)
	}
	// Output:
	// id is 9007199254740993
	// ok is true
}

func ExampleCloseUp() {
	object, whole := CloseUp([]byte(`{"path":"a.go","lines":[1,2,3`))
	fmt.Println(string(object), whole)
	// Output: {"path":"a.go","lines":[1,2]} false
}

// Merging agrees with copying one map into another, whatever the keys look like.
func TestMergeOfEscapedAndRepeatedKeys(t *testing.T) {
	for _, tt := range []struct{ base, over, merged, values string }{
		{`{"a":1,"b":2}`, `{"b":3,"c":4}`, `{"a":1,"b":3,"c":4}`, `{"a":1,"b":3,"c":4}`},
		{`{"a":1,"b":null}`, `{"a":null,"b":2,"c":null}`, `{"a":null,"b":2,"c":null}`, `{"a":1,"b":2,"c":null}`},
		{`{"\u0061":1}`, `{"a":2}`, `{"\u0061":2}`, `{"\u0061":2}`},
		{`{"a":1}`, `{"\u0061":2,"a":3}`, `{"a":3}`, `{"a":3}`},
		{` { "a" : [ 1 , 2 ] } `, ` { } `, `{"a":[ 1 , 2 ]}`, `{"a":[ 1 , 2 ]}`},
		{`{}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
	} {
		if got := string(Merge([]byte(tt.base), []byte(tt.over))); got != tt.merged {
			t.Errorf("Merge(%s, %s) = %s, want %s", tt.base, tt.over, got, tt.merged)
		}
		if got := string(MergeValues([]byte(tt.base), []byte(tt.over))); got != tt.values {
			t.Errorf("MergeValues(%s, %s) = %s, want %s", tt.base, tt.over, got, tt.values)
		}
	}
}
