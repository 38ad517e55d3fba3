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
