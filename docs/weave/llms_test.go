package main

import (
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestNestedModulesAreMarked compares what docs/llms.txt says to go get with the go.mod
// files that git has.
func TestNestedModulesAreMarked(t *testing.T) {
	list := exec.Command("git", "ls-files", "*/go.mod")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Skipf("no git repository, so nothing to compare with: %v", err)
	}
	var modules []string
	for file := range strings.FieldsSeq(string(out)) {
		modules = append(modules, path.Dir(file))
	}
	text, err := os.ReadFile("../llms.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, packages, _ := strings.Cut(string(text), "## Packages")
	listed, nested := 0, 0
	for line := range strings.Lines(packages) {
		name, rest, is := strings.Cut(strings.TrimPrefix(line, "- `"+module+"/"), "`")
		if !is || !strings.HasPrefix(line, "- ") {
			continue
		}
		listed++
		want := "" // of the longest path that the package is in
		for _, m := range modules {
			if (name == m || strings.HasPrefix(name, m+"/")) && len(m) > len(want) {
				want = m
			}
		}
		if want == "" {
			if strings.HasPrefix(rest, " (`go get") {
				t.Errorf("%s is in the root module, docs/llms.txt says otherwise", name)
			}
			continue
		}
		nested++
		if !strings.HasPrefix(rest, " (`go get "+module+"/"+want+"`): ") {
			t.Errorf("%s is in the module %s, docs/llms.txt doesn't say so", name, want)
		}
	}
	for _, want := range []string{"tools/mcp", "agent/acp", "transport/clouds"} {
		if !slices.Contains(modules, want) {
			t.Errorf("git knows no %s/go.mod", want)
		}
	}
	if listed < 50 || nested < 10 {
		t.Errorf("%d packages, %d of them in nested modules: the list can't be read", listed, nested)
	}
}
