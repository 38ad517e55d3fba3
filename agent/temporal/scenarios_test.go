package temporal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// moduleTests are the tests of the module and of withmcp by their names, each with the texts in
// it, which its parts are named by.
func moduleTests(t *testing.T) map[string]map[string]bool {
	t.Helper()
	found := make(map[string]map[string]bool)
	for _, pattern := range []string{"*_test.go", "withmcp/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
					continue
				}
				parts := make(map[string]bool)
				ast.Inspect(f, func(n ast.Node) bool {
					if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
						text, _ := strconv.Unquote(lit.Value)
						parts[strings.ReplaceAll(text, " ", "_")] = true
					}
					return true
				})
				found[f.Name.Name] = parts
			}
		}
	}
	return found
}

// A scenario is a row of SCENARIOS.md.
type scenario struct{ name, asks, here string }

// scenarios are those of the page by their section, and the numbers that it begins with.
func scenarios(t *testing.T) (sections map[string][]scenario, numbers map[string]string) {
	t.Helper()
	data, err := os.ReadFile("SCENARIOS.md")
	if err != nil {
		t.Fatal(err)
	}
	sections, numbers = make(map[string][]scenario), make(map[string]string)
	section := ""
	for i, line := range strings.Split(string(data), "\n") {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = name
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| test |") || strings.HasPrefix(line, "| source |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case section == "" && len(cells) == 4:
			numbers[cells[0]] = strings.Join(cells[1:], " ")
		case section != "" && len(cells) == 3:
			sections[section] = append(sections[section], scenario{cells[0], cells[1], cells[2]})
		default:
			t.Errorf("line %d: %d cells: %s", i+1, len(cells), line)
		}
	}
	return sections, numbers
}

// Each scenario has a test that exists, or a reason why there is none, and the page counts
// them as they are.
func TestScenarios(t *testing.T) {
	tests := moduleTests(t)
	sections, numbers := scenarios(t)
	if len(sections) != 2 || len(numbers) != 2 {
		t.Fatalf("%d sections, numbers of %d", len(sections), len(numbers))
	}
	quoted := regexp.MustCompile("^`(Test[A-Za-z0-9]+)(/[A-Za-z0-9_]+)?`$")
	for section, list := range sections {
		shown, not := 0, 0
		seen := make(map[string]bool)
		for _, s := range list {
			if seen[s.name] || s.name == "" || s.asks == "" {
				t.Errorf("%s: %+v is there twice, or asks nothing", section, s)
			}
			seen[s.name] = true
			if why, ok := strings.CutPrefix(s.here, "Not: "); ok {
				if not++; len(why) < 20 || !strings.HasSuffix(why, ".") {
					t.Errorf("%s: %s: not applicable, with the reason %q", section, s.name, why)
				}
				continue
			}
			shown++
			for _, name := range strings.Split(s.here, ", ") {
				m := quoted.FindStringSubmatch(name)
				if m == nil {
					t.Errorf("%s: %s: %q is no test", section, s.name, name)
					continue
				}
				parts, ok := tests[m[1]]
				if !ok || m[2] != "" && !parts[m[2][1:]] {
					t.Errorf("%s: %s: there is no test %s", section, s.name, name)
				}
			}
		}
		if got := fmt.Sprint(len(list), shown, not); numbers[section] != got {
			t.Errorf("%s: the page says %q, and has %q", section, numbers[section], got)
		}
	}
}
