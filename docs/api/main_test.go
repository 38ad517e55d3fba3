package main

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/api.txt")

const golden = "testdata/api.txt"

// The public API is what testdata/api.txt lists, so that each change of it stands
// in a diff.
func TestPublicAPI(t *testing.T) {
	got, err := list("../..")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want := lines(string(raw))
	for line := range lines(got) {
		if !want[line] {
			t.Errorf("new:  %s", line)
		}
		delete(want, line)
	}
	for line := range want {
		t.Errorf("gone: %s", line)
	}
	if t.Failed() {
		t.Log("if that is meant, run go test ./docs/api -update, and tell it in docs/changelog.md")
	}
}

func lines(text string) map[string]bool {
	set := make(map[string]bool)
	for line := range strings.Lines(text) {
		set[line] = true
	}
	return set
}

// The packages stay small: what another package could hold is not theirs.
func TestNumberOfNames(t *testing.T) {
	api, err := list("../..")
	if err != nil {
		t.Fatal(err)
	}
	for path, most := range map[string]int{"agent": 65, "memory": 60, "transport": 120} {
		names := make(map[string]bool)
		for line := range strings.Lines(api) {
			rest, ok := strings.CutPrefix(line, "pkg "+path+", ")
			kind, name, _ := strings.Cut(rest, " ")
			if !ok || kind == "func" && strings.HasPrefix(name, "(") || kind == "type" && strings.Contains(name, ", ") && strings.Contains(strings.SplitN(name, ",", 2)[0], " ") {
				continue
			}
			names[strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(" ([\n", r) })[0]] = true
		}
		if t.Logf("%s: %d names", path, len(names)); len(names) > most || len(names) == 0 {
			t.Errorf("package %s has %d exported names, at most %d are meant", path, len(names), most)
		}
	}
}

// Nor has a reader of package transport more than so much to read.
func TestLengthOfTransport(t *testing.T) {
	const most = 900
	doc, err := exec.Command("go", "doc", "-all", "../../transport").Output()
	if err != nil {
		t.Skip("no go command: ", err)
	}
	if n := strings.Count(string(doc), "\n"); n > most || n == 0 {
		t.Errorf("go doc -all ./transport has %d lines, at most %d are meant", n, most)
	}
}
