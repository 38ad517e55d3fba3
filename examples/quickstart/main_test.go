package main

import (
	"io"
	"os"
	"testing"

	"github.com/whorl-go/whorl/transport/simulator"
)

// The README shows testdata/output.txt.
func TestOutput(t *testing.T) {
	script, err := os.ReadFile("replies.json")
	if err != nil {
		t.Fatal(err)
	}
	replies, err := simulator.ParseReplies(script)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/output.txt")
	if err != nil {
		t.Fatal(err)
	}
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(replies...)})
	t.Setenv("ANTHROPIC_BASE_URL", sim.URL())
	t.Setenv("ANTHROPIC_API_KEY", "any")
	t.Setenv("ANTHROPIC_AUTH_TOKEN", "")
	t.Setenv("COMETAPI_KEY", "")

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func(f *os.File) { os.Stdout = f }(os.Stdout)
	os.Stdout = w
	main()
	w.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != string(want) {
		t.Errorf("it printed, %v:\n%s\nnot:\n%s", err, got, want)
	}
}
