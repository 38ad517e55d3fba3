package corpus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Limits of what is indexed, so that pointing at a whole disk does no harm. What
// is beyond them is not found and not listed, and a larger file is not read.
const (
	maxFiles     = 40_000
	maxFileBytes = 2 << 20   // of one file
	maxBytes     = 256 << 20 // of all
	maxGenerated = 512 << 10 // of a file that says it is generated
)

// A Corpus is an open folder. It is safe for concurrent use. Files outside the folder
// can't be reached, neither by ".." nor by a symbolic link.
type Corpus struct {
	root    *os.Root
	folders []string
	cache   string // folder that keeps the index, if not empty

	walk func() ([]file, error) // once

	ctx    context.Context // of the indexing, until Close
	cancel context.CancelFunc
	begin  sync.Once
	done   chan struct{} // closed when the index is there
	index  *index
	err    error
}

type file struct {
	path    string // slash-separated, relative to the root
	size    int64
	changed int64 // Unix time in nanoseconds
}

// Open opens the folder dir. If folders are given, only these subfolders are used, for
// instance "src" and "doc".
func Open(dir string, folders ...string) (*Corpus, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("corpus folder %s does not exist; name a folder of text or source files", dir)
	case err != nil:
		return nil, fmt.Errorf("corpus folder %s: %w", dir, err)
	case !info.IsDir():
		return nil, fmt.Errorf("corpus %s is a file, not a folder; name the folder that it is in", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("corpus folder %s: %w", dir, err)
	}
	c := &Corpus{root: root, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for _, f := range folders {
		if info, err := root.Stat(f); err == nil && info.IsDir() {
			c.folders = append(c.folders, f)
		}
	}
	if len(c.folders) == 0 {
		c.folders = []string{"."}
	}
	c.walk = sync.OnceValues(c.walkFiles)
	return c, nil
}

// Close stops the indexing, if it is running, and releases the folder.
func (c *Corpus) Close() error {
	c.cancel()
	c.begin.Do(func() { close(c.done) })
	<-c.done
	return c.root.Close()
}

// ready waits for the index, which the first call begins to build. The building
// goes on if ctx ends, for those who search after.
func (c *Corpus) ready(ctx context.Context) (*index, error) {
	c.begin.Do(func() {
		go func() {
			defer close(c.done)
			c.index, c.err = c.openIndex(c.ctx)
		}()
	})
	select {
	case <-c.done:
		if err := c.ctx.Err(); err != nil {
			return nil, errors.New("the corpus was closed")
		}
		return c.index, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// List returns up to limit paths that match pattern, in order, and the total number of
// matches. A pattern with one of *?[ is matched against the whole path and against the
// file's name. Any other pattern matches the paths that contain it. The empty pattern
// matches every file.
func (c *Corpus) List(pattern string, limit int) (paths []string, total int, err error) {
	files, err := c.walk()
	if err != nil {
		return nil, 0, err
	}
	pattern = strings.TrimPrefix(pattern, "./")
	glob := strings.ContainsAny(pattern, "*?[")
	if _, err := path.Match(pattern, ""); glob && err != nil {
		return nil, 0, fmt.Errorf("pattern %q: %w; use * and ? as in a shell", pattern, err)
	}
	match := func(p string) bool { return strings.HasPrefix(p, pattern) }
	if glob {
		match = func(p string) bool {
			whole, _ := path.Match(pattern, p)
			name, _ := path.Match(pattern, path.Base(p))
			return whole || name
		}
	} else if !slices.ContainsFunc(files, func(f file) bool { return match(f.path) }) {
		match = func(p string) bool { return strings.Contains(p, pattern) }
	}
	for _, f := range files {
		if match(f.path) {
			if total++; total <= limit {
				paths = append(paths, f.path)
			}
		}
	}
	return paths, total, nil
}

// Lines returns the lines from to to of a file, counted from 1, and the number of lines
// that the file has. The range is clipped to the lines that exist. A file of more than
// 2 MiB is an error.
func (c *Corpus) Lines(name string, from, to int) (lines []string, total int, err error) {
	all, err := c.fileLines(name)
	if err != nil {
		return nil, 0, err
	}
	from, to = max(from, 1), min(to, len(all))
	if from > len(all) {
		return nil, len(all), fmt.Errorf("%s has %d lines; there is no line %d", name, len(all), from)
	}
	if from > to {
		return nil, len(all), fmt.Errorf("lines %d to %d of %s: the range is empty", from, to, name)
	}
	return all[from-1 : to], len(all), nil
}

func (c *Corpus) fileLines(name string) ([]string, error) {
	data, err := c.read(path.Clean(strings.TrimPrefix(name, "/")))
	if err != nil {
		return nil, err
	}
	if isBinary(data) {
		return nil, fmt.Errorf("%s is not a text file", name)
	}
	text := strings.TrimSuffix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	return strings.Split(text, "\n"), nil
}

func (c *Corpus) read(name string) ([]byte, error) {
	f, err := c.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not block
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file %s in the corpus; paths are relative to its folder, as search and list show them", name)
		}
		return nil, fmt.Errorf("file %s: %w", name, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", name, err)
	}
	if len(data) > maxFileBytes {
		return nil, fmt.Errorf("file %s has more than %d bytes, the most that is read", name, maxFileBytes)
	}
	return data, nil
}

// errFull ends a walk that has found as much as may be indexed.
var errFull = errors.New("full")

func (c *Corpus) walkFiles() ([]file, error) {
	var files []file
	var bytes int64
	visit := func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && p == ".":
			return err
		case err != nil:
			return nil // a folder that can't be read is a folder without files
		case d.IsDir():
			if p != "." && skipFolder(d.Name()) {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || skipFile(d.Name()):
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() == 0 || info.Size() > maxFileBytes {
			return nil
		}
		if len(files) == maxFiles || bytes+info.Size() > maxBytes {
			return errFull
		}
		bytes += info.Size()
		files = append(files, file{path: p, size: info.Size(), changed: info.ModTime().UnixNano()})
		return nil
	}
	for _, folder := range c.folders {
		if err := fs.WalkDir(c.root.FS(), folder, visit); err != nil && err != errFull {
			return nil, fmt.Errorf("corpus: %w", err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("corpus folder %s holds no text files", c.root.Name())
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files, nil
}

// skipFolder names the folders whose files are somebody else's, or data.
func skipFolder(name string) bool {
	switch name {
	case "vendor", "testdata", "node_modules", "third_party", "__pycache__":
		return true
	}
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// skipFile knows binary files by their names, so that they need not be opened.
func skipFile(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".ico", ".pdf", ".zip", ".gz", ".tar", ".bz2", ".xz", ".zst", ".7z", ".jar",
		".exe", ".dll", ".so", ".a", ".o", ".obj", ".syso", ".bin", ".class", ".pyc", ".wasm", ".woff", ".woff2", ".ttf",
		".mp3", ".mp4", ".mov", ".db", ".sqlite", ".crt", ".pem", ".base64", ".svg", ".sum", ".lock", ".map":
		return true
	}
	return strings.HasPrefix(name, ".")
}

// isBinary is true for data with a zero byte at its beginning.
func isBinary(data []byte) bool {
	return bytes.IndexByte(data[:min(len(data), 8<<10)], 0) >= 0
}
