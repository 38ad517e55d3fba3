package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/transport/anthropic/cassette"
)

func TestWhatIsShown(t *testing.T) {
	var out bytes.Buffer
	if err := replay(t.Context(), "testdata/support.json", &terminal.Printer{Answer: &out, Progress: &out}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"> I am ann@example.com", "✓ track_order(9007199254740993)", "in Lyon", "3 steps"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in:\n%s", part, &out)
		}
	}
}

// A cassette answers what was asked when it was recorded, and nothing else.
func TestAnotherQuestionIsNotOnTheCassette(t *testing.T) {
	tape, err := cassette.New("testdata/support.json", cassette.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := newSupport(tape.Client())
	if err != nil {
		t.Fatal(err)
	}
	result, err := a.Run(t.Context(), agent.Input{Prompt: "Where is my cat?"})
	var mismatch *cassette.MismatchError
	if !errors.As(err, &mismatch) || mismatch.Difference == nil || !strings.Contains(mismatch.Difference.Sent, "cat") {
		t.Errorf("error: %v", err)
	}
	if result.Steps != 0 || tape.Left() != 3 {
		t.Errorf("%d steps, %d exchanges left", result.Steps, tape.Left())
	}
}
