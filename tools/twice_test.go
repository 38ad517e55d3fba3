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

// The words on a field stand for those of the type that it is the only one to use.
func TestWordsOfAFieldThatIsAType(t *testing.T) {
	type address struct {
		City string `json:"city"`
	}
	type in struct {
		Home address `json:"home" jsonschema:"title=Where she lives,description=At night"`
	}
	def, err := tools.Func("t", "T.", func(context.Context, in) (string, error) { return "", nil }).Definition()
	if err != nil {
		t.Fatal(err)
	}
	got := string(def.Raw())
	for _, want := range []string{`"title":"Where she lives"`, `"description":"At night"`} {
		if !strings.Contains(got, want) || strings.Contains(got, "$ref") {
			t.Errorf("no %s in %s", want, got)
		}
	}
}
