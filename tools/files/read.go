package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/whorl-go/whorl/tools/internal/textfile"
)

type readIn struct {
	Path string `json:"path"`
	From int    `json:"from,omitempty" jsonschema_description:"First line, counted from 1; 0 means from the top"`
	To   int    `json:"to,omitempty" jsonschema_description:"Last line; 0 or -1 means to the end"`
}

func (f *folder) read(_ context.Context, in readIn) (string, error) {
	_, text, err := f.text(in.Path)
	if err != nil {
		return "", err
	}
	lines := textfile.Lines(text.String)
	from, to := max(in.From, 1), in.To
	if to == 0 || to == -1 || to > len(lines) {
		to = len(lines)
	}
	switch {
	case in.From < 0 || in.To < -1:
		return "", fmt.Errorf("lines %d to %d: lines are counted from 1; the file has %d", in.From, in.To, len(lines))
	case len(lines) == 0:
		return "(the file is empty)", nil
	case from > to:
		return "", fmt.Errorf("lines %d to %d: the file has %d lines", from, max(in.To, from), len(lines))
	}
	shown := textfile.Cut(textfile.Numbered(lines, from, to), f.MaxResultBytes)
	if text.Encoding() != "" {
		shown += "\n[read as " + text.Encoding() + "]"
	}
	return shown, nil
}

type listIn struct {
	Path    string `json:"path,omitempty" jsonschema_description:"Folder to look in; empty means all"`
	Pattern string `json:"pattern,omitempty" jsonschema_description:"Pattern of the path below it, such as *.go, cmd/**/*.md or *.{ts,tsx}; empty means every file"`
}

// scope resolves the folder and the pattern that a listing or a search is given.
func (f *folder) scope(path, pattern string) (name string, g *glob, err error) {
	if name, err = f.place(path); err != nil {
		return "", nil, err
	}
	g, err = f.glob(pattern)
	return name, g, err
}

func (f *folder) list(ctx context.Context, in listIn) (string, error) {
	name, pattern, err := f.scope(in.Path, in.Pattern)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	count := 0
	err = f.walk(ctx, name, func(at string, d fs.DirEntry) error {
		if d.IsDir() || !pattern.match(name, at) {
			return nil
		}
		if count++; count <= f.MaxMatches {
			fmt.Fprintln(&b, f.shown(at))
		}
		return nil
	})
	tooMany := errors.Is(err, errTooMany)
	switch {
	case err != nil && (!tooMany || count == 0):
		return "", f.explain(in.Path, err)
	case count == 0:
		return "no files match" + f.unseen(in.Pattern), nil
	case tooMany:
		fmt.Fprintf(&b, "[stopped at %d of them: %v; the first %d are shown]\n", count, err, min(count, f.MaxMatches))
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

// unseen says what a pattern that matches nothing may have meant.
func (f *folder) unseen(pattern string) string {
	if pattern == "" {
		return ""
	}
	if !f.Hidden && (pattern[0] == '.' || strings.Contains(pattern, "/.")) && !strings.HasPrefix(pattern, "./") {
		return "; names that begin with a dot are not shown"
	}
	if name, err := f.place(pattern); err == nil && !strings.ContainsAny(pattern, "*?[{") {
		if info, err := f.root.Stat(name); err == nil && info.IsDir() {
			return "; " + pattern + " is a folder: give it as the path"
		}
	}
	return ""
}
