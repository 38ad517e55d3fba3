package tools

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func FuzzExactAgreesWithEncodingJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.50,-1e9,{"b":null}],"c":"\u00e9\n\ud83d\ude00","d":true,"e":false,"a":"again"}`, ` [ ] `, `{}`, `""`, `9007199254740993`, `null`, `"\ud800"`, `{"a":1`, `[1,]`, "\"\xff\"", `1 2`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := decodeExact(raw)
		if (err == nil) != json.Valid(raw) {
			t.Fatalf("%q: error %v, valid %v", raw, err, json.Valid(raw))
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var want any
		if err == nil && (dec.Decode(&want) != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%q: %#v, want %#v", raw, got, want)
		}
	})
}
