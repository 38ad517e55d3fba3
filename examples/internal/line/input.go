// Package line reads lines from a terminal, where they can be edited and earlier ones
// come back, or from a pipe.
package line

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/whorl-go/whorl/agent/visible"
)

// ErrInterrupted means that Ctrl-C was typed in place of a line.
var ErrInterrupted = errors.New("interrupted")

// An Input reads what a user types: on a terminal with line editing, a history
// and pasting of many lines, elsewhere line by line. A line that ends in a
// backslash goes on in the next one.
//
// The terminal is in raw mode only while a line is read, so that Ctrl-C at any
// other time is the signal that it always is.
type Input struct {
	out     io.Writer // for prompts
	plain   *bufio.Reader
	file    *os.File // the terminal; nil if it is none
	keys    *keys
	edit    *term.Terminal
	history *History
}

// NewInput makes an Input. Prompts go to out. history may be nil.
func NewInput(in io.Reader, out io.Writer, history *History) *Input {
	if history == nil {
		history = new(History)
	}
	i := &Input{out: out, plain: bufio.NewReader(in), history: history}
	if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		i.file, i.keys = f, &keys{in: f}
		i.edit = i.newEditor()
	}
	return i
}

// Width is the number of columns of the terminal that standard output is, or 0 if it
// is none.
func Width() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func (i *Input) newEditor() *term.Terminal {
	return term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{i.keys, i.out}, "")
}

// Line reads one input, which may have several lines if they were pasted. The
// error is io.EOF at the end of the input and for Ctrl-D, and ErrInterrupted for
// Ctrl-C.
func (i *Input) Line(prompt string) (string, error) {
	text, err := i.read(prompt, "", i.history)
	if err == nil {
		i.history.save()
	}
	return text, err
}

// Answer reads the answer to a question. It is not kept in the history. On a
// terminal the line begins with the text initial, for the user to change.
func (i *Input) Answer(prompt, initial string) (string, error) {
	return i.read(prompt, initial, new(History))
}

func (i *Input) read(prompt, initial string, h *History) (string, error) {
	prompt = visible.Line(prompt)
	next := i.plainLine
	if i.edit != nil {
		state, err := term.MakeRaw(int(i.file.Fd()))
		if err != nil {
			return "", err
		}
		defer term.Restore(int(i.file.Fd()), state)
		if width, height, err := term.GetSize(int(i.file.Fd())); err == nil && width > 0 {
			if err := i.edit.SetSize(width, height); err != nil {
				return "", err
			}
		}
		i.edit.SetBracketedPasteMode(true)
		defer i.edit.SetBracketedPasteMode(false)
		i.edit.History, i.keys.typed = h, []byte(initial)
		next = i.editedLine
	}
	var lines []string
	for {
		line, more, err := next(prompt)
		if err != nil {
			return "", err
		}
		if before, ok := strings.CutSuffix(line, `\`); ok && !more {
			line, more = before, true
		}
		lines = append(lines, line)
		if !more {
			return strings.Join(lines, "\n"), nil
		}
		prompt = "… "
	}
}

// editedLine reads a line from the terminal; more is true for one of several
// that were pasted.
func (i *Input) editedLine(prompt string) (line string, more bool, err error) {
	i.edit.SetPrompt(prompt)
	line, err = i.edit.ReadLine()
	if errors.Is(err, ErrInterrupted) {
		i.edit = i.newEditor() // the old one has half a line
		fmt.Fprint(i.out, "\r\n")
	}
	if errors.Is(err, term.ErrPasteIndicator) {
		return line, true, nil
	}
	return line, false, err
}

// plainLine reads a line, and repeats it behind the prompt, for whoever reads
// the output without the input.
func (i *Input) plainLine(prompt string) (line string, more bool, err error) {
	line, err = i.plain.ReadString('\n')
	if err != nil && line == "" {
		return "", false, err
	}
	line = strings.TrimRight(line, "\r\n")
	fmt.Fprintln(i.out, prompt+visible.Line(line))
	return line, false, nil
}

// keys passes on what is typed, and reports Ctrl-C, which the editor can't tell
// from the end of the input.
type keys struct {
	in    io.Reader
	typed []byte // comes first, as if it had been typed
}

const ctrlC = 3

func (k *keys) Read(p []byte) (int, error) {
	if len(k.typed) > 0 {
		n := copy(p, k.typed)
		k.typed = k.typed[n:]
		return n, nil
	}
	n, err := k.in.Read(p)
	if bytes.IndexByte(p[:n], ctrlC) >= 0 {
		return 0, ErrInterrupted
	}
	return n, err
}
