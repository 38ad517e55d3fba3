//go:build unix

package files_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools/files"
)

// FuzzConfinement throws paths at every tool, and then looks at the world outside.
func FuzzConfinement(f *testing.F) {
	for _, seed := range []string{"a", "../x", "l/x", "l/../x", "/etc/passwd", "a/../../x", "./l/./x", "a\x00/../x", "**/x", "{..,l}/x", "//x"} {
		f.Add(seed, "b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		base := t.TempDir()
		inside := filepath.Join(base, "inside")
		if err := os.Mkdir(inside, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(base, "x"), []byte("quokka\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("..", filepath.Join(inside, "l")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../x", filepath.Join(inside, "m")); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(inside)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		set := files.Tools(root, files.Options{})
		for _, c := range []struct {
			tool  string
			input map[string]any
		}{
			{"write_file", map[string]any{"path": a, "text": "evil"}}, {"write_file", map[string]any{"path": b, "text": "evil"}},
			{"edit_file", map[string]any{"path": a, "old": "quokka", "new": "evil"}},
			{"read_file", map[string]any{"path": a}}, {"read_file", map[string]any{"path": b}},
			{"list_files", map[string]any{"path": a, "pattern": b}},
			{"search_files", map[string]any{"expression": "quokka|evil", "path": a, "pattern": b}},
		} {
			input, _ := json.Marshal(c.input)
			if got := do(t, pick(t, set, c.tool), string(input)); strings.Contains(got, "quokka") && !strings.Contains(a+b, "quokka") {
				t.Errorf("%s %s shows what is outside: %s", c.tool, input, got)
			}
		}
		var seen []string
		_ = filepath.WalkDir(base, func(p string, d fs.DirEntry, _ error) error {
			if p == inside {
				return filepath.SkipDir
			}
			seen = append(seen, d.Name())
			return nil
		})
		if data, _ := os.ReadFile(filepath.Join(base, "x")); len(seen) != 2 || string(data) != "quokka\n" {
			t.Errorf("paths %q and %q changed the world outside: %v, %q", a, b, seen, data)
		}
	})
}
