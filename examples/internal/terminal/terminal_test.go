package terminal

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/line"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// show runs a script of a tool call that fails and an answer, and prints it.
func show(t *testing.T, colour bool) (answer, progress string) {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Thinking("Let me look."), simulator.Call("lookup", map[string]any{"query": "a whorl", "limit": 3})),
		simulator.Say("Not\nthere."),
	)})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
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
	if result.Sent < 500 { // two requests, with the definition of a tool in each
		t.Errorf("%d bytes were sent", result.Sent)
	}
	p.Summary(result)
	return out.String(), log.String()
}

func TestPrinter(t *testing.T) {
	answer, progress := show(t, false)
	if answer != "Not\nthere.\n" {
		t.Errorf("answer %q", answer)
	}
	for _, line := range []string{"step 1\n  Let me look.\n  ✗ lookup(", "the index is broken\nstep 2\n2 steps · tokens: ", " KB sent · $"} {
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

// Whatever comes from a model or a tool, the terminal gets text, and the Printer's
// own colours.
func TestHostileRun(t *testing.T) {
	const evil = "a\x1b]52;c;aGk=\ab\x1b[2Jc\u009b1md\u202ee\u200bf\rg\U000E0067"
	call := simulator.Do(simulator.Thinking(evil), simulator.Text(evil), simulator.Call("lookup", map[string]any{"query": evil, evil: evil}))
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(call, simulator.Say(evil), call, simulator.Say(evil))})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", Thinking: &transport.Thinking{Type: "adaptive", Display: "summarized"},
		Tools: []tools.Tool{tools.Func("lookup", "Looks up.", func(_ context.Context, in map[string]string) (string, error) {
			return "", errors.New("500 " + evil)
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		p := &Printer{Answer: &out, Progress: &out, Colour: colour}
		run := a.NewRun(agent.Input{Prompt: "What is it?"})
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
		p.Fail(errors.New(evil))
		p.Note("%s", evil)
		p.Line("%s", evil)
		p.Heading("%s", evil)
		in := line.NewInput(strings.NewReader(evil+"\n"), &out, nil)
		if got, err := in.Answer(evil, ""); got != evil || err != nil {
			t.Errorf("the answer is %q, %v", got, err)
		}
		text := out.String()
		for _, own := range []string{dim, bold, red, green, normal} {
			if colour {
				text = strings.ReplaceAll(text, own, "")
			}
		}
		for _, r := range text {
			if r != '\n' && !unicode.IsGraphic(r) {
				t.Fatalf("U+%04X reached the terminal: %q", r, text)
			}
		}
		if n := strings.Count(text, "<U+202E>e<U+200B>f<U+000D>g<U+E0067>"); n < 8 {
			t.Errorf("the text is shown %d times:\n%s", n, text)
		}
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
