// Package textfile reads, writes and edits text files inside an [os.Root], for
// the tools that let a model do so. Nothing in it follows a link out of the
// root, opens what is not a regular file, or reads more than it was told to.
package textfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/whorl-go/whorl/internal/runes"
)

// An Answer is an error in the very words that the models were trained on.
type Answer string

// Error is the answer.
func (a Answer) Error() string { return string(a) }

// Answerf makes an Answer in the manner of fmt.Sprintf.
func Answerf(format string, args ...any) error { return Answer(fmt.Sprintf(format, args...)) }

// ErrNotRegular is returned for devices, sockets, pipes and directories.
var ErrNotRegular = errors.New("not a regular file")

// ErrTooLarge is returned for files that have more bytes than may be read.
var ErrTooLarge = errors.New("the file is too large")

// tooLarge is ErrTooLarge with the sizes.
type tooLarge string

// Error says the sizes.
func (e tooLarge) Error() string { return string(e) }

// Is makes it match ErrTooLarge.
func (e tooLarge) Is(target error) bool { return target == ErrTooLarge }

// Clean makes of a path as a model writes it the name inside a root that is
// known to the model as prefix, such as "/memories". It refuses to climb, also
// in disguise: a model has no need of "..", percent signs before hex digits that
// stand for one, backslashes or control characters.
func Clean(p, prefix string) (name string, err error) {
	lower := strings.ToLower(p)
	switch {
	case !utf8.ValidString(p):
		return "", errors.New("the path is not valid UTF-8")
	case strings.ContainsFunc(p, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", errors.New("the path has control characters in it")
	case strings.Contains(p, `\`), strings.Contains(lower, "%2e"), strings.Contains(lower, "%2f"), strings.Contains(lower, "%5c"), strings.Contains(lower, "%00"):
		return "", errors.New("the path has escapes in it; write it plainly, with /")
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return "", errors.New(`".." is not allowed in the path`)
		}
	}
	if prefix != "" && prefix != "/" {
		prefix = strings.TrimSuffix(prefix, "/")
		rest, ok := strings.CutPrefix(p, prefix)
		if !ok || rest != "" && rest[0] != '/' {
			return "", fmt.Errorf("the path must start with %s", prefix)
		}
		p = rest
	}
	name = strings.TrimPrefix(path.Clean("/"+p), "/")
	if name == "" {
		name = "."
	}
	return name, nil
}

// Read reads the regular file name, which must have at most limit bytes.
func Read(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not block
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, ErrNotRegular
	case info.Size() > limit:
		return nil, tooLarge(fmt.Sprintf("the file has %d bytes; at most %d are read", info.Size(), limit))
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = tooLarge(fmt.Sprintf("the file grew past %d bytes while it was read", limit))
	}
	return data, err
}

// Write puts data in the place of the file name, wholly or not at all: a reader
// sees the old file or the new one. What name is a link to stays as it is.
// Directories on the way are made.
func Write(root *os.Root, name string, data []byte) error {
	mode, keep := fs.FileMode(0o644), false
	if info, err := root.Lstat(name); err == nil {
		switch {
		case info.Mode().IsRegular():
			mode, keep = info.Mode().Perm(), true
		case info.Mode()&fs.ModeSymlink == 0:
			return ErrNotRegular
		}
	}
	dir := path.Dir(name)
	if dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	temp := path.Join(dir, ".~"+rand.Text())
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && keep {
		err = f.Chmod(mode) // the umask is for new files
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		_ = root.Remove(temp)
	}
	return err
}

// Lines splits text into lines without their ends. A line end at the end of the
// text begins no further line.
func Lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// Numbered writes lines from..to, counted from 1, each with its number aligned
// to 6 columns and a tab, as Anthropic's tools do.
func Numbered(lines []string, from, to int) string {
	var b strings.Builder
	for i := max(from, 1); i <= min(to, len(lines)); i++ {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%6d\t%s", i, lines[i-1])
	}
	return b.String()
}

// Range reads a view_range of [from, to], where to -1 means the last line.
func Range(r []int, lines int) (from, to int, err error) {
	if len(r) == 0 {
		return 1, lines, nil
	}
	if len(r) != 2 {
		return 0, 0, Answerf("Error: Invalid `view_range`: it should be a list of two integers")
	}
	from, to = r[0], r[1]
	if to == -1 {
		to = lines
	}
	if from < 1 || from > max(lines, 1) || to < from {
		return 0, 0, Answerf("Error: Invalid `view_range`: [%d, %d]. The file has %d lines", r[0], r[1], lines)
	}
	return from, min(to, lines), nil
}

// Cut shortens text to limit bytes at a line's end, and says so. Within a line it cuts
// where the line has most of them: no range of lines would show any of it.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := strings.LastIndexByte(text[:limit], '\n')
	if cut <= limit/2 {
		cut = runes.Start(text, limit)
	}
	return fmt.Sprintf("%s\n[cut here: %d of %d bytes shown; ask for a range of lines to see the rest]", text[:cut], cut, len(text))
}
