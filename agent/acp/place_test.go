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

// A cancel is for the turn that goes on and the prompts that were read before it, and not
// for one that comes behind it.
func TestCancelIsForWhatCameBefore(t *testing.T) {
	for _, begun := range []bool{false, true} {
		s := &server{sessions: map[string]*session{}, coming: map[string]int{}, early: map[string]int{}}
		stopped := 0
		if s.comes("s"); begun {
			s.sessions["s"] = &session{id: "s", server: s, stop: func(error) { stopped++ }}
		}
		s.comes("other")
		s.cancelled("s")
		s.comes("s")
		var got []bool
		for range 2 {
			got = append(got, s.wasCancelled("s"))
		}
		if got[0] == begun || got[1] || (stopped == 1) != begun || s.wasCancelled("other") {
			t.Errorf("begun %v: the prompts are cancelled: %v, %d turns are stopped", begun, got, stopped)
		}
		s.answered("s")
		s.answered("s")
		if len(s.early) != 0 || s.coming["s"] != 0 {
			t.Errorf("begun %v: %v %v stay", begun, s.early, s.coming)
		}
	}
}
