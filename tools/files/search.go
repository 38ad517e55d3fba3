package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/whorl-go/whorl/internal/runes"
	"github.com/whorl-go/whorl/tools/internal/textfile"
)

type searchIn struct {
	Expression string `json:"expression" jsonschema_description:"Regular expression in Go's syntax (RE2), matched against each line" jsonschema:"minLength=1,maxLength=1000"`
	Path       string `json:"path,omitempty" jsonschema_description:"Folder or file to search; empty means all"`
	Pattern    string `json:"pattern,omitempty" jsonschema_description:"Pattern of paths, as in list_files"`
	IgnoreCase bool   `json:"ignore_case,omitempty"`
	Context    int    `json:"context,omitempty" jsonschema_description:"Lines to show around each match" jsonschema:"minimum=0,maximum=10"`
}

// Bounds of a search. A step is one instruction of the expression's program tried
// at one byte: matching takes at most about so many of them, and rarely as many.
const (
	maxProgram  = 5000      // instructions of an expression
	maxSearched = 256 << 20 // bytes
	maxSteps    = 16 * maxSearched
	restSteps   = 1 << 22 // between two looks at the context
)

var (
	errEnough  = errors.New("enough")
	errStopped = errors.New("stopped")
)

func (f *folder) search(ctx context.Context, in searchIn) (string, error) {
	name, pattern, err := f.scope(in.Path, in.Pattern)
	if err != nil {
		return "", err
	}
	expression := "(?m)" + in.Expression
	if in.IgnoreCase {
		expression = "(?mi)" + in.Expression
	}
	program, err := bounded(expression, maxProgram)
	if err != nil {
		return "", fmt.Errorf("the expression can't be read: %w", err)
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return "", fmt.Errorf("the expression can't be read: %w", err)
	}
	s := search{folder: f, ctx: ctx, re: re, program: int64(program), context: in.Context}
	s.literal, _ = re.LiteralPrefix()
	err = f.walk(ctx, name, func(at string, d fs.DirEntry) error {
		if !d.Type().IsRegular() || !pattern.match(name, at) {
			return nil
		}
		return s.file(at)
	})
	note := ""
	switch {
	case errors.Is(err, errEnough):
		note = "[more matches than shown; narrow the expression, the path or the pattern]\n"
	case errors.Is(err, errStopped):
		note = fmt.Sprintf("[stopped after %d files and %d bytes: that is as much as one search takes with such an expression; narrow the path or the pattern]\n", s.files, s.bytes)
	case errors.Is(err, errTooMany):
		note = fmt.Sprintf("[stopped: %v]\n", err)
	case err != nil:
		return "", f.explain(in.Path, err)
	}
	if s.large > 0 {
		note += fmt.Sprintf("[%d files of more than %d bytes were not searched]\n", s.large, f.MaxFileBytes)
	}
	if s.found == 0 {
		note = strings.TrimSuffix(fmt.Sprintf("no matches in %d files%s\n%s", s.files, f.unseen(in.Pattern), note), "\n")
		return note, nil
	}
	text := textfile.Cut(strings.TrimSuffix(s.out.String(), "\n"), f.MaxResultBytes)
	return strings.TrimSuffix(text+"\n"+note, "\n"), nil
}

// A search collects the matching lines.
type search struct {
	*folder
	ctx     context.Context
	re      *regexp.Regexp
	literal string // what every match begins with
	program int64  // instructions of re, about
	context int

	out                 strings.Builder
	found, files, large int
	bytes, steps        int64
	looked              int64 // steps at the last look at the context
}

func (s *search) file(name string) error {
	data, err := textfile.Read(s.root, name, s.MaxFileBytes)
	switch {
	case errors.Is(err, textfile.ErrTooLarge):
		s.large++
		return nil
	case err != nil: // gone, or not for us: grep passes over it as well
		return nil
	}
	content, ok := readable(data)
	if !ok {
		return nil
	}
	size := int64(len(content))
	if s.bytes+size > maxSearched || s.steps+size*s.program > maxSteps {
		return errStopped
	}
	s.files++
	s.bytes += size
	if !strings.Contains(content, s.literal) {
		return nil
	}
	lines := textfile.Lines(content)
	shown := 0 // lines up to here have been written
	for i, line := range lines {
		if matched, err := s.matches(line); err != nil {
			return err
		} else if !matched {
			continue
		}
		if s.found++; s.found > s.MaxMatches || s.out.Len() > s.MaxResultBytes {
			return errEnough
		}
		for at := max(i-s.context, shown); at <= min(i+s.context, len(lines)-1); at++ {
			mark := ":"
			if at != i {
				mark = "-"
			}
			fmt.Fprintf(&s.out, "%s%s%d%s %s\n", s.shown(name), mark, at+1, mark, clip(lines[at]))
			shown = at + 1
		}
	}
	return nil
}

// readable is the content of a text file, also if its encoding isn't known.
func readable(data []byte) (string, bool) {
	text, err := textfile.Decode(data)
	if err == nil {
		return text.String, true
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return "", false
	}
	return strings.ReplaceAll(strings.ToValidUTF8(string(data), "\uFFFD"), "\r\n", "\n"), true
}

// matches matches one line, and looks at the context every restSteps.
func (s *search) matches(line string) (bool, error) {
	cost := int64(len(line)+1) * s.program
	s.steps += cost
	if s.steps-s.looked > restSteps {
		s.looked = s.steps
		if s.ctx.Err() != nil {
			return false, context.Cause(s.ctx)
		}
	}
	if cost <= restSteps {
		return s.re.MatchString(line), nil
	}
	matched := s.re.MatchReader(&cancelled{ctx: s.ctx, Reader: strings.NewReader(line), every: int(restSteps / s.program)})
	if s.ctx.Err() != nil {
		return false, context.Cause(s.ctx)
	}
	return matched, nil
}

// cancelled is a line that ends when the context does.
type cancelled struct {
	*strings.Reader
	ctx         context.Context
	read, every int
}

// ReadRune looks at the context every so often.
func (c *cancelled) ReadRune() (rune, int, error) {
	if c.read++; c.read%max(c.every, 1) == 0 && c.ctx.Err() != nil {
		return 0, 0, io.EOF
	}
	return c.Reader.ReadRune()
}

// clip cuts a line that no one would read.
func clip(line string) string {
	const most = 400
	if len(line) <= most {
		return line
	}
	return runes.Cut(line, most) + fmt.Sprintf(" … (%d bytes)", len(line))
}
