package acp

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	sdk "github.com/coder/acp-go-sdk"

	"github.com/whorl-go/whorl/tools"
)

// FileOptions specify what the tools of [Session.Files] may do. The zero value lets the
// model write after approval.
type FileOptions struct {
	// ReadOnly leaves out the tools that write.
	ReadOnly bool
	// WithoutApproval lets the model write without asking the user.
	WithoutApproval bool
	// Hidden includes files and folders whose names begin with a dot.
	Hidden bool
	// MaxBytes is the most bytes of a file; 0 means 2 MiB.
	MaxBytes int
}

// Names of the tools, those of package tools/files.
const readName, editName, writeName = "read_file", "edit_file", "write_file"

// Files are the tools read_file, edit_file and write_file, which read and write through
// the editor: they see what isn't saved yet, and the editor shows what changes. Those
// that the editor can't serve are left out; there are none at all for an editor that
// has no files. Package tools/files has tools of the same names that use the disk.
//
// The model reaches the session's folders only. Links on this machine's disk are
// followed before that is decided.
func (s *Session) Files(o FileOptions) []tools.Tool {
	if o.MaxBytes == 0 {
		o.MaxBytes = 2 << 20
	}
	f := &editorFiles{s: s, o: o}
	var list []tools.Tool
	if !s.Client.Fs.ReadTextFile {
		return nil
	}
	list = append(list, tools.FuncWith(readName, "Read a text file of the project, as the editor has it, or some of its lines.", f.read,
		tools.Options{Traits: tools.Traits{ReadOnly: true, Repeatable: true, Private: true}}))
	if o.ReadOnly || !s.Client.Fs.WriteTextFile {
		return list
	}
	traits := tools.Options{Traits: tools.Traits{NeedsApproval: !o.WithoutApproval, Group: "files"}}
	return append(list,
		tools.FuncWith(editName, "Replace a passage of a text file. The passage must be exactly as in the file, and occur once unless all is set.", f.edit, traits),
		tools.FuncWith(writeName, "Write a whole text file. It is made if it isn't there, and overwritten if it is.", f.write, traits))
}

type editorFiles struct {
	s *Session
	o FileOptions
}

type readIn struct {
	Path  string `json:"path" jsonschema_description:"Path of the file, absolute or inside the project's folder"`
	Line  int    `json:"line,omitempty" jsonschema_description:"The first line to read, counted from 1" jsonschema:"minimum=1"`
	Limit int    `json:"limit,omitempty" jsonschema_description:"How many lines to read; all of them if left out" jsonschema:"minimum=1"`
}

type editIn struct {
	Path string `json:"path"`
	Old  string `json:"old" jsonschema_description:"The passage to replace, exactly as in the file" jsonschema:"minLength=1"`
	New  string `json:"new" jsonschema_description:"What goes in its place"`
	All  bool   `json:"all,omitempty" jsonschema_description:"Replace every occurrence"`
}

type writeIn struct {
	Path string `json:"path"`
	Text string `json:"text" jsonschema_description:"The whole content of the file"`
}

func (f *editorFiles) read(ctx context.Context, in readIn) (string, error) {
	path, err := f.place(in.Path)
	if err != nil {
		return "", err
	}
	req := sdk.ReadTextFileRequest{SessionId: sdk.SessionId(f.s.ID), Path: path}
	if in.Line > 0 {
		req.Line = &in.Line
	}
	if in.Limit > 0 {
		req.Limit = &in.Limit
	}
	text, err := f.get(ctx, req)
	if err == nil && text == "" {
		return "(empty)", nil
	}
	return text, err
}

func (f *editorFiles) get(ctx context.Context, req sdk.ReadTextFileRequest) (string, error) {
	res, err := sdk.SendRequest[sdk.ReadTextFileResponse](f.s.s.server.conn, ctx, sdk.ClientMethodFsReadTextFile, req)
	if err != nil {
		return "", told(ctx, "read "+req.Path, err)
	}
	if len(res.Content) > f.o.MaxBytes {
		return "", fmt.Errorf("%s has %d bytes, which is more than the %d that may be read; read some of its lines", req.Path, len(res.Content), f.o.MaxBytes)
	}
	return res.Content, nil
}

// told is an error of the editor's, for the model.
func told(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var e *sdk.RequestError
	if errors.As(err, &e) {
		return fmt.Errorf("the editor could not %s: %s", what, e.Message)
	}
	return fmt.Errorf("the editor could not %s: %w", what, err)
}

func (f *editorFiles) put(ctx context.Context, path, text string) error {
	if len(text) > f.o.MaxBytes {
		return fmt.Errorf("the text has %d bytes, which is more than the %d that may be written; nothing was changed", len(text), f.o.MaxBytes)
	}
	_, err := sdk.SendRequest[sdk.WriteTextFileResponse](f.s.s.server.conn, ctx, sdk.ClientMethodFsWriteTextFile,
		sdk.WriteTextFileRequest{SessionId: sdk.SessionId(f.s.ID), Path: path, Content: text})
	if err != nil {
		return told(ctx, "write "+path, err)
	}
	return nil
}

func (f *editorFiles) edit(ctx context.Context, in editIn) (string, error) {
	path, err := f.place(in.Path)
	if err != nil {
		return "", err
	}
	text, err := f.get(ctx, sdk.ReadTextFileRequest{SessionId: sdk.SessionId(f.s.ID), Path: path})
	if err != nil {
		return "", err
	}
	n := strings.Count(text, in.Old)
	switch {
	case in.Old == in.New:
		return "", errors.New("old and new are the same; nothing was changed")
	case n == 0:
		return "", fmt.Errorf("%s has no such passage; read it again. Nothing was changed", in.Path)
	case n > 1 && !in.All:
		return "", fmt.Errorf("%s has the passage %d times; include more of the surrounding text, or set all. Nothing was changed", in.Path, n)
	}
	if err := f.put(ctx, path, strings.ReplaceAll(text, in.Old, in.New)); err != nil {
		return "", err
	}
	return fmt.Sprintf("replaced %d occurrences in %s", n, in.Path), nil
}

func (f *editorFiles) write(ctx context.Context, in writeIn) (string, error) {
	path, err := f.place(in.Path)
	if err != nil {
		return "", err
	}
	if err := f.put(ctx, path, in.Text); err != nil {
		return "", err
	}
	return fmt.Sprintf("wrote %d bytes to %s", len(in.Text), in.Path), nil
}

// place is the absolute path of a file that the model may have.
func (f *editorFiles) place(path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", errors.New("the path is empty, or is none")
	}
	full := filepath.FromSlash(path)
	if !filepath.IsAbs(full) {
		full = filepath.Join(f.s.Dir, full)
	}
	full = filepath.Clean(full)
	real := resolved(full)
	for _, dir := range append([]string{f.s.Dir}, f.s.More...) {
		inside, err := filepath.Rel(dir, full)
		if err != nil || !filepath.IsLocal(inside) || inside == "." {
			continue
		}
		behind, err := filepath.Rel(resolved(dir), real)
		if err != nil || !filepath.IsLocal(behind) {
			continue
		}
		if !f.o.Hidden && (hidden(inside) || hidden(behind)) {
			return "", fmt.Errorf("%s is hidden: files and folders whose names begin with a dot can't be used", path)
		}
		return full, nil
	}
	return "", fmt.Errorf("%s is outside of the project's folders", path)
}

// resolved is a path with its links followed, as far as it is there.
func resolved(path string) string {
	rest := ""
	for p := path; ; {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			return filepath.Join(real, rest)
		}
		up := filepath.Dir(p)
		if up == p {
			return path
		}
		rest, p = filepath.Join(filepath.Base(p), rest), up
	}
}

func hidden(path string) bool {
	for _, name := range strings.Split(filepath.ToSlash(path), "/") {
		if strings.HasPrefix(name, ".") && name != "." {
			return true
		}
	}
	return false
}
