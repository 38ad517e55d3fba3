//go:build unix

package files_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/tools/internal/confinetest"
)

// FuzzConfinement throws paths at every tool, and then looks at the world outside.
func FuzzConfinement(f *testing.F) {
	for _, seed := range []string{"a", "../x", "l/x", "l/../x", "/etc/passwd", "a/../../x", "./l/./x", "a\x00/../x", "**/x", "{..,l}/x", "//x"} {
		f.Add(seed, "b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		root, unchanged := confinetest.Folder(t)
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
		unchanged()
	})
}
