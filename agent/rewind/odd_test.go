package rewind_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/whorl-go/whorl/agent/rewind"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/files"
)

// Whatever somebody puts in the place of a file or of a folder on the way to it, nothing
// outside of the folder is changed, and what can't be restored is told.
func TestOddPlaces(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "b.txt"), []byte("B"), 0o644)) // what the tools have left at sub/b.txt
	for name, tt := range map[string]struct {
		change     func(w *world) error
		conflict   string // the path, or none
		overwrites bool   // OnConflict: Overwrite restores it
	}{
		"a file for a folder": {func(w *world) error {
			return errors.Join(os.RemoveAll(w.path("sub")), os.WriteFile(w.path("sub"), nil, 0o644))
		}, "sub/b.txt", false},
		"a link to outside for a folder": {func(w *world) error {
			return errors.Join(os.RemoveAll(w.path("sub")), os.Symlink(outside, w.path("sub")))
		}, "sub/b.txt", false},
		"a link to outside for a file": {func(w *world) error {
			return errors.Join(os.Remove(w.path("sub/b.txt")), os.Symlink(filepath.Join(outside, "b.txt"), w.path("sub/b.txt")))
		}, "sub/b.txt", true},
		"a link to itself": {func(w *world) error {
			return errors.Join(os.RemoveAll(w.path("sub")), os.Symlink("sub", w.path("sub")))
		}, "sub/b.txt", false},
		"a folder for a file": {func(w *world) error {
			return errors.Join(os.Remove(w.path("sub/b.txt")), os.Mkdir(w.path("sub/b.txt"), 0o755))
		}, "sub/b.txt", false},
		"a read-only file": {func(w *world) error { return os.Chmod(w.path("sub/b.txt"), 0o444) }, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := begin(t, new(memory.RAM))
			log := w.do(w.session("s", nil))
			n, before := log.Len(), w.state()
			w.do(log, put("a.txt", "A"), put("sub/b.txt", "B"))
			must(t, tt.change(w))
			changed := w.state()
			_, err := w.rewind(rewind.Options{From: log, Records: n})
			if tt.conflict == "" {
				if err != nil {
					t.Error(err)
				}
				w.wantState(before, "restored")
				return
			}
			var conflict *rewind.ConflictError
			if !errors.As(err, &conflict) || len(conflict.Conflicts) != 1 || conflict.Conflicts[0].Path != tt.conflict {
				t.Fatalf("%v", err)
			}
			w.wantState(changed, "with a conflict")
			_, err = w.rewind(rewind.Options{From: log, Records: n, OnConflict: rewind.Overwrite})
			if tt.overwrites {
				if err != nil {
					t.Error(err)
				}
				w.wantState(before, "overwritten")
			} else {
				if !errors.As(err, &conflict) {
					t.Errorf("overwritten: %v", err)
				}
				if _, err := w.rewind(rewind.Options{From: log, Records: n, OnConflict: rewind.Leave}); err != nil {
					t.Error(err)
				}
				changed["a.txt"] = before["a.txt"]
				w.wantState(changed, "left")
			}
			if data, err := os.ReadFile(filepath.Join(outside, "b.txt")); err != nil || string(data) != "B" {
				t.Errorf("outside there is %q (%v)", data, err)
			}
		})
	}
}

// Where names that differ in case only are one file, its changes are undone in their
// order, whichever name they have. Two names of one file stand for such a disk.
func TestNamesThatDifferInCase(t *testing.T) {
	for _, names := range [][]string{{"notes.md", "NOTES.md"}, {"NOTES.md", "notes.md"}} {
		w := begin(t, new(memory.RAM))
		w.write(names[0], "zero")
		log := w.do(w.session("s", nil))
		n := log.Len()
		w.do(log, put(names[0], "one"))
		link := func(from, to string) {
			must(t, errors.Join(os.RemoveAll(w.path(to)), os.Link(w.path(from), w.path(to))))
		}
		link(names[0], names[1])
		w.do(log, put(names[1], "two"))
		link(names[1], names[0])
		plan, err := w.rewind(rewind.Options{From: log, Records: n})
		if err != nil || len(plan.Files) != 1 || plan.Files[0].Path != names[0] {
			t.Errorf("%s: %v, %+v", names[0], err, plan.Files)
		}
		if data, err := os.ReadFile(w.path(names[0])); err != nil || string(data) != "zero" {
			t.Errorf("%s is %q (%v)", names[0], data, err)
		}
		// Two files are two, whatever they are called.
		must(t, os.Remove(w.path(names[1])))
		w.write(names[1], "another")
		n = log.Len()
		w.do(log, put(names[0], "three"), put(names[1], "four"))
		plan, err = w.rewind(rewind.Options{From: log, Records: n})
		if err != nil || !slices.EqualFunc(plan.Files, slices.Sorted(slices.Values(names)), func(f rewind.File, name string) bool { return f.Path == name && f.Now != files.Version{} }) {
			t.Errorf("two files: %v, %+v", err, plan.Files)
		}
	}
}
