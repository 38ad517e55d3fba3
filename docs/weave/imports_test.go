package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers are the layers of docs/design.md, by the first folder of a package. A
// package imports from layers below its own, and from its own what isLocal says.
var layers = map[string]int{
	"internal":  0,
	"transport": 1,
	"memory":    2,
	"tools":     2,
	"agent":     3,
	"examples":  4,
	"docs":      4,
}

// shared are packages that all others of their first folder may import, and why.
var shared = map[string]string{
	"transport/models":          "what is known of models, which all that asks one needs",
	"transport/secret":          "a type for keys, which options of other packages have",
	"transport/rawjson":         "JSON as it is, without which nobody can keep bytes",
	"transport/wire":            "what the other packages need of transport and programs don't",
	"transport/view":            "typed views of blocks",
	"transport/omit":            "what a request can go without",
	"transport/media":           "what the service takes of pictures and documents",
	"transport/anthropic":       "the client of the Messages API, which those of other hosts adapt",
	"transport/clouds/platform": "the client that the platforms share",
	"memory/budget":             "a store that keeps account of money implements its interface",
	"memory/taint":              "labels in a log, which imports give it and policies read",
	"memory/blob":               "wrappers and stores append blobs with records by its interface, and copies are whole",
	"memory/search":             "a store that can be searched implements its interface",
	"agent/tracelog":            "the ids of a trace in lines of the log",
	"agent/feed":                "the one source of events, for pages, servers and protocols",
	"agent/worker":              "the one way to give a session a message, and to leave it to another program",
	"agent/waiting":             "the one way to deal with what waits, for pages, servers and protocols",
}

// testOnly are packages that tests import and programs don't. They may import
// package testing and all packages of their first folder.
var testOnly = map[string]string{
	"agent/agenttest":                  "assertions",
	"memory/storetest":                 "the tests that every store must pass",
	"memory/postgres/pgserver":         "a PostgreSQL server for tests",
	"tools/internal/confinetest":       "a folder with links out of it",
	"transport/internal/requesttest":   "requests for tests",
	"transport/clouds/internal/fronts": "all platforms before a simulator",
	"agent/internal/nginxtest":         "nginx in front of servers",
	"agent/serve/internal/stage":       "a server with an agent for the tests of protocols",
}

// exceptions are imports that the rules don't allow, and why they are there.
var exceptions = map[string]string{
	"tools/mcp -> memory":                                      "a task that is served outlives its process in a store of sessions, as runs do",
	"agent/evals -> agent/visible":                             "the page of a report shows what models say, as a terminal does",
	"examples/durable/screenshots -> memory/postgres/pgserver": "it measures what sessions take in each of the stores",
	"examples/loadtest/capacity -> memory/postgres/pgserver":   "it measures what a worker does on each of the stores",
	"examples/durable/killtest -> memory/postgres/pgserver":    "it kills programs at every moment, and starts the database that they use",
}

// A pkg is a package of the repository, without its tests.
type pkg struct {
	path    string // below the module
	command bool
	imports map[string]string // of a path to the file that has it
}

// Every import keeps to the rule of docs/design.md.
func TestImports(t *testing.T) {
	packages := readPackages(t)
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		for _, problem := range checkImports(packages[name], packages) {
			t.Error(problem)
		}
	}
	if len(packages) < 50 {
		t.Errorf("only %d packages were found", len(packages))
	}
	for edge := range exceptions {
		from, to, _ := strings.Cut(edge, " -> ")
		if p, ok := packages[from]; !ok || p.imports[module+"/"+to] == "" {
			t.Errorf("the exception %s isn't needed any more", edge)
		}
	}
	for _, table := range []map[string]string{shared, testOnly} {
		for name := range table {
			if _, ok := packages[name]; !ok {
				t.Errorf("there is no package %s", name)
			}
		}
	}
}

// checkImports returns what is wrong with the imports of p.
func checkImports(p pkg, packages map[string]pkg) (problems []string) {
	for _, imported := range slices.Sorted(maps.Keys(p.imports)) {
		bad := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("%s imports %s: %s", p.imports[imported], imported, fmt.Sprintf(format, args...)))
		}
		if (imported == "testing" || strings.HasPrefix(imported, "testing/") || imported == "net/http/httptest" && !p.command) && testOnly[p.path] == "" {
			bad("it is for tests, and programs import %s", p.path)
			continue
		}
		to, ours := strings.CutPrefix(imported, module+"/")
		if !ours || exceptions[p.path+" -> "+to] != "" {
			continue
		}
		from, into := layer(p.path), layer(to)
		switch {
		case from < 0 || into < 0:
			bad("one of them belongs to no layer of docs/design.md")
		case testOnly[to] != "" && testOnly[p.path] == "":
			bad("it is for tests only")
		case packages[to].command:
			bad("it is a command")
		case into > from:
			bad("it is in a higher layer")
		case into == from && !isLocal(p, to):
			bad("it is beside %s, neither above nor below it in the tree of folders; a package that several need is named in shared, a single import in exceptions", p.path)
		}
	}
	return problems
}

// isLocal reports whether p may import another package of its layer: one whose
// folder holds p, one in a folder of p, an internal one, or a shared one. A command,
// an example and a package for tests may import all of the same first folder.
func isLocal(p pkg, to string) bool {
	first := func(s string) string { s, _, _ = strings.Cut(s, "/"); return s }
	switch {
	case first(p.path) != first(to):
		return first(p.path) == "docs" // documents show examples
	case p.command, testOnly[p.path] != "", layers[first(to)] == layers["examples"]:
		return true
	case strings.HasPrefix(p.path, to+"/"), strings.HasPrefix(to, p.path+"/"):
		return true
	}
	return shared[to] != "" || slices.Contains(strings.Split(to, "/"), "internal") && first(to) != "internal"
}

func layer(name string) int {
	first, _, _ := strings.Cut(name, "/")
	n, ok := layers[first]
	if !ok {
		return -1
	}
	return n
}

// readPackages reads the imports of all packages of the repository, those of
// nested modules and of other systems included.
func readPackages(t *testing.T) map[string]pkg {
	t.Helper()
	const root = "../.."
	packages := map[string]pkg{}
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); file != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(set, file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), root+"/")
		p, ok := packages[name]
		if !ok {
			p = pkg{path: name, imports: map[string]string{}}
		}
		p.command = p.command || f.Name.Name == "main"
		for _, s := range f.Imports {
			imported, _ := strconv.Unquote(s.Path.Value)
			p.imports[imported] = strings.TrimPrefix(filepath.ToSlash(file), root+"/")
		}
		packages[name] = p
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

// What programs import brings package testing in by no other way, such as a
// dependency.
func TestNoTestingInPrograms(t *testing.T) {
	var args []string
	for name := range readPackages(t) {
		if first, _, _ := strings.Cut(name, "/"); testOnly[name] == "" && layers[first] < layers["examples"] && !nested(name) {
			args = append(args, module+"/"+name)
		}
	}
	out, err := exec.Command("go", append([]string{"list", "-deps", "-f", `{{$p := .ImportPath}}{{range .Imports}}{{if eq . "testing"}}{{$p}} {{end}}{{end}}`}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for importer := range strings.FieldsSeq(string(out)) {
		t.Errorf("%s imports testing, and a program gets it", importer)
	}
}

// nested reports whether a package is of a nested module.
func nested(name string) bool {
	for ; name != "."; name = path.Dir(name) {
		if found, _ := filepath.Glob(filepath.Join("../..", name, "go.mod")); len(found) > 0 {
			return true
		}
	}
	return false
}

// The rule finds what it is for.
func TestCheckImports(t *testing.T) {
	all := map[string]pkg{"transport/serve": {path: "transport/serve", command: true}}
	for _, c := range []struct {
		from, imported string
		command        bool
		want           string // in the problem; empty for none
	}{
		{"transport", module + "/transport/internal/seam", false, ""},
		{"transport", module + "/internal/runes", false, ""},
		{"transport", module + "/memory", false, "higher layer"},
		{"transport/anthropic", module + "/transport", false, ""},
		{"transport/anthropic", module + "/transport/simulator", false, "beside"},
		{"transport/anthropic", module + "/transport/rawjson", false, ""},
		{"transport/simulator/serve", module + "/transport/anthropic/cassette", true, ""},
		{"transport/simulator", module + "/examples/internal/reader", false, "higher layer"},
		{"memory", module + "/tools", false, "beside"},
		{"tools", module + "/memory", false, "beside"},
		{"tools/corpus", module + "/internal/terms", false, ""},
		{"tools/fetch", module + "/tools/shell", false, "beside"},
		{"tools/fetch", module + "/agent", false, "higher layer"},
		{"memory/sqlite", module + "/memory/internal/sqlstore", false, ""},
		{"memory/sqlite", module + "/memory/storetest", false, "tests only"},
		{"memory/sqlite", "testing", false, "for tests"},
		{"memory/sqlite", "testing/fstest", false, "for tests"},
		{"memory/sqlite", "net/http/httptest", false, "for tests"},
		{"memory/storetest", "testing", false, ""},
		{"agent/inspect", module + "/agent", false, ""},
		{"agent/inspect", module + "/agent/policy", false, "beside"},
		{"agent", module + "/agent/internal/loop", false, ""},
		{"internal/runes", module + "/internal/terms", false, "beside"},
		{"internal/runes", module + "/transport", false, "higher layer"},
		{"examples/research", module + "/transport/serve", true, "a command"},
		{"examples/research", module + "/examples/internal/terminal", true, ""},
		{"agent", module + "/extras/new", false, "no layer"},
		{"agent", "log/slog", false, ""},
	} {
		got := strings.Join(checkImports(pkg{path: c.from, command: c.command, imports: map[string]string{c.imported: "x.go"}}, all), "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s imports %s: %q, want %q", c.from, c.imported, got, c.want)
		}
	}
}
