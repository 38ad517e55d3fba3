package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/examples/internal/terminal"
)

// run reviews a folder offline.
func run(t *testing.T, args ...string) (out, progress string) {
	t.Helper()
	for _, name := range service.Variables {
		t.Setenv(name, "")
	}
	opts, err := parseFlags(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if err := review(t.Context(), opts, &stdout, &terminal.Printer{Answer: &stdout, Progress: &stderr}); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	return stdout.String(), stderr.String()
}

// The fixture has one of each.
func TestFindings(t *testing.T) {
	out, _ := run(t, "-dir", "testdata/shop", "-json")
	var findings []finding
	if err := json.Unmarshal([]byte(out), &findings); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"high stock.go:48 The error of s.Save is ignored",
		"medium stock.go:20 fmt.Errorf prints the error",
		"medium stock.go:22 A defer in a loop",
		"medium stock.go:26 The error is compared with io.EOF",
		"medium stock.go:29 The error of strconv.Atoi is dropped",
		"low stock.go:10 The exported type Stock has no doc comment",
		"low stock.go:36 The exported function Save has no doc comment",
		"low stock.go:46 Left to do: refuse what is not there",
	}
	for i, f := range findings {
		got := fmt.Sprintf("%s %s:%d %s", f.Severity, f.File, f.Line, f.Message)
		if i >= len(want) || !strings.HasPrefix(got, want[i]) {
			t.Errorf("finding %d: %s", i, got)
		}
		if f.Suggestion == "" {
			t.Errorf("finding %d has no suggestion", i)
		}
	}
	if len(findings) != len(want) {
		t.Errorf("%d findings, want %d", len(findings), len(want))
	}
}

func TestTable(t *testing.T) {
	out, progress := run(t, "-dir", "testdata/shop", "-v")
	for _, part := range []string{"high    stock.go:48  The error of s.Save is ignored.\n", "→ Use errors.Is.", "8 findings: 1 high, 4 medium, 3 low"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in:\n%s", part, out)
		}
	}
	for _, part := range []string{"read_file", "3 steps"} {
		if !strings.Contains(progress, part) {
			t.Errorf("no %q in:\n%s", part, progress)
		}
	}
}

// A file that is longer than one result is read to its end, many are read in
// several steps, and a folder without any has no findings.
func TestLongAndMany(t *testing.T) {
	dir := t.TempDir()
	var long strings.Builder
	long.WriteString("package p\n")
	for i := range 6000 {
		fmt.Fprintf(&long, "\nvar v%d = \"some text that makes it long\"\n", i)
	}
	long.WriteString("\n// TODO: the end\n")
	write(t, filepath.Join(dir, "long.go"), long.String())
	for i := range 20 {
		write(t, filepath.Join(dir, fmt.Sprintf("f%02d.go", i)), fmt.Sprintf("package p\n\n// FIXME: number %d\n", i))
	}
	write(t, filepath.Join(dir, "broken.go"), "package p\n\nfunc {\n")
	out, progress := run(t, "-dir", dir)
	for _, part := range []string{"long.go:12003  Left to do: the end", "f19.go:3", "21 findings"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in:\n%s\n%s", part, out, progress)
		}
	}
	if out, _ := run(t, "-dir", t.TempDir()); !strings.Contains(out, "0 findings") {
		t.Errorf("an empty folder: %s", out)
	}
	if out, _ := run(t, "-dir", t.TempDir(), "-json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("an empty folder: %s", out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What a model says of places is not believed.
func TestCheck(t *testing.T) {
	folder := fstest.MapFS{"a.go": {Data: []byte("one\ntwo\n")}, "b.go": {Data: []byte("one")}}
	kept, dropped := check(folder, []finding{
		{File: "a.go", Line: 2, Severity: "low"}, {File: "a.go", Line: 9}, {File: "a.go", Line: 0}, {File: "none.go", Line: 1}, {File: "../a.go", Line: 1},
		{File: "b.go", Line: 1, Severity: "low"}, {File: "b.go", Line: 1, Severity: "high"}, {File: "a.go", Line: 1, Severity: "low"},
	})
	var got []string
	for _, f := range kept {
		got = append(got, fmt.Sprintf("%s %s:%d", f.Severity, f.File, f.Line))
	}
	if want := "high b.go:1 low a.go:1 low a.go:2 low b.go:1"; strings.Join(got, " ") != want || dropped != 4 {
		t.Errorf("%v, %d dropped; want %s, 4 dropped", got, dropped, want)
	}
}
