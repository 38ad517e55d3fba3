package notes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/internal/textfile"
)

// prefix is the folder's name to the model.
const prefix = "/memories"

// Options limit the notes. Zero fields mean the defaults.
type Options struct {
	MaxFileBytes  int64 // of one file; 0 means 256 KiB
	MaxTotalBytes int64 // of all files; 0 means 16 MiB
	MaxFiles      int   // files and folders; 0 means 1000
	MaxViewBytes  int   // of text in the result of one view; 0 means 16,000

	// ReadOnly refuses every command but view.
	ReadOnly bool
}

// Notes is a folder of notes. It is safe for concurrent use, and several agents may
// share it.
type Notes struct {
	root    *os.Root
	options Options
	mu      sync.RWMutex
}

// New returns Notes for a folder. The caller closes root after the last call.
func New(root *os.Root, o Options) *Notes {
	if o.MaxFileBytes <= 0 {
		o.MaxFileBytes = 256 << 10
	}
	if o.MaxTotalBytes <= 0 {
		o.MaxTotalBytes = 16 << 20
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = 1000
	}
	if o.MaxViewBytes <= 0 {
		o.MaxViewBytes = 16000
	}
	return &Notes{root: root, options: o}
}

// A command is the tool's input. Which fields matter depends on Command.
type command struct {
	Command    string  `json:"command" jsonschema:"enum=view,enum=create,enum=str_replace,enum=insert,enum=delete,enum=rename"`
	Path       string  `json:"path,omitempty"`
	ViewRange  []int   `json:"view_range,omitempty"`
	FileText   *string `json:"file_text,omitempty"`
	OldStr     *string `json:"old_str,omitempty"`
	NewStr     string  `json:"new_str,omitempty"`
	InsertLine *int    `json:"insert_line,omitempty"`
	InsertText *string `json:"insert_text,omitempty"`
	OldPath    string  `json:"old_path,omitempty"`
	NewPath    string  `json:"new_path,omitempty"`
}

// Tool returns the memory tool for the notes.
func (n *Notes) Tool() *tools.FuncTool {
	return tools.FuncWith("memory", "", n.do, tools.Options{
		Type: "memory_20250818",
		// What an earlier conversation noted may be what a stranger's text told it to.
		Traits: tools.Traits{Group: "memory", Untrusted: true, Private: true},
	})
}

func (n *Notes) do(_ context.Context, c command) (tools.Result, error) {
	if c.Command == "view" {
		n.mu.RLock()
		defer n.mu.RUnlock()
		return n.view(c)
	}
	if n.options.ReadOnly {
		return tools.Result{}, textfile.Answerf("Error: These notes are read-only")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var text string
	var err error
	switch c.Command {
	case "create":
		text, err = n.create(c)
	case "str_replace":
		text, err = n.replace(c)
	case "insert":
		text, err = n.insert(c)
	case "delete":
		text, err = n.delete(c)
	case "rename":
		text, err = n.rename(c)
	}
	return tools.Text(text), err
}

func (n *Notes) create(c command) (string, error) {
	name, err := place(c.Path)
	if err != nil {
		return "", err
	}
	if c.FileText == nil {
		return "", textfile.Answerf("Error: create needs `file_text`")
	}
	if _, err := n.root.Lstat(name); err == nil {
		return "", textfile.Answerf("Error: File %s already exists", c.Path)
	}
	if err := n.write(name, []byte(*c.FileText)); err != nil {
		return "", err
	}
	return "File created successfully at: " + c.Path, nil
}

func (n *Notes) replace(c command) (string, error) {
	text, name, err := n.read(c.Path, "Error: The path %s does not exist. Please provide a valid path.")
	if err != nil {
		return "", err
	}
	text, around, err := textfile.ReplaceOnce(c.Path, text, c.OldStr, c.NewStr)
	if err != nil {
		return "", err
	}
	if err := n.writeText(name, text); err != nil {
		return "", err
	}
	return "The memory file has been edited.\n" + around, nil
}

func (n *Notes) insert(c command) (string, error) {
	text, name, err := n.read(c.Path, "Error: The path %s does not exist")
	if err != nil {
		return "", err
	}
	if c.InsertLine == nil || c.InsertText == nil {
		return "", textfile.Answerf("Error: insert needs `insert_line` and `insert_text`")
	}
	if text, err = textfile.Insert(text, *c.InsertLine, *c.InsertText); err != nil {
		return "", err
	}
	if err := n.writeText(name, text); err != nil {
		return "", err
	}
	return fmt.Sprintf("The file %s has been edited.", c.Path), nil
}

func (n *Notes) delete(c command) (string, error) {
	name, err := place(c.Path)
	if err != nil {
		return "", err
	}
	if name == "." {
		return "", textfile.Answerf("Error: %s itself can't be deleted; delete what is in it", prefix)
	}
	if _, err := n.root.Lstat(name); err != nil {
		return "", n.explain(err, c.Path, "Error: The path %s does not exist")
	}
	if err := n.root.RemoveAll(name); err != nil {
		return "", n.explain(err, c.Path, "Error: The path %s does not exist")
	}
	return "Successfully deleted " + c.Path, nil
}

func (n *Notes) rename(c command) (string, error) {
	if c.OldPath == "" || c.NewPath == "" {
		return "", textfile.Answerf("Error: rename needs `old_path` and `new_path`")
	}
	from, err := place(c.OldPath)
	if err != nil {
		return "", err
	}
	to, err := place(c.NewPath)
	if err != nil {
		return "", err
	}
	if from == "." || to == "." {
		return "", textfile.Answerf("Error: %s itself can't be renamed or replaced", prefix)
	}
	if _, err := n.root.Lstat(from); err != nil {
		return "", n.explain(err, c.OldPath, "Error: The path %s does not exist")
	}
	if _, err := n.root.Lstat(to); err == nil {
		return "", textfile.Answerf("Error: The destination %s already exists", c.NewPath)
	}
	if strings.HasPrefix(to, from+"/") {
		return "", textfile.Answerf("Error: %s can't be moved into itself", c.OldPath)
	}
	if made := n.missing(path.Dir(to)); made > 0 {
		files, _ := n.usage("")
		if err := n.room(files, made); err != nil {
			return "", err
		}
	}
	if dir := path.Dir(to); dir != "." {
		if err := n.root.MkdirAll(dir, 0o755); err != nil {
			return "", n.explain(err, c.NewPath, "Error: The path %s does not exist")
		}
	}
	if err := n.root.Rename(from, to); err != nil {
		return "", n.explain(err, c.OldPath, "Error: The path %s does not exist")
	}
	return fmt.Sprintf("Successfully renamed %s to %s", c.OldPath, c.NewPath), nil
}

// place is the name inside the root of a path as the model wrote it.
func place(p string) (string, error) {
	if p == "" {
		return "", textfile.Answerf("Error: The command needs a `path`")
	}
	name, err := textfile.Clean(p, prefix)
	if err != nil {
		return "", textfile.Answerf("Error: The path %q is not allowed: %v", p, err)
	}
	return name, nil
}

// read reads a text file; missing is the answer if there is none.
func (n *Notes) read(p, missing string) (text textfile.Text, name string, err error) {
	if name, err = place(p); err != nil {
		return text, "", err
	}
	data, err := textfile.Read(n.root, name, n.options.MaxFileBytes)
	if err != nil {
		return text, "", n.explain(err, p, missing)
	}
	if text, err = textfile.Decode(data); err != nil {
		return text, "", textfile.Answerf("Error: %s is %v", p, err)
	}
	return text, name, nil
}

// explain words an error of the file system without the place of the root.
func (n *Notes) explain(err error, p, missing string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, textfile.ErrNotRegular):
		return textfile.Answerf(missing, p)
	case errors.Is(err, fs.ErrPermission):
		return textfile.Answerf("Error: No permission for %s", p)
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		err = linkErr.Err
	}
	return textfile.Answerf("Error: %s: %v", p, err)
}

func (n *Notes) writeText(name string, text textfile.Text) error {
	data, err := text.Bytes()
	if err != nil {
		return textfile.Answerf("Error: %v", err)
	}
	return n.write(name, data)
}

// write writes a file if it keeps the notes within their bounds.
func (n *Notes) write(name string, data []byte) error {
	if name == "." {
		return textfile.Answerf("Error: %s is a folder", prefix)
	}
	size := int64(len(data))
	if size > n.options.MaxFileBytes {
		return textfile.Answerf("Error: The file would have %d bytes; at most %d are allowed. Split it, or leave out what is not needed", size, n.options.MaxFileBytes)
	}
	files, total := n.usage(name)
	if err := n.room(files, n.missing(path.Dir(name))+1); err != nil {
		return err
	}
	if total+size > n.options.MaxTotalBytes {
		return textfile.Answerf("Error: The notes would have %d bytes in all; at most %d are allowed. Delete some", total+size, n.options.MaxTotalBytes)
	}
	if err := textfile.Write(n.root, name, data); err != nil {
		return n.explain(err, path.Join(prefix, name), "Error: The path %s does not exist")
	}
	return nil
}

// room refuses what would make more files and folders than are allowed.
func (n *Notes) room(there, more int) error {
	if there+more > n.options.MaxFiles {
		return textfile.Answerf("Error: There are %d files and folders already; at most %d are allowed. Delete or join some", there, n.options.MaxFiles)
	}
	return nil
}

// missing counts the folders on the way to dir, itself included, that would have
// to be made.
func (n *Notes) missing(dir string) int {
	count := 0
	for ; dir != "."; dir = path.Dir(dir) {
		if _, err := n.root.Lstat(dir); err != nil {
			count++
		}
	}
	return count
}

// usage counts what there is, apart from the file called except.
func (n *Notes) usage(except string) (files int, bytes int64) {
	_ = fs.WalkDir(n.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." || name == except {
			return nil
		}
		files++
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return files, bytes
}

func (n *Notes) view(c command) (tools.Result, error) {
	const missing = "The path %s does not exist. Please provide a valid path."
	name, err := place(c.Path)
	if err != nil {
		return tools.Result{}, err
	}
	info, err := n.root.Stat(name)
	if err != nil {
		return tools.Result{}, n.explain(err, c.Path, missing)
	}
	if info.IsDir() {
		if len(c.ViewRange) > 0 {
			return tools.Result{}, textfile.Answerf("Error: `view_range` is for files, and this is a folder")
		}
		return n.viewFolder(strings.TrimSuffix(c.Path, "/"), name)
	}
	data, err := textfile.Read(n.root, name, n.options.MaxFileBytes)
	if err != nil {
		return tools.Result{}, n.explain(err, c.Path, missing)
	}
	return textfile.Show(c.Path, data, c.ViewRange, n.options.MaxViewBytes)
}

func (n *Notes) viewFolder(shown, name string) (tools.Result, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "Here're the files and directories up to 2 levels deep in %s, excluding hidden items and node_modules:\n%s\t%s", shown, n.size(name), shown)
	var list func(shown, name string, depth int) error
	list = func(shown, name string, depth int) error {
		entries, err := fs.ReadDir(n.root.FS(), name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") || e.Name() == "node_modules" {
				continue
			}
			inner := path.Join(name, e.Name())
			fmt.Fprintf(&b, "\n%s\t%s/%s", n.size(inner), shown, e.Name())
			if e.IsDir() && depth < 2 {
				if err := list(shown+"/"+e.Name(), inner, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := list(shown, name, 1); err != nil {
		return tools.Result{}, n.explain(err, shown, "The path %s does not exist. Please provide a valid path.")
	}
	return tools.Text(textfile.Cut(b.String(), n.options.MaxViewBytes)), nil
}

// size is the space a file or folder takes, in the form of du -h: whole blocks
// of 512 bytes, and 4 KiB for each folder itself.
func (n *Notes) size(name string) string {
	var bytes int64
	_ = fs.WalkDir(n.root.FS(), name, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.IsDir() {
			bytes += 4096
		} else if info, err := d.Info(); err == nil {
			bytes += (info.Size() + 511) / 512 * 512
		}
		return nil
	})
	kib := float64(bytes) / 1024
	if kib < 1024 {
		return fmt.Sprintf("%.1fK", kib)
	}
	return fmt.Sprintf("%.1fM", kib/1024)
}
