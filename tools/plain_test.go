package tools

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type plainArguments struct {
	Query  string `json:"query"`
	Limit  int    `json:"limit"`
	Small  int8
	Count  uint16  `json:"count,omitempty"`
	Ratio  float64 `json:"ratio"`
	Near   float32 `json:"near"`
	Exact  bool    `json:"exact"`
	Word   word    `json:"word"`
	Own    shouted `json:"own"`
	Quoted int     `json:"quoted,string"`
	List   []string
	Maybe  *string     `json:"maybe"`
	Number json.Number `json:"number"`
	//lint:ignore U1000 encoding/json sees no such field
	hidden string
}

type word string

// A shouted string decodes itself.
type shouted string

func (s *shouted) UnmarshalText(text []byte) error {
	*s = shouted(strings.ToUpper(string(text)))
	return nil
}

// What plain fields decode is what encoding/json makes of it, and nothing that it
// refuses. Most arguments are decoded so.
func TestPlainFieldsAgreeWithEncodingJSON(t *testing.T) {
	plain := newPlainFields(reflect.TypeFor[plainArguments]())
	for raw, sure := range map[string]bool{
		`{"query": "step", "limit": 10}`: true, ` {"limit":-3} `: true, `{}`: true,
		`{"query":"a \"b\" \u00e9 \ud83d\ude00 \ud83d","exact":true,"word":"w"}`: true,
		"{\"query\":\"\xff\"}":                               true,
		`{"Small":127,"count":65535,"ratio":1e3,"near":0.1}`: true, `{"exact":false,"limit":-0}`: true,
		`{"limit":1,"limit":2}`: true, `{"ratio":9223372036854775808}`: true,
		`{"QUERY":"folded"}`: false, `{"\u0071uery":"escaped"}`: false, `{"unknown":1}`: false, `{"hidden":"x"}`: false,
		`{"query":null}`: false, `{"query":1}`: false, `{"limit":"1"}`: false, `{"limit":1.0}`: false, `{"limit":1e1}`: false, `{"exact":"true"}`: false,
		`{"limit":[1]}`: false, `{"query":{"a":1}}`: false,
		`{"Small":128}`: false, `{"count":-1}`: false, `{"limit":9223372036854775808}`: false, `{"near":1e39}`: false, `{"ratio":1e999}`: false,
		`{"own":"x"}`: false, `{"number":"1"}`: false, `{"number":"x"}`: false, `{"quoted":"1"}`: false, `{"List":["a"]}`: false, `{"maybe":"x"}`: false,
		`null`: false, `[]`: false, `"x"`: false,
	} {
		var got, want plainArguments
		err := json.Unmarshal([]byte(raw), &want)
		if ok := plain.decode(reflect.ValueOf(&got).Elem(), []byte(raw)); ok != sure {
			t.Errorf("%s: sure is %t, want %t", raw, ok, sure)
		} else if ok && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Errorf("%s: %+v, want %+v (%v)", raw, got, want, err)
		}
		// Sure or not, the tool gets what encoding/json makes of it.
		if v, problems := decode[plainArguments]([]byte(raw), false, plain); err == nil && (problems != nil || !reflect.DeepEqual(v, want)) {
			t.Errorf("%s: decoded to %+v, want %+v (%v)", raw, v, want, problems)
		}
	}
	if newPlainFields(reflect.TypeFor[shouted]()) != nil || newPlainFields(reflect.TypeFor[struct{ json.RawMessage }]()) != nil {
		t.Error("a type that decodes itself has plain fields")
	}
}
