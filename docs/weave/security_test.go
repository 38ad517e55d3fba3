package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that docs/security.md names exists, and each attack of its list names one.
func TestSecurityNamesTests(t *testing.T) {
	root := "../.."
	text, err := os.ReadFile(filepath.Join(root, "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z][a-z0-9/]*)\\.((?:Test|Fuzz)[A-Za-z0-9]*)`")
	sources := map[string]string{} // of a package's tests
	for _, m := range named.FindAllStringSubmatch(string(text), -1) {
		dir, test := m[1], m[2]
		if _, ok := sources[dir]; !ok {
			files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			for _, file := range files {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				all.Write(data)
			}
			sources[dir] = all.String()
		}
		if !strings.Contains(sources[dir], "\nfunc "+test+"(") {
			t.Errorf("docs/security.md names %s.%s, which doesn't exist", dir, test)
		}
	}
	attacks := regexp.MustCompile(`(?m)^\| \d+ \|.*$`).FindAllString(string(text), -1)
	if len(attacks) < 60 {
		t.Errorf("%d attacks are listed", len(attacks))
	}
	for _, a := range attacks {
		if !named.MatchString(a) {
			t.Errorf("no test is named for: %s", a)
		}
	}
}

// Programs of examples that print to the terminal what a model says do it through
// package visible.
func TestExamplesShowTextsThroughVisible(t *testing.T) {
	checked := 0
	for _, pattern := range []string{"../../examples/*/*.go", "../../examples/new/template/*.txt"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text := string(data)
			if strings.HasSuffix(file, "_test.go") || !strings.Contains(text, "func main()") || !strings.Contains(text, `"github.com/whorl-go/whorl/agent"`) {
				continue
			}
			checked++
			if regexp.MustCompile(`(, |\()os\.Stdout`).MatchString(strings.ReplaceAll(strings.ReplaceAll(text, "visible.NewWriter(os.Stdout)", ""), "json.NewEncoder(os.Stdout)", "")) || regexp.MustCompile(`fmt\.Print.*\.Text[^(]`).MatchString(strings.ReplaceAll(text, "visible.Text(res.Text)", "")) {
				t.Errorf("%s prints without package visible", file)
			}
		}
	}
	if checked < 5 {
		t.Errorf("only %d programs were looked at", checked)
	}
}
