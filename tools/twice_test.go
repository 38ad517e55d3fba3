package tools_test

import (
	"context"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
)

// A type that brings definitions with its schema may be used more than once.
func TestDefinitionsOfATypeUsedTwice(t *testing.T) {
	type in struct {
		One Variant `json:"one"`
		Two Variant `json:"two"`
	}
	def, err := tools.Func("t", "T.", func(context.Context, in) (string, error) { return "", nil }).Definition()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(def.Raw()); strings.Count(got, `"$ref":"#/$defs/Choice"`) != 2 || strings.Count(got, `"Choice":`) != 1 {
		t.Errorf("%s", got)
	}
}
