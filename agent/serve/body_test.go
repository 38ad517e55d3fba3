package serve

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
)

// What a body has wrong is told in JSON's words: the member, what it has to be, what it is.
func TestBodyProblem(t *testing.T) {
	type body struct {
		message
		Call    agent.PendingCall `json:"call"`
		Records int               `json:"records"`
		Ratio   float64           `json:"ratio"`
		Data    []byte            `json:"data"`
		Next    *message          `json:"next"`
	}
	for raw, want := range map[string]string{
		`hello`:                          "can't be read on at byte 1",
		`{"text":`:                       "ends in the middle",
		`{"text":"a"} {}`:                "more behind",
		`["text"]`:                       "The body must be an object, not an array.",
		`"text"`:                         "The body must be an object, not a string.",
		`{"text":5}`:                     "text must be a string, not a number.",
		`{"text":true}`:                  "text must be a string, not true.",
		`{"text":{}}`:                    "text must be a string, not an object.",
		`{"idle":"yes"}`:                 "idle must be true or false, not a string.",
		`{"content":"hi"}`:               "content must be an array, not a string.",
		`{"meta":[]}`:                    "meta must be an object, not an array.",
		`{"meta":{"a":1}}`:               "meta.a must be a string, not a number.",
		`{"records":1.5}`:                "records must be a whole number.",
		`{"records":"1"}`:                "records must be a number, not a string.",
		`{"ratio":[]}`:                   "ratio must be a number, not an array.",
		`{"data":1}`:                     "data must be a string, not a number.",
		`{"data":"%"}`:                   "docs/serve.md",
		`{"call":{"input":{"to":"x"}}}`:  "call.input must be a string, not an object.",
		`{"call":{"since":"yesterday"}}`: `call.since is no time; write it as "2026-11-28T09:00:00Z".`,
		`{"call":{"recrd":1}}`:           `There is no member "recrd" of call. Did you mean "record"?`,
		`{"next":{"text":1}}`:            "next.text must be a string, not a number.",
		`{"prompt":"hi"}`:                `There is no member "prompt". There are: `,
		`{"txt":"hi"}`:                   `There is no member "txt". Did you mean "text"?`,
		`{"Text":"hi","IDLE":null}`:      "",
		"":                               "",
		" null ":                         "",
		`{"content":[1,{}],"meta":{"a":"b"},"idle":false,"call":{"since":"2026-11-28T09:00:00Z"},"data":"YQ==","next":null}`: "",
	} {
		err := decodeBody([]byte(raw), new(body), true)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", raw, err)
			}
			continue
		}
		p, ok := err.(*Problem)
		if !ok || p.Type != "bad_body" || p.Status != 400 || p.Detail == "" || !strings.Contains(p.Title+" "+p.Detail, want) {
			t.Errorf("%s: %+v, not %q", raw, err, want)
			continue
		}
		for _, word := range []string{"json:", "unmarshal", "Go value", "struct", "float64"} {
			if strings.Contains(p.Title+p.Detail, word) {
				t.Errorf("%s: %q is a word of Go's: %+v", raw, word, p)
			}
		}
	}
	// Clients of other protocols send members of their own.
	var b body
	if err := decodeBody([]byte(`{"more":1,"text":"a","next":{"else":2}}`), &b, false); err != nil || b.Text != "a" {
		t.Errorf("%+v, %v", b, err)
	}
	if err := decodeBody([]byte(`{"more":1,"text":2}`), &b, false); err == nil {
		t.Error("text is a number")
	}
}

// Each kind of value that a body may hold is looked at.
func TestMisfitOfWhatDecodesItself(t *testing.T) {
	type own struct {
		S special `json:"s"`
	}
	if err := decodeBody([]byte(`{"s":"bad"}`), new(own), true); err == nil || !strings.Contains(err.(*Problem).Detail, "s can't be read.") {
		t.Errorf("%+v", err)
	}
	if err := decodeBody([]byte(`{"s":"good"}`), new(own), true); err != nil {
		t.Error(err)
	}
}

type special string

func (s *special) UnmarshalJSON(raw []byte) error {
	if string(raw) != `"good"` {
		return json.Unmarshal([]byte("{"), s)
	}
	return nil
}
