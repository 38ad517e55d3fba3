package terminal

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/simulator"
)

// show runs a script of a tool call that fails and an answer, and prints it.
func show(t *testing.T, colour bool) (answer, progress string) {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Thinking("Let me look."), simulator.Call("lookup", map[string]any{"query": "a whorl", "limit": 3})),
		simulator.Say("Not\nthere."),
	)})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: "any", Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", Thinking: &transport.Thinking{Type: "adaptive", Display: "summarized"},
		Tools: []tools.Tool{tools.Func("lookup", "Looks up.", func(_ context.Context, in struct {
			Query string `json:"query"`
			Limit int    `json:"limit"`
		}) (string, error) {
			return "", errors.New("the index is broken")
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	p := &Printer{Answer: &out, Progress: &log, Colour: colour}
	run := a.NewRun(agent.Input{Prompt: "What is a whorl?"})
	for ev, err := range run.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		p.Event(ev)
	}
	result, err := run.Result()
	if err != nil {
		t.Fatal(err)
	}
	p.Summary(result)
	return out.String(), log.String()
}

func TestPrinter(t *testing.T) {
	answer, progress := show(t, false)
	if answer != "Not\nthere.\n" {
		t.Errorf("answer %q", answer)
	}
	for _, line := range []string{"step 1\n  Let me look.\n  ✗ lookup(", "the index is broken\nstep 2\n2 steps · tokens: "} {
		if !strings.Contains(progress, line) {
			t.Errorf("progress lacks %q:\n%s", line, progress)
		}
	}
	if strings.Contains(progress, "\x1b") {
		t.Errorf("colours where there are to be none: %q", progress)
	}
	_, coloured := show(t, true)
	if strings.Count(coloured, "\x1b[2m")+strings.Count(coloured, bold)+strings.Count(coloured, red)+strings.Count(coloured, green) != strings.Count(coloured, normal) {
		t.Errorf("a colour stays on: %q", coloured)
	}
}

func TestBrief(t *testing.T) {
	for input, want := range map[string]string{
		`{"query":"a b","limit":3}`:                  `"a b", limit 3`,
		`{"text":"` + strings.Repeat("x", 90) + `"}`: `"` + strings.Repeat("x", 18) + "…",
		`{}`: "",
	} {
		if got := Brief([]byte(input), 20); got != want {
			t.Errorf("%s: %q, want %q", input, got, want)
		}
	}
	for d, want := range map[time.Duration]string{1234: "1µs", 12345678: "12.3ms", 12345678901: "12.35s"} {
		if got := Took(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
