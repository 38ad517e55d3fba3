package agent_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Of the package's own files only telemetry.go, which holds the options, knows
// OpenTelemetry and slog: spans, metrics, attributes and lines are made in
// internal/observe.
func TestOneFileKnowsTelemetry(t *testing.T) {
	importers := map[string][]string{}
	for _, file := range ownFiles(t) {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range f.Imports {
			path, _ := strconv.Unquote(s.Path.Value)
			if path == "log/slog" || strings.HasPrefix(path, "go.opentelemetry.io/") {
				importers[path] = append(importers[path], file)
			}
		}
	}
	if len(importers) == 0 {
		t.Error("no file imports OpenTelemetry; this test looks in the wrong place")
	}
	for path, files := range importers {
		if !slices.Equal(files, []string{"telemetry.go"}) {
			t.Errorf("%v import %s; only telemetry.go may", files, path)
		}
	}
}

// ownFiles are the files of the package without its tests.
func ownFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
}

// The package stays one that can be read: few files, none of them long.
func TestFilesStayFewAndShort(t *testing.T) {
	files := ownFiles(t)
	const most, longest = 30, 400
	if len(files) > most {
		t.Errorf("the package has %d files, more than %d: put what has one subject into one file, or into a package below", len(files), most)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(data), "\n"); n > longest {
			t.Errorf("%s has %d lines, more than %d", file, n, longest)
		}
	}
}
