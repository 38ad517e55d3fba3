// Package confinetest tests that tools stay inside of their folder.
package confinetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Outside is the text of a file beside the folder. No tool may show it.
const Outside = "quokka\n"

// Folder opens an empty folder but for links that lead out of it: l to the folder
// above it, m to the file x there, whose text is Outside. unchanged fails the test if
// the world outside isn't what it was.
func Folder(t testing.TB) (root *os.Root, unchanged func()) {
	t.Helper()
	base := t.TempDir()
	inside, file := filepath.Join(base, "inside"), filepath.Join(base, "x")
	for _, err := range []error{
		os.Mkdir(inside, 0o755),
		os.WriteFile(file, []byte(Outside), 0o644),
		os.Symlink("..", filepath.Join(inside, "l")),
		os.Symlink("../x", filepath.Join(inside, "m")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(inside)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, func() {
		t.Helper()
		var seen []string
		err := filepath.WalkDir(base, func(p string, _ fs.DirEntry, err error) error {
			if p == inside {
				return filepath.SkipDir
			}
			seen = append(seen, p)
			return err
		})
		if err != nil || !slices.Equal(seen, []string{base, file}) {
			t.Errorf("outside there are %v, %v", seen, err)
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != Outside {
			t.Errorf("the file outside holds %q, %v", data, err)
		}
	}
}
