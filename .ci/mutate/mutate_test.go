package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// project makes a module with a function that is tested well and one that isn't.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/p\n\ngo 1.26.0\n",
		"p.go": `package p

func Tested(a, b int) bool {
	return a < b
}

func Untested(list []int) int {
	if len(list) > 3 {
		return 7
	}
	return 8
}
`,
		"p_test.go": `package p

import "testing"

func TestIt(t *testing.T) {
	if Tested(1, 1) || !Tested(1, 2) {
		t.Error("wrong")
	}
	for range []int{} {
		if Untested(nil) != 8 {
			t.Error("wrong")
		}
	}
}
`,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git := exec.Command("git", "init", "-q")
	git.Dir = root
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return root
}

func run(t *testing.T, root string, args ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "mutate")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(bin, append(args, root)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestMistakesAreCounted(t *testing.T) {
	root := project(t)
	before, err := os.ReadFile(filepath.Join(root, "p.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, root, "-n", "30", "-timeout", "1m")
	for _, want := range []string{
		"noticed by ./ in", "p.go:4: operator: < → <=",
		"p.go:8: never: len(list) > 3 → false && (len(list) > 3)",
		"1 of 7 noticed",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "p.go:4") && !strings.Contains(line, " noticed") || strings.Contains(line, "p.go:8") && !strings.Contains(line, "unnoticed") {
			t.Error(line)
		}
	}
	after, err := os.ReadFile(filepath.Join(root, "p.go"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the tree was changed: %v", err)
	}
}

func TestAssertionsThatAreNotReached(t *testing.T) {
	out := run(t, project(t), "-reach")
	if want := "never reached: p_test.go:10\n1 of 2 assertions in 1 packages were never reached\n"; out != want {
		t.Errorf("got %q", out)
	}
}
