package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/whorl-go/whorl/tools/internal/textfile"
)

type readIn struct {
	Path string `json:"path"`
	From int    `json:"from,omitempty" jsonschema_description:"First line, counted from 1" jsonschema:"minimum=1"`
	To   int    `json:"to,omitempty" jsonschema_description:"Last line" jsonschema:"minimum=1"`
}

func (f *folder) read(_ context.Context, in readIn) (string, error) {
	_, text, err := f.text(in.Path)
	if err != nil {
		return "", err
	}
	lines := textfile.Lines(text)
	from, to := max(in.From, 1), in.To
	if to == 0 || to > len(lines) {
		to = len(lines)
	}
	switch {
	case len(lines) == 0:
		return "(the file is empty)", nil
	case from > to:
		return "", fmt.Errorf("lines %d to %d: the file has %d lines", from, max(in.To, from), len(lines))
	}
	return textfile.Cut(textfile.Numbered(lines, from, to), f.MaxResultBytes), nil
}

type listIn struct {
	Path    string `json:"path,omitempty" jsonschema_description:"Folder to look in; empty means all"`
	Pattern string `json:"pattern,omitempty" jsonschema_description:"Pattern of the path below it, such as *.go or cmd/**/*.md; empty means every file"`
}

func (f *folder) list(ctx context.Context, in listIn) (string, error) {
	name, err := f.place(in.Path)
	if err != nil {
		return "", err
	}
	matches, err := globber(in.Pattern)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	count := 0
	err = f.walk(ctx, name, func(at string, d fs.DirEntry) error {
		if d.IsDir() || !matches(below(name, at)) {
			return nil
		}
		if count++; count <= f.MaxMatches {
			fmt.Fprintln(&b, f.shown(at))
		}
		return nil
	})
	switch {
	case err != nil:
		return "", f.explain(in.Path, err)
	case count == 0:
		return "no files match", nil
	case count > f.MaxMatches:
		fmt.Fprintf(&b, "[%d files in all; the first %d are shown]\n", count, f.MaxMatches)
	}
	return textfile.Cut(strings.TrimSuffix(b.String(), "\n"), f.MaxResultBytes), nil
}

func below(folder, name string) string {
	if folder == "." {
		return name
	}
	return strings.TrimPrefix(strings.TrimPrefix(name, folder), "/")
}

// globber compiles a pattern: * and ? stay inside a name, ** crosses folders,
// and a pattern without a slash is for the name alone.
func globber(pattern string) (func(string) bool, error) {
	if pattern == "" {
		return func(string) bool { return true }, nil
	}
	if !strings.Contains(pattern, "/") && !strings.Contains(pattern, "**") {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		return func(name string) bool { ok, _ := path.Match(pattern, path.Base(name)); return ok }, nil
	}
	if len(pattern) > 1000 {
		return nil, errors.New("the pattern is too long")
	}
	var b strings.Builder
	b.WriteString("^")
	for rest := strings.TrimPrefix(pattern, "/"); rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**/"):
			b.WriteString("(?:.*/)?")
			rest = rest[3:]
		case strings.HasPrefix(rest, "**"):
			b.WriteString(".*")
			rest = rest[2:]
		case rest[0] == '*':
			b.WriteString("[^/]*")
			rest = rest[1:]
		case rest[0] == '?':
			b.WriteString("[^/]")
			rest = rest[1:]
		default:
			n := strings.IndexAny(rest, "*?")
			if n < 0 {
				n = len(rest)
			}
			b.WriteString(regexp.QuoteMeta(rest[:n]))
			rest = rest[n:]
		}
	}
	re, err := regexp.Compile(b.String() + "$")
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return re.MatchString, nil
}

type searchIn struct {
	Expression string `json:"expression" jsonschema_description:"Regular expression in Go's syntax (RE2)" jsonschema:"minLength=1,maxLength=1000"`
	Path       string `json:"path,omitempty" jsonschema_description:"Folder or file to search; empty means all"`
	Pattern    string `json:"pattern,omitempty" jsonschema_description:"Pattern of paths, as in list_files"`
	IgnoreCase bool   `json:"ignore_case,omitempty"`
	Context    int    `json:"context,omitempty" jsonschema_description:"Lines to show around each match" jsonschema:"minimum=0,maximum=10"`
}

// maxSearched bounds the bytes that one search reads.
const maxSearched = 256 << 20

var errEnough = errors.New("enough")

func (f *folder) search(ctx context.Context, in searchIn) (string, error) {
	name, err := f.place(in.Path)
	if err != nil {
		return "", err
	}
	matches, err := globber(in.Pattern)
	if err != nil {
		return "", err
	}
	expression := "(?m)" + in.Expression
	if in.IgnoreCase {
		expression = "(?mi)" + in.Expression
	}
	re, err := regexp.Compile(expression)
	if err != nil {
		return "", fmt.Errorf("the expression can't be read: %w", err)
	}
	s := search{folder: f, re: re, context: in.Context}
	err = f.walk(ctx, name, func(at string, d fs.DirEntry) error {
		if !d.Type().IsRegular() || at != name && !matches(below(name, at)) {
			return nil
		}
		return s.file(at)
	})
	switch {
	case errors.Is(err, errEnough):
		fmt.Fprintf(&s.out, "[more matches than shown; narrow the expression, the path or the pattern]\n")
	case err != nil:
		return "", f.explain(in.Path, err)
	case s.found == 0:
		return fmt.Sprintf("no matches in %d files", s.files), nil
	}
	return textfile.Cut(strings.TrimSuffix(s.out.String(), "\n"), f.MaxResultBytes), nil
}

// A search collects the matching lines.
type search struct {
	*folder
	re      *regexp.Regexp
	context int

	out          strings.Builder
	found, files int
	bytes        int64
}

func (s *search) file(name string) error {
	data, err := textfile.Read(s.root, name, s.MaxFileBytes)
	if err != nil || bytes.IndexByte(data[:min(len(data), 8000)], 0) >= 0 {
		return nil // gone, too large or not text: grep passes over them as well
	}
	s.files++
	if s.bytes += int64(len(data)); s.bytes > maxSearched {
		return errEnough
	}
	if !s.re.Match(data) {
		return nil
	}
	lines := textfile.Lines(string(data))
	shown := 0 // lines up to here have been written
	for i, line := range lines {
		if !s.re.MatchString(line) {
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

// clip cuts a line that no one would read.
func clip(line string) string {
	const most = 400
	if len(line) <= most {
		return line
	}
	return strings.ToValidUTF8(line[:most], "") + fmt.Sprintf(" … (%d bytes)", len(line))
}
