// Package terminal shows the examples' runs as they go: on a terminal with
// colours, elsewhere as plain lines.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Printer shows the events of a run. Progress goes to Progress, the text of
// the answer to Answer, so that the answer alone can be redirected.
type Printer struct {
	Answer, Progress io.Writer
	Colour           bool

	midLine  bool // the answer's last line is not ended
	thinking bool // a line of thinking is open
}

// New makes a Printer for a program: the answer on standard output, progress on
// standard error. Colours are used if that is a terminal and NO_COLOR is not set.
func New() *Printer {
	return &Printer{
		Answer: os.Stdout, Progress: os.Stderr,
		Colour: IsTerminal(os.Stderr) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

// IsTerminal reports whether f is a terminal, or at least no file and no pipe.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

const (
	dim    = "\x1b[2m"
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	normal = "\x1b[0m"
)

func (p *Printer) paint(colour, text string) string {
	if !p.Colour {
		return text
	}
	return colour + text + normal
}

// Note prints a line of progress.
func (p *Printer) Note(format string, args ...any) {
	p.endLine()
	fmt.Fprintln(p.Progress, p.paint(dim, fmt.Sprintf(format, args...)))
}

// Line prints a line as it is.
func (p *Printer) Line(format string, args ...any) {
	p.endLine()
	fmt.Fprintf(p.Progress, format+"\n", args...)
}

// Heading prints a line that others follow.
func (p *Printer) Heading(format string, args ...any) {
	p.endLine()
	fmt.Fprintln(p.Progress, p.paint(bold, fmt.Sprintf(format, args...)))
}

// Fail prints an error.
func (p *Printer) Fail(err error) {
	p.endLine()
	fmt.Fprintln(p.Progress, p.paint(red, "error: "+err.Error()))
}

// Event shows one event.
func (p *Printer) Event(ev agent.Event) {
	switch ev.Type {
	case agent.EventStep:
		p.endLine()
		fmt.Fprintln(p.Progress, p.paint(bold, fmt.Sprintf("step %d", ev.Step)))
	case agent.EventStream:
		p.stream(ev)
	case agent.EventToolEnd:
		p.endLine()
		mark := p.paint(green, "✓")
		if ev.IsError {
			mark = p.paint(red, "✗")
		}
		fmt.Fprintf(p.Progress, "  %s %s(%s) %s\n", mark, ev.Call.Name, Brief(ev.Call.Input, 70), p.paint(dim, Took(ev.Took)))
		if ev.IsError {
			fmt.Fprintln(p.Progress, "    "+p.paint(red, cut(resultText(ev.Result), 160)))
		}
	case agent.EventResponse:
		if ev.Response.StopReason == transport.StopPauseTurn {
			p.Note("  the model paused its turn; going on")
		}
	}
}

func (p *Printer) stream(ev agent.Event) {
	switch s := ev.Stream; {
	case s.Type == transport.EventRestarted:
		p.Note("  the connection broke; starting the answer again")
	case s.Delta.Type == transport.DeltaThinking:
		if !p.thinking {
			p.endLine()
			p.thinking = true
			fmt.Fprint(p.Progress, "  ")
			if p.Colour {
				fmt.Fprint(p.Progress, dim)
			}
		}
		fmt.Fprint(p.Progress, s.Delta.Text())
	case s.Delta.Type == transport.DeltaText:
		if p.thinking {
			p.endLine()
		}
		text := s.Delta.Text()
		fmt.Fprint(p.Answer, text)
		p.midLine = !strings.HasSuffix(text, "\n")
	case s.Type == transport.EventContentBlockStop && s.Block.Type() == transport.TypeText:
		for source := range citations(s.Block) {
			fmt.Fprint(p.Answer, p.paint(dim, " ["+source+"]"))
			p.midLine = true
		}
	case s.Type == transport.EventContentBlockStop && s.Block.Type() == transport.TypeServerToolUse:
		p.endLine()
		raw := s.Block.Raw()
		fmt.Fprintf(p.Progress, "  %s %s(%s)\n", p.paint(green, "⇡"), rawjson.GetString(raw, "name"), Brief(rawjson.Get(raw, "input"), 70))
	}
}

// citations yields the places that a text block cites, each once.
func citations(b transport.Block) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		seen := map[string]bool{}
		for c := range rawjson.Elements(rawjson.Get(b.Raw(), "citations")) {
			source := rawjson.GetString(c, "url")
			for _, name := range []string{"source", "document_title"} {
				if source == "" {
					source = rawjson.GetString(c, name)
				}
			}
			if source != "" && !seen[source] && !yield(source) {
				return
			}
			seen[source] = true
		}
	}
}

// endLine makes the next output begin a line.
func (p *Printer) endLine() {
	if p.thinking {
		if p.Colour {
			fmt.Fprint(p.Progress, normal)
		}
		fmt.Fprintln(p.Progress)
		p.thinking = false
	}
	if p.midLine {
		fmt.Fprintln(p.Answer)
		p.midLine = false
	}
}

// Summary prints what a run came to, in one line.
func (p *Printer) Summary(r *agent.Result) {
	p.endLine()
	fmt.Fprintln(p.Progress, p.paint(dim, Summary(r)))
}

// Summary is one line on a run: steps, tokens, the share of the prompt that was
// read from the cache, cost and time.
func Summary(r *agent.Result) string {
	u := r.Usage
	share := 0.0
	if n := u.PromptTokens(); n > 0 {
		share = 100 * float64(u.CacheReadInputTokens) / float64(n)
	}
	steps := "steps"
	if r.Steps == 1 {
		steps = "step"
	}
	return fmt.Sprintf("%d %s · tokens: %d read from cache, %d written, %d new, %d out · %.0f%% read from cache · %s · %s",
		r.Steps, steps, u.CacheReadInputTokens, u.CacheCreationInputTokens, u.InputTokens, u.OutputTokens, share, r.Cost, Took(r.Took))
}

// Brief is a call's arguments on one line: the values, with the names of all but
// the first.
func Brief(input []byte, most int) string {
	var b strings.Builder
	for name, value := range rawjson.Members(input) {
		if b.Len() > 0 {
			b.WriteString(", " + name + " ")
		}
		b.Write(value)
	}
	return cut(b.String(), most)
}

func resultText(result transport.Block) string {
	content := rawjson.Get(result.Raw(), "content")
	if len(content) > 0 && content[0] == '"' {
		return rawjson.Unquote(content)
	}
	for e := range rawjson.Elements(content) {
		if text := rawjson.GetString(e, "text"); text != "" {
			return text
		}
	}
	return ""
}

// cut makes text one line of at most most characters.
func cut(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// Took is a duration to three digits.
func Took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond / 10).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
