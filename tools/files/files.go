package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/internal/textfile"
)

// Options specify what the tools may do. The zero value is ready to use, and lets the
// model write.
type Options struct {
	// Prefix is the folder's path as the model knows it, such as "/repo". Empty means
	// that paths are relative.
	Prefix string
	// ReadOnly leaves out the tools and commands that write.
	ReadOnly bool
	// NeedsApproval makes every write wait for approval.
	NeedsApproval bool
	// Hidden includes files and folders whose names begin with a dot.
	Hidden bool
	// Follow, if not empty, keeps what the tools overwrite beside the conversation, with
	// a note that names the folder by this word, so that package agent/rewind can put
	// the folder back. A file that is too big to be kept is not overwritten. What other
	// tools and programs write is not followed.
	Follow string

	MaxFileBytes   int64 // of a file to read, edit or write; 0 means 2 MiB
	MaxResultBytes int   // of text in a result; 0 means 32 KiB
	MaxMatches     int   // of a search, and entries of a listing; 0 means 200
}

func (o Options) withDefaults() Options {
	if o.MaxFileBytes <= 0 {
		o.MaxFileBytes = 2 << 20
	}
	if o.MaxResultBytes <= 0 {
		o.MaxResultBytes = 32 << 10
	}
	if o.MaxMatches <= 0 {
		o.MaxMatches = 200
	}
	return o
}

// A folder is what the tools of one set work on.
type folder struct {
	Options
	root   *os.Root
	lister string // what shows the model which files there are
}

// Tools returns the tools read_file, list_files and search_files and, unless
// Options.ReadOnly is set, edit_file and write_file. The caller closes root after the
// last call.
func Tools(root *os.Root, o Options) []tools.Tool {
	f := &folder{o.withDefaults(), root, "list_files"}
	read := tools.Options{Traits: tools.Traits{ReadOnly: true, Repeatable: true, Private: true}}
	write := tools.Options{Traits: f.writing()}
	set := []tools.Tool{
		tools.FuncWith("read_file", "Reads a text file, or a range of its lines, with line numbers.", f.read, read),
		tools.FuncWith("list_files", "Lists the files below a folder whose paths match a pattern.", f.list, read),
		tools.FuncWith("search_files", "Searches text files for a regular expression and shows the matching lines.", f.search, read),
	}
	if !o.ReadOnly {
		set = append(set,
			tools.FuncWith("edit_file", "Replaces one passage of a text file. The passage must be given exactly and occur once.", f.edit, write),
			tools.FuncWith("write_file", "Writes a text file, new or in place of the old one.", f.write, write))
	}
	return set
}

// writing are the traits of a tool that writes: one call at a time in a folder.
func (f *folder) writing() tools.Traits {
	return tools.Traits{Group: "files:" + f.root.Name(), NeedsApproval: f.NeedsApproval}
}

// place is the name inside the root of a path as the model wrote it.
func (f *folder) place(p string) (string, error) {
	prefix := f.Prefix
	if p == "" || p == "." {
		return ".", nil
	}
	if prefix != "" && !strings.HasPrefix(p, "/") {
		prefix = "" // relative to the folder
	}
	name, err := textfile.Clean(p, prefix)
	if err != nil {
		return "", fmt.Errorf("%q: %w", p, err)
	}
	if !f.Hidden && (hidden(name) || hidden(textfile.Resolve(f.root, name))) {
		return "", fmt.Errorf("%q: hidden files can't be accessed", p)
	}
	return name, nil
}

func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 1 && part[0] == '.' {
			return true
		}
	}
	return false
}

// shown is the path of a name as the model knows it.
func (f *folder) shown(name string) string {
	if f.Prefix == "" {
		return name
	}
	return path.Join(f.Prefix, name)
}

// text reads a text file.
func (f *folder) text(p string) (name string, text textfile.Text, err error) {
	if name, err = f.place(p); err != nil {
		return "", text, err
	}
	data, err := textfile.Read(f.root, name, f.MaxFileBytes)
	if err != nil {
		return "", text, f.explain(p, err)
	}
	if text, err = textfile.Decode(data); err != nil {
		return "", text, fmt.Errorf("%s is %w", p, err)
	}
	return name, text, nil
}

// rewrite is a whole new text for the file name, in the manner of what is there.
// The remark says what was kept of it and what was not.
func (f *folder) rewrite(name, text string) (rewritten textfile.Text, remark string) {
	data, err := textfile.Read(f.root, name, f.MaxFileBytes)
	if err != nil {
		return textfile.Text{}.Rewrite(text), ""
	}
	old, err := textfile.Decode(data)
	if err != nil {
		return textfile.Text{}.Rewrite(text), ""
	}
	rewritten = old.Rewrite(text)
	switch {
	case rewritten.Encoding() != old.Encoding():
		remark = ", in UTF-8: " + old.Encoding() + ", which it was in, lacks a character"
	case old.Encoding() != "":
		remark = ", in " + old.Encoding() + " as before"
	}
	if rewritten.CRLF() {
		remark += ", with CRLF line ends"
		if !strings.Contains(text, "\r\n") {
			remark += " as before"
		}
	}
	return rewritten, remark
}

func (f *folder) save(ctx context.Context, p, name string, text textfile.Text) error {
	data, err := text.Bytes()
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", p, err)
	}
	if int64(len(data)) > f.MaxFileBytes {
		return fmt.Errorf("%s would have %d bytes; at most %d are allowed", p, len(data), f.MaxFileBytes)
	}
	if err := f.follow(ctx, name, data); err != nil {
		return f.explain(p, err)
	}
	if err := textfile.Write(f.root, name, data); err != nil {
		return f.explain(p, err)
	}
	return nil
}

// inPlaceOf says that a write to name replaces a link, which is then one no more: what
// it led to stays as it is.
func (f *folder) inPlaceOf(name string) string {
	target, err := f.root.Readlink(name)
	if err != nil {
		return ""
	}
	return ", in place of a link to " + target + ", which was not changed"
}

// explain words an error of the file system without the place of the root.
func (f *folder) explain(p string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist%s", p, f.similar(p))
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission for %s", p)
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return fmt.Errorf("%s: %w", p, err)
}

// similar names a file of the same name elsewhere in the folder: the usual slip
// is in the directory.
func (f *folder) similar(p string) string {
	base, found := path.Base(p), ""
	itself, _ := f.place(p)
	_ = f.walk(context.Background(), ".", func(name string, d fs.DirEntry) error {
		if path.Base(name) == base && !d.IsDir() && name != itself { // a link that leads nowhere
			found = name
			return fs.SkipAll
		}
		return nil
	})
	if found == "" {
		return "; " + f.lister + " shows what there is"
	}
	return "; did you mean " + f.shown(found) + "?"
}

// maxWalk bounds how many entries a walk looks at.
const maxWalk = 100_000

var errTooMany = fmt.Errorf("more than %d files; name a folder to look in", maxWalk)

// walk goes through what is visible below name, in order, without following links.
func (f *folder) walk(ctx context.Context, name string, visit func(name string, d fs.DirEntry) error) error {
	seen := 0
	return fs.WalkDir(f.root.FS(), name, func(at string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && at == name:
			return err
		case err != nil:
			return nil // a folder that can't be read is passed over
		}
		if seen++; seen > maxWalk {
			return errTooMany
		}
		if at != name && !f.Hidden && d.Name()[0] == '.' {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		return visit(at, d)
	})
}
