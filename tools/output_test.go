package tools_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

// An answer without a text is told as that: "not valid JSON: EOF" doesn't say
// that the model said nothing.
func TestEmptyAnswerIsToldAsEmpty(t *testing.T) {
	o, err := tools.NewOutput[struct{ City string }]()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"": "is empty", " \n": "is empty", `{"City"`: "not valid JSON"} {
		_, err := o.Parse(text)
		var misfit *tools.AnswerError
		if !errors.As(err, &misfit) || misfit.Text != text || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want one with %q", text, err, want)
		}
	}
}

// The service closes each object of an answer, so of a map of anything it would let
// the model write {} and nothing else.
func TestAnAnswerIsNoMapOfAnything(t *testing.T) {
	if _, err := tools.NewOutput[map[string]any](); err == nil || !strings.Contains(err.Error(), "answer of type map[string]interface {}: it is an object of any form; change it to a struct") {
		t.Error(err)
	}
	if _, err := tools.NewOutput[struct{}](); err != nil {
		t.Error(err)
	}
}

// What an answer need not have may be null, as in the arguments of a call, and nothing
// else may.
func TestAnOptionalPartOfAnAnswerMayBeNull(t *testing.T) {
	type part struct {
		Name string  `json:"name"`
		Note *string `json:"note,omitempty"`
	}
	type answer struct {
		part
		Parts []part `json:"parts,omitempty"`
	}
	one, err := tools.NewOutput[answer]()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{"name":"a","note":null}`, `{"name":"a","note":null,"parts":null}`, `{"name":"a","parts":[{"name":"b","note":null}]}`} {
		if v, err := one.Parse(text); err != nil || v.Name != "a" || v.Note != nil || strings.Contains(text, "[") != (len(v.Parts) == 1) {
			t.Errorf("%s: %+v, %v", text, v, err)
		}
	}
	for text, want := range map[string]string{
		`{"name":null}`:                          "name: expected string, got null",
		`{"name":1,"note":null}`:                 "name: expected string, got 1",
		`{"name":"a","parts":[null]}`:            "parts[0]: expected object, got null",
		`{"name":"a","name":"b","note":null}`:    "name",
		`{"name":"a","note":null,"other":null}`:  "other",
		`{"name":"a","parts":[{"note":null}]}`:   "name",
		`{"name":"a","note":null,"note":"text"}`: "note",
	} {
		if v, err := one.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %s", text, v, err, want)
		}
	}
	list, err := tools.NewOutput[[]part]()
	if err != nil {
		t.Fatal(err)
	}
	if v, err := list.Parse(`{"value":[{"name":"a","note":null},{"name":"b","note":"x"}]}`); err != nil || len(v) != 2 || v[0].Note != nil || *v[1].Note != "x" {
		t.Errorf("%+v, %v", v, err)
	}
}
