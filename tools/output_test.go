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
