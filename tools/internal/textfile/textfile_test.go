//go:build unix

package textfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func open(t *testing.T) (*os.Root, string) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func TestClean(t *testing.T) {
	tests := []struct{ path, prefix, want string }{
		{"/memories", "/memories", "."},
		{"/memories/", "/memories", "."},
		{"/memories/a/./b//c", "/memories", "a/b/c"},
		{"/memories/größe 1.txt", "/memories", "größe 1.txt"},
		{"a/b", "", "a/b"},
		{"/a/b", "/", "a/b"},
		{"", "", "."},
		{"/memories/..", "/memories", "!"},
		{"/memories/../etc/passwd", "/memories", "!"},
		{"/memories/a/../../b", "/memories", "!"},
		{"/memories/%2e%2e/b", "/memories", "!"},
		{"/memories/%2E%2E%2Fb", "/memories", "!"},
		{`/memories\..\b`, "/memories", "!"},
		{"/memories/a\x00b", "/memories", "!"},
		{"/memories/a\nb", "/memories", "!"},
		{"/memories/\xff", "/memories", "!"},
		{"/memoriesevil/a", "/memories", "!"},
		{"/etc/passwd", "/memories", "!"},
		{"memories/a", "/memories", "!"},
	}
	for _, test := range tests {
		got, err := Clean(test.path, test.prefix)
		if err != nil {
			got = "!"
		}
		if got != test.want {
			t.Errorf("Clean(%q, %q) = %q, %v; want %q", test.path, test.prefix, got, err, test.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"/memories/a", "/memories/../b", "//..", "/memories/%2e.", "."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, prefix := range []string{"", "/memories"} {
			name, err := Clean(path, prefix)
			if err == nil && !filepath.IsLocal(name) {
				t.Errorf("Clean(%q) = %q, which leaves the root", path, name)
			}
		}
	})
}

func TestReadRefuses(t *testing.T) {
	root, dir := open(t)
	outside := filepath.Join(t.TempDir(), "secret")
	for _, err := range []error{
		os.WriteFile(outside, []byte("secret"), 0o600),
		os.Symlink(outside, filepath.Join(dir, "link")),
		os.Symlink("/etc", filepath.Join(dir, "etc")),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600),
		os.WriteFile(filepath.Join(dir, "big"), make([]byte, 101), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"link", "etc/passwd", "pipe", ".", "big", "missing", "../x"} {
		if data, err := Read(root, name, 100); err == nil {
			t.Errorf("%s was read: %q", name, data)
		}
	}
}

func TestWriteReplacesALinkAndNotItsTarget(t *testing.T) {
	root, dir := open(t)
	outside := filepath.Join(t.TempDir(), "target")
	if err := errors.Join(os.WriteFile(outside, []byte("old"), 0o600), os.Symlink(outside, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	if err := Write(root, "link", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(outside); string(data) != "old" {
		t.Errorf("the file outside became %q", data)
	}
	if data, err := Read(root, "link", 100); err != nil || string(data) != "new" {
		t.Errorf("read %q, %v", data, err)
	}
	if err := Write(root, "a/b/c.txt", []byte("deep")); err != nil {
		t.Errorf("directories on the way are not made: %v", err)
	}
	if err := Write(root, "a", []byte("x")); !errors.Is(err, ErrNotRegular) {
		t.Errorf("writing over a directory gives %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".~*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteKeepsTheMode(t *testing.T) {
	root, dir := open(t)
	file := filepath.Join(dir, "run.sh")
	if err := os.WriteFile(file, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(root, "run.sh", []byte("#!/bin/sh\n")); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o755 {
		t.Errorf("mode is %v", info.Mode())
	}
}

func TestEdits(t *testing.T) {
	inserts := []struct {
		old  string
		line int
		text string
		want string
	}{
		{"a\nb\n", 0, "x", "x\na\nb\n"},
		{"a\nb\n", 1, "x\n", "a\nx\nb\n"},
		{"a\nb\n", 2, "x", "a\nb\nx\n"},
		{"a\nb", 2, "x", "a\nb\nx"},
		{"a\nb", 1, "x", "a\nx\nb"},
		{"", 0, "x", "x\n"},
		{"a\n", 2, "x", "!"},
		{"a\n", -1, "x", "!"},
	}
	for _, test := range inserts {
		edited, err := Insert(Text{String: test.old}, test.line, test.text)
		got := edited.String
		if err != nil {
			got = "!"
		}
		if got != test.want {
			t.Errorf("Insert(%q, %d, %q) = %q, want %q", test.old, test.line, test.text, got, test.want)
		}
	}
	if got := Occurrences("ab\nab\n\nab", "ab"); !slices.Equal(got, []int{1, 2, 4}) {
		t.Errorf("occurrences at %v", got)
	}
	if got := Occurrences("a\n\n\nb", "\n\n"); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("overlapping occurrences at %v", got)
	}
	if got := Numbered([]string{"a", "b"}, 1, 9); got != "     1\ta\n     2\tb" {
		t.Errorf("numbered: %q", got)
	}
	if got := Cut(strings.Repeat("line\n", 10), 12); !strings.HasPrefix(got, "line\nline\n[cut here: 9 of 50 bytes") {
		t.Errorf("cut: %q", got)
	}
	if got := Cut("head\n"+strings.Repeat("é", 50), 40); got != "head\n"+strings.Repeat("é", 17)+"\n[cut here: 39 of 105 bytes shown; ask for a range of lines to see the rest]" {
		t.Errorf("a long line behind a short one: %q", got)
	}
	for _, r := range [][]int{{0, 1}, {4, -1}, {2, 1}, {1}, {1, 2, 3}, {-1, -1}} {
		if _, _, err := Range(r, 3); err == nil {
			t.Errorf("range %v of 3 lines is accepted", r)
		}
	}
	if from, to, err := Range([]int{2, -1}, 3); from != 2 || to != 3 || err != nil {
		t.Errorf("range is %d, %d, %v", from, to, err)
	}
}

// Resolve names what links lead to, also where one stands below another.
func TestResolve(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := errors.Join(
		os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755),
		os.WriteFile(filepath.Join(dir, ".env"), nil, 0o644),
		os.Symlink("a", filepath.Join(dir, "dir")),
		os.Symlink("dir/b", filepath.Join(dir, "deep")),
		os.Symlink("../../.env", filepath.Join(dir, "a", "b", "up")),
		os.Symlink("b/up", filepath.Join(dir, "a", "again")),
		os.Symlink("/etc", filepath.Join(dir, "etc")),
		os.Symlink("loop", filepath.Join(dir, "loop")),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a/b": "a/b", "dir": "a", "dir/b": "a/b", "deep": "a/b", "deep/x": "a/b/x", "a/b/up": ".env", "dir/b/up": ".env", "deep/up": ".env", "dir/again": ".env",
		"deep/..": "a", "nothing/x": "nothing/x", "etc/passwd": "etc/passwd", "../x": "../x", "dir/../../x": "../x", "loop/x": "loop/x",
	} {
		if got := Resolve(root, name); got != want {
			t.Errorf("%s leads to %s, want %s", name, got, want)
		}
	}
}
