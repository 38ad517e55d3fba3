//go:build unix

package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/files"
)

// Bounds are what they say: as much as one is allowed, and no more.
func TestBoundsAreExact(t *testing.T) {
	utf16 := "\xff\xfea\x00"
	for _, test := range []struct {
		name, tool, input, want string
		o                       files.Options
	}{
		{"as many entries", "list_files", `{}`, "a\nb", files.Options{MaxMatches: 2}},
		{"more entries", "list_files", `{}`, "a\n[2 files in all; the first 1 are shown]", files.Options{MaxMatches: 1}},
		{"as many matches", "search_files", `{"expression":"x"}`, "b:1: x\nb:2: x", files.Options{MaxMatches: 2}},
		{"more matches", "search_files", `{"expression":"x"}`, "b:1: x\n[more matches than shown; narrow the expression, the path or the pattern]", files.Options{MaxMatches: 1}},
		{"file to write of as many bytes", "write_file", `{"path":"c","text":"1234"}`, "wrote 1 lines to c", files.Options{MaxFileBytes: 4}},
		{"file to write of more bytes", "write_file", `{"path":"c","text":"12345"}`, "!c would have 5 bytes; at most 4 are allowed", files.Options{MaxFileBytes: 4}},
		{"bytes as they are in the file", "write_file", `{"path":"a","text":"12"}`, "!a would have 6 bytes; at most 4 are allowed", files.Options{MaxFileBytes: 4}},
		{"file to read of as many bytes", "read_file", `{"path":"b"}`, "     1\tx\n     2\tx", files.Options{MaxFileBytes: 4}},
		{"file to read of more bytes", "read_file", `{"path":"b"}`, "!b: the file has 4 bytes; at most 3 are read", files.Options{MaxFileBytes: 3}},
	} {
		root, dir := open(t, map[string]string{"a": utf16, "b": "x\nx\n"})
		if got := do(t, pick(t, files.Tools(root, test.o), test.tool), test.input); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if data, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || string(data) != utf16 {
			t.Errorf("%s: the other file is %q, %v", test.name, data, err)
		}
	}
}

// A prefix is one of two ways to say a path; the other is relative to the folder.
func TestPrefix(t *testing.T) {
	root, _ := open(t, map[string]string{"a/b.txt": "text\n"})
	set := files.Tools(root, files.Options{Prefix: "/repo"})
	for input, want := range map[string]string{
		`{"path":"a/b.txt"}`:        "     1\ttext",
		`{"path":"/repo/a/b.txt"}`:  "     1\ttext",
		`{"path":"repo/a/b.txt"}`:   "!repo/a/b.txt does not exist; did you mean /repo/a/b.txt?",
		`{"path":"/a/b.txt"}`:       `!"/a/b.txt": the path must start with /repo`,
		`{"path":"/repos/a/b.txt"}`: `!"/repos/a/b.txt": the path must start with /repo`,
	} {
		if got := do(t, pick(t, set, "read_file"), input); got != want {
			t.Errorf("%s: %q, want %q", input, got, want)
		}
	}
}

// A write replaces a link, and not the file that it leads to. The model is told, as it
// may have meant the file.
func TestWritesReplaceLinks(t *testing.T) {
	root, dir := open(t, map[string]string{"a.md": "one\n"})
	editor, set := files.TextEditor(root, files.Options{}), files.Tools(root, files.Options{})
	const remark = ", in place of a link to a.md, which was not changed"
	for _, step := range []struct {
		tool        tools.Callable
		input, want string
	}{
		{editor, `{"command":"create","path":"/l","file_text":"two\n"}`, "File created successfully at: /l" + remark},
		{editor, `{"command":"str_replace","path":"/l","old_str":"one","new_str":"two"}`, "The file /l has been edited" + remark + ".\n     1\ttwo"},
		{editor, `{"command":"insert","path":"/l","insert_line":0,"insert_text":"two"}`, "The file /l has been edited" + remark + ".\n     1\ttwo\n     2\tone"},
		{pick(t, set, "edit_file"), `{"path":"l","old":"one","new":"two"}`, "edited l" + remark + ":\n     1\ttwo"},
		{pick(t, set, "write_file"), `{"path":"l","text":"two\n"}`, "wrote 1 lines to l" + remark},
	} {
		if err := errors.Join(os.RemoveAll(filepath.Join(dir, "l")), os.Symlink("a.md", filepath.Join(dir, "l"))); err != nil {
			t.Fatal(err)
		}
		if got := do(t, step.tool, step.input); got != step.want {
			t.Errorf("%s: %q, want %q", step.input, got, step.want)
		}
		if data, err := os.ReadFile(filepath.Join(dir, "a.md")); string(data) != "one\n" {
			t.Errorf("%s: a.md is %q, %v", step.input, data, err)
		}
	}
}

// What isn't there is told with what the model has to find it with, and a link that
// leads nowhere isn't what it meant.
func TestWhatIsMissing(t *testing.T) {
	root, dir := open(t, map[string]string{"a/deep.txt": ""})
	if err := os.Symlink("gone", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	editor, set := files.TextEditor(root, files.Options{}), files.Tools(root, files.Options{})
	for _, step := range []struct {
		tool        tools.Callable
		input, want string
	}{
		{editor, `{"command":"view","path":"/none"}`, "!Error: /none does not exist; viewing a directory shows what there is"},
		{editor, `{"command":"view","path":"/dangling"}`, "!Error: /dangling does not exist; viewing a directory shows what there is"},
		{editor, `{"command":"view","path":"/deep.txt"}`, "!Error: /deep.txt does not exist; did you mean /a/deep.txt?"},
		{editor, `{"command":"create","path":"","file_text":""}`, "!Error: an empty path is a directory"},
		{pick(t, set, "read_file"), `{"path":"dangling"}`, "!dangling does not exist; list_files shows what there is"},
	} {
		if got := do(t, step.tool, step.input); got != step.want {
			t.Errorf("%s: %q, want %q", step.input, got, step.want)
		}
	}
}

func TestEditorsBounds(t *testing.T) {
	root, dir := open(t, map[string]string{"a/b/c/deep.txt": "", "a/node_modules/x.js": "", "node_modules/y.js": "", "ten.txt": strings.Repeat("l\n", 10)})
	tool := files.TextEditor(root, files.Options{})
	for _, step := range []struct{ input, want string }{
		{`{"command":"view","path":"/"}`, "Here're the files and directories up to 2 levels deep in /, excluding hidden items and node_modules:\n/a/\n/a/b/\n/ten.txt"},
		{`{"command":"view","path":"/a"}`, "Here're the files and directories up to 2 levels deep in /a, excluding hidden items and node_modules:\n/a/b/\n/a/b/c/"},
		{`{"command":"create","path":"/","file_text":"x"}`, "!Error: / is a directory"},
		{`{"command":"insert","path":"/ten.txt","insert_line":10}`, "!Error: insert needs `insert_line` and `insert_text`"},
		{`{"command":"insert","path":"/ten.txt","insert_text":"x"}`, "!Error: insert needs `insert_line` and `insert_text`"},
		{`{"command":"insert","path":"/ten.txt","insert_line":5,"insert_text":"x\ny"}`, "The file /ten.txt has been edited.\n     2\tl\n     3\tl\n     4\tl\n     5\tl\n     6\tx\n     7\ty\n     8\tl\n     9\tl\n    10\tl\n    11\tl"},
	} {
		if got := do(t, tool, step.input); got != step.want {
			t.Errorf("%s\ngot  %q\nwant %q", step.input, got, step.want)
		}
	}
	readOnly := files.TextEditor(root, files.Options{ReadOnly: true})
	for _, input := range []string{
		`{"command":"create","path":"/new","file_text":""}`,
		`{"command":"str_replace","path":"/ten.txt","old_str":"x","new_str":"z"}`,
		`{"command":"insert","path":"/ten.txt","insert_line":0,"insert_text":"z"}`,
	} {
		if got := do(t, readOnly, input); got != "!Error: These files are read-only" {
			t.Errorf("%s of a read-only folder: %s", input, got)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "ten.txt")); err != nil || strings.Contains(string(data), "z") {
		t.Errorf("the read-only file is %q, %v", data, err)
	}
	if got := do(t, readOnly, `{"command":"view","path":"/ten.txt","view_range":[6,6]}`); got != "Here's the content of /ten.txt with line numbers:\n     6\tx" {
		t.Errorf("view of a read-only folder: %s", got)
	}
}

// The editor's calls wait for approval and for each other as those of the other
// tools that write.
func TestEditorsTraits(t *testing.T) {
	root, _ := open(t, nil)
	other, _ := open(t, nil)
	write := pick(t, files.Tools(root, files.Options{NeedsApproval: true}), "write_file").Traits()
	for _, o := range []files.Options{{NeedsApproval: true}, {NeedsApproval: true, Hidden: true}} {
		if got := files.TextEditor(root, o).Traits(); !got.NeedsApproval || got.Group != write.Group {
			t.Errorf("%+v: traits %+v, want approval and the group %q", o, got, write.Group)
		}
	}
	if got := files.TextEditor(other, files.Options{}).Traits(); got.Group == write.Group || got.NeedsApproval {
		t.Errorf("the editor of another folder has the traits %+v", got)
	}
}

// All that is kept of a change is the file's own: its path without links, its mode.
func TestFollowThroughALinkedFolder(t *testing.T) {
	root, dir := open(t, map[string]string{"real/run.sh": "old"})
	if err := os.Symlink("real", filepath.Join(dir, "way")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "real", "run.sh"), 0o750); err != nil {
		t.Fatal(err)
	}
	host := new(keeping)
	ctx := tools.WithCall(t.Context(), tools.CallInfo{Host: host})
	write := pick(t, files.Tools(root, files.Options{Follow: "work"}), "write_file")
	for path, want := range map[string]files.Change{
		"way/run.sh":  {Path: "real/run.sh", Before: files.Version{Ref: "ref old", Mode: 0o750}, After: files.Version{Ref: "ref new", Mode: 0o750}},
		"way/x/y/new": {Path: "real/x/y/new", After: files.Version{Ref: "ref new"}, Made: "real/x"},
	} {
		host.notes = nil
		want.Folder = "work"
		if _, err := write.Call(ctx, []byte(`{"path":"`+path+`","text":"new"}`)); err != nil || len(host.notes) != 1 || host.notes[0] != want {
			t.Errorf("%s: %+v, %v; want %+v", path, host.notes, err, want)
		}
	}
	// Where nothing is followed, or outside of a run, nothing is kept.
	host.notes = nil
	if _, err := pick(t, files.Tools(root, files.Options{}), "write_file").Call(ctx, []byte(`{"path":"p","text":"new"}`)); err != nil || len(host.notes) != 0 {
		t.Errorf("a folder that is not followed: %v, %v", host.notes, err)
	}
	if got := do(t, write, `{"path":"p","text":"new"}`); got != "wrote 1 lines to p" {
		t.Errorf("outside of a run: %s", got)
	}
}
