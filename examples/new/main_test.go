package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The module that New writes builds, and its test passes, against this checkout.
// In place of go mod tidy, which wants the network, it gets the checkout's go.sum.
func TestNewModule(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module of its own")
	}
	dir := filepath.Join(t.TempDir(), "mybot")
	if err := create(dir, "example.com/mybot", "../.."); err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, name := range []string{"main.go", "main_test.go"} {
		out, err := exec.Command("gofmt", "-l", filepath.Join(dir, name)).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("gofmt: %s %v", out, err)
		}
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, module, replace, want string }{
		{"", "", "", "-dir"},
		{full, "m", "", "not empty"},
		{filepath.Join(t.TempDir(), "a b"), "", "", "no module path"},
		{filepath.Join(t.TempDir(), "a"), "m", t.TempDir(), "no go.mod"},
	} {
		if err := create(tt.dir, tt.module, tt.replace); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("create(%q, %q, %q): %v, want %q", tt.dir, tt.module, tt.replace, err, tt.want)
		}
	}
}
