package serve_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A client goes by the types of problems, so docs/serve.md names them all, and no other.
func TestTypesOfProblemsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "a `type` to go by:")
	list, _, ok := strings.Cut(list, ". ")
	if !ok {
		t.Fatal("docs/serve.md has no list of types")
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(list, -1) {
		documented[m[1]] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`problem\(http\.Status\w+, "([a-z_]+)"`).FindAllSubmatch(source, -1) {
			made[string(m[1])] = true
			if !documented[string(m[1])] {
				t.Errorf("%s answers with the type %q, which docs/serve.md doesn't name", name, m[1])
			}
		}
	}
	for name := range documented {
		if !made[name] {
			t.Errorf("docs/serve.md names the type %q, which no answer has", name)
		}
	}
	if len(made) < 20 {
		t.Errorf("only %d types were found", len(made))
	}
}
