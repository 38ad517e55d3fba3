package rewind

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/files"
)

// planIn is a plan for an empty folder, and a way to its files.
func planIn(t *testing.T, list ...File) (*Plan, func(name string) string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return &Plan{root: root, folder: "repo", Files: list}, func(name string) string { return filepath.Join(dir, name) }
}

func version(text string, mode fs.FileMode) files.Version {
	return files.Version{Ref: memory.Blob{Data: []byte(text)}.Sum(), Mode: mode}
}

// A path that can't be looked at any more is a conflict, whatever is left of the others
// in conflict, and nothing else is touched before that is known.
func TestApplyLooksAgain(t *testing.T) {
	for _, resolution := range []Resolution{Fail, Leave, Overwrite} {
		p, path := planIn(t, File{Path: "a", Want: version("A", 0), data: []byte("A")}, File{Path: "b", Want: version("B", 0), data: []byte("B")})
		p.onConflict = resolution
		if resolution == Leave {
			p.Conflicts = []Conflict{{Path: "c", Reason: Changed}}
		}
		if err := os.Mkdir(path("b"), 0o755); err != nil { // it was to be made
			t.Fatal(err)
		}
		var conflict *ConflictError
		err := p.Apply(t.Context())
		if !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Folder != "repo" {
			t.Fatalf("%q: %v", resolution, err)
		}
		if c := conflict.Conflicts[0]; c.Path != "b" || c.Reason != Changed || !errors.Is(c.Err, errIrregular) || c.Want.Ref == "" {
			t.Errorf("%q: %+v", resolution, c)
		}
		if _, err := os.Lstat(path("a")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: the other file was made: %v", resolution, err)
		}
		if err := os.Remove(path("b")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path("b"), []byte("somebody's"), 0o644); err != nil { // since the plan was made
			t.Fatal(err)
		}
		if err := p.Apply(t.Context()); !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0].Now.Ref != version("somebody's", 0).Ref {
			t.Errorf("%q: a file that was written: %v", resolution, err)
		}
		if data, err := os.ReadFile(path("b")); err != nil || string(data) != "somebody's" {
			t.Errorf("%q: what was written is %q: %v", resolution, data, err)
		}
		if err := os.Remove(path("b")); err != nil {
			t.Fatal(err)
		}
		if err := p.Apply(t.Context()); err != nil {
			t.Errorf("%q: %v", resolution, err)
		}
		for _, name := range []string{"a", "b"} {
			if data, err := os.ReadFile(path(name)); err != nil || string(data) != map[string]string{"a": "A", "b": "B"}[name] {
				t.Errorf("%q: %s has %q: %v", resolution, name, data, err)
			}
		}
	}
}

// A folder that was moved since the plan was made is left alone, and so is one that has
// its place now.
func TestApplyInAFolderThatWasMoved(t *testing.T) {
	p, path := planIn(t, File{Path: "a", Want: version("A", 0), data: []byte("A")})
	dir := filepath.Dir(path("a"))
	moved := dir + "-moved"
	if err := errors.Join(os.Rename(dir, moved), os.Mkdir(dir, 0o755)); err != nil {
		t.Skipf("an open folder can't be moved here: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(moved) })
	var folder *FolderError
	if err := p.Apply(t.Context()); !errors.As(err, &folder) || folder.Folder != "repo" || folder.Path != dir {
		t.Errorf("%v", err)
	}
	for _, dir := range []string{dir, moved} {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("%s has %v: %v", dir, entries, err)
		}
	}
}

// A plan with conflicts changes nothing unless they are to be left.
func TestApplyKeepsToItsConflicts(t *testing.T) {
	p, path := planIn(t, File{Path: "a", Want: version("A", 0), data: []byte("A")})
	p.Conflicts = []Conflict{{Path: "c", Reason: Changed}}
	for _, p.onConflict = range []Resolution{Fail, Overwrite} {
		var conflict *ConflictError
		if err := p.Apply(t.Context()); !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0].Path != "c" {
			t.Errorf("%q: %v", p.onConflict, err)
		}
		if _, err := os.Lstat(path("a")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: the file was made: %v", p.onConflict, err)
		}
	}
}

// The modes are those that are wanted, whatever the umask is; and folders that the tools have made go only with all
// that is in them.
func TestApplyOrderAndModes(t *testing.T) {
	p, path := planIn(t,
		File{Path: "f", Now: version("old", 0o644), Want: version("F", 0o777), data: []byte("F")},
		File{Path: "link", Want: files.Version{Link: "f"}},
		File{Path: "made/deep/er/y", Now: version("Y", 0o644)},
		File{Path: "madeup/z", Now: version("Z", 0o644)},
		File{Path: "new/n", Want: version("N", 0), data: []byte("N")},
		File{Path: "used/u", Now: version("U", 0o644)},
	)
	p.made = []string{"made", "used"}
	for name, text := range map[string]string{"f": "old", "made/deep/er/y": "Y", "madeup/z": "Z", "used/u": "U", "used/theirs": "T"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path(name)), 0o755), os.WriteFile(path(name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range p.Files { // as they are on this disk
		if f.Now.Ref != "" {
			now, err := look(p.root, f.Path)
			if err != nil || !same(now, f.Now) {
				t.Fatalf("%s: %+v, %v", f.Path, now, err)
			}
			p.Files[i].Now = now
		}
	}
	if err := p.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{"f": 0o777, "link": fs.ModeSymlink, "madeup": fs.ModeDir, "new/n": 0, "used": fs.ModeDir, "used/theirs": 0} {
		info, err := os.Lstat(path(name))
		if err != nil || info.Mode().Type() != mode.Type() || mode.Perm() != 0 && info.Mode().Perm() != mode.Perm() && os.PathSeparator == '/' {
			t.Errorf("%s: %v, want %v: %v", name, info, mode, err)
		}
	}
	for _, name := range []string{"made", "madeup/z", "used/u"} {
		if _, err := os.Lstat(path(name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
}

// Whoever is stopped half way tells what is done, and leaves no temporary file.
func TestApplyEndsHalfWay(t *testing.T) {
	p, path := planIn(t,
		File{Path: "a", Now: version("A", 0o644)},
		File{Path: "b", Want: version("B", 0), data: []byte("B")},
		File{Path: "c", Want: files.Version{Link: "no\x00name"}},
		File{Path: "d", Want: version("D", 0), data: []byte("D")},
	)
	if err := os.WriteFile(path("a"), []byte("A"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failed *FileError
	if err := p.Apply(ctx); !errors.As(err, &failed) || !errors.Is(err, context.Canceled) || failed.Path != "a" || len(failed.Done) != 0 {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := os.Lstat(path("a")); err != nil {
		t.Error(err)
	}
	if err := p.Apply(t.Context()); !errors.As(err, &failed) || failed.Path != "c" || failed.Folder != "repo" || !slices.Equal(failed.Done, []string{"a", "b"}) {
		t.Errorf("%v, done %v", err, failed)
	}
	// What can't be made leaves what was there.
	if err := os.WriteFile(path("e"), []byte("E"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.put(File{Path: "e", Want: files.Version{Link: "no\x00name"}}); err == nil {
		t.Error("there is a link of that name")
	}
	if data, err := os.ReadFile(path("e")); string(data) != "E" {
		t.Errorf("the file that was there: %q, %v", data, err)
	}
	// A file that can't take its place leaves none beside it.
	p, path = planIn(t)
	if err := os.MkdirAll(path("c/d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := p.put(File{Path: "c", Want: version("C", 0), data: []byte("C")}); err == nil {
		t.Error("a file takes the place of a folder")
	}
	entries, err := os.ReadDir(path("."))
	if err != nil || len(entries) != 1 || entries[0].Name() != "c" {
		t.Errorf("in the folder: %v: %v", entries, err)
	}
}
