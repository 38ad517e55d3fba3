// Package terminal shows the examples' runs as they go: on a terminal with
// colours, elsewhere as plain lines.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Printer shows the events of a run. Progress goes to Progress, the text of
// the answer to Answer, so that the answer alone can be redirected.
//
// What it prints was written by a model, by tools and by servers: all of it goes
// through [visible], but for the Printer's own colours.
type Printer struct {
	Answer, Progress io.Writer
	Colour           bool
	Offline          bool // a simulator answers: no money is spent

	words    *visible.Writer // to where words was made for, whose text may be cut anywhere
	to       io.Writer
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
func (p *Printer) Note(format string, args ...any) { p.line(dim, "", fmt.Sprintf(format, args...)) }

// Line prints a line without a colour. Every character of it is shown.
func (p *Printer) Line(format string, args ...any) {
	p.line("", "", visible.Exact(fmt.Sprintf(format, args...)))
}

// Heading prints a line that others follow. Every character of it is shown.
func (p *Printer) Heading(format string, args ...any) {
	p.line(bold, "", visible.Exact(fmt.Sprintf(format, args...)))
}

// Fail prints an error.
func (p *Printer) Fail(err error) { p.line(red, "", "error: "+err.Error()) }

// line prints a line of progress. The colour is that of the text; what stands
// before it is the Printer's own.
func (p *Printer) line(colour, before, text string) {
	p.endLine()
	text = visible.Text(text)
	if colour != "" {
		text = p.paint(colour, text)
	}
	fmt.Fprintln(p.Progress, before+text)
}

// write prints a part of what the model writes.
func (p *Printer) write(w io.Writer, text string) {
	if p.words == nil || p.to != w {
		p.flush()
		p.words, p.to = visible.NewWriter(w), w
	}
	_, _ = io.WriteString(p.words, text) // a terminal that is gone shows nothing
}

func (p *Printer) flush() {
	if p.words != nil {
		_ = p.words.Flush()
	}
	if w, ok := p.Answer.(*wrapper); ok {
		_ = w.Flush()
	}
}

// Event shows one event.
func (p *Printer) Event(ev agent.Event) {
	switch ev.Type {
	case agent.EventStep:
		p.Heading("step %d", ev.Step)
	case agent.EventStream:
		p.stream(ev)
	case agent.EventToolEnd:
		mark := p.paint(green, "✓")
		if ev.IsError {
			mark = p.paint(red, "✗")
		}
		p.line("", "  "+mark+" ", fmt.Sprintf("%s(%s) %s", ev.Call.Name, Brief(ev.Call.Input, 70), Took(ev.Took)))
		if ev.IsError {
			p.line(red, "    ", runes.Line(resultText(ev.Result), 160))
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
		p.write(p.Progress, s.Delta.Text())
	case s.Delta.Type == transport.DeltaText:
		if p.thinking {
			p.endLine()
		}
		text := s.Delta.Text()
		p.write(p.Answer, text)
		p.midLine = !strings.HasSuffix(text, "\n")
	case s.Type == transport.EventContentBlockStop && s.Block.Type() == transport.TypeText:
		for source := range citations(s.Block) {
			p.flush()
			fmt.Fprint(p.Answer, p.paint(dim, " ["+visible.Line(source)+"]"))
			p.midLine = true
		}
	case s.Type == transport.EventContentBlockStop && s.Block.Type() == transport.TypeServerToolUse:
		raw := s.Block.Raw()
		p.line("", "  "+p.paint(green, "⇡")+" ", fmt.Sprintf("%s(%s)", rawjson.GetString(raw, "name"), Brief(rawjson.Get(raw, "input"), 70)))
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
	p.flush()
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
	cost := r.Cost.String()
	if p.Offline {
		cost = "would have cost " + cost
	}
	p.line(dim, "", summary(r, cost))
}

// summary is one line on a run: steps, tokens, the share of the prompt that was
// read from the cache, what was sent in KB of 1,000 bytes, cost and time.
func summary(r *agent.Result, cost string) string {
	u := r.Usage
	share := 0.0
	if n := u.PromptTokens(); n > 0 {
		share = 100 * float64(u.CacheReadInputTokens) / float64(n)
	}
	steps := "steps"
	if r.Steps == 1 {
		steps = "step"
	}
	return fmt.Sprintf("%d %s · tokens: %d read from cache, %d written, %d new, %d out · %.0f%% read from cache · %.1f KB sent · %s · %s",
		r.Steps, steps, u.CacheReadInputTokens, u.CacheCreationInputTokens, u.InputTokens, u.OutputTokens, share, float64(r.Sent)/1000, cost, Took(r.Took))
}

// Brief is a call's arguments on one line: the values, with the names of all but
// the first.
func Brief(input []byte, most int) string {
	var b strings.Builder
	for name, value := range rawjson.Members(input) {
		if b.Len() > 0 {
			b.WriteString(", " + visible.Line(name) + " ")
		}
		b.WriteString(visible.JSON(value))
	}
	return runes.Line(b.String(), most)
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

// Line returns text as one line of at most n characters, the last of which is an
// ellipsis if there are more. n is at least 1.
func Line(text string, n int) string { return runes.Line(text, n) }
