package main

import (
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport/anthropic/cassette"
)

// region test
func TestSupport(t *testing.T) {
	a, err := newSupport(cassette.Open(t, "testdata/support.json").Client())
	if err != nil {
		t.Fatal(err)
	}
	result, err := a.Run(t.Context(), agent.Input{Prompt: question})
	if err != nil {
		t.Fatal(err)
	}
	if result.Steps != 3 || !strings.Contains(result.Text, "Lyon") {
		t.Errorf("%d steps: %s", result.Steps, result.Text)
	}
}

// endregion
