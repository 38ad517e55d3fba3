package acp

import (
	"os"
	"path/filepath"
	"testing"
)

// A path leads to a file of the project only, whatever links there are, and whether or
// not hidden files may be used.
func TestPlace(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, err := range []error{
		os.WriteFile(filepath.Join(other, "secret.txt"), nil, 0o600), os.Symlink(other, filepath.Join(dir, "out")),
		os.Symlink(filepath.Join(other, "secret.txt"), filepath.Join(dir, "link.txt")), os.Mkdir(filepath.Join(dir, "sub"), 0o700),
		os.Symlink("sub", filepath.Join(dir, "in")), os.Symlink(".git", filepath.Join(dir, "veiled")), os.Mkdir(filepath.Join(dir, ".git"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		path            string
		visible, hidden bool // may be used
	}{
		{"a.txt", true, true}, {"sub/new/b.txt", true, true}, {"in/b.txt", true, true}, {filepath.Join(dir, "a.txt"), true, true},
		{".env", false, true}, {"sub/.x/y", false, true}, {"veiled/config", false, true},
		{"link.txt", false, false}, {"out/secret.txt", false, false}, {"out/new.txt", false, false}, {"../x", false, false}, {"sub/../../x", false, false},
		{filepath.Join(other, "secret.txt"), false, false}, {dir, false, false}, {"", false, false}, {"a\x00", false, false},
	} {
		for _, all := range []bool{false, true} {
			f := &editorFiles{s: &Session{Dir: dir}, o: FileOptions{Hidden: all}}
			got, err := f.place(tt.path)
			if want := tt.visible || all && tt.hidden; (err == nil) != want {
				t.Errorf("%q, hidden files %v: %q, %v; want it given: %v", tt.path, all, got, err, want)
			}
		}
	}
}
