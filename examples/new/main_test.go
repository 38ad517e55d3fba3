package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// What the templates import. The go command that builds this test fetches all
	// that the new module needs.
	_ "github.com/whorl-go/whorl/agent"
	_ "github.com/whorl-go/whorl/tools"
	_ "github.com/whorl-go/whorl/transport/anthropic"
	_ "github.com/whorl-go/whorl/transport/simulator"
)

// The module that New writes builds, and its test passes, against this checkout.
// In place of go mod tidy, which wants the network, it gets the checkout's go.sum
// and its whole list of requirements. With the list the go command needs no go.mod
// file of another module, as it needs none for this checkout. A requirement that
// is left out makes it read the files of older versions, which nothing fetched.
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
	addRequirements(t, filepath.Join(dir, "go.mod"), "../../go.mod")
	for _, args := range [][]string{{"vet", "-mod=readonly", "./..."}, {"test", "-vet=off", "-mod=readonly", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off")
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

// addRequirements adds the require directives of one go.mod file to another.
func addRequirements(t *testing.T, to, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("\nrequire "))
	if at < 0 {
		t.Fatalf("%s requires nothing", from)
	}
	f, err := os.OpenFile(to, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data[at:]); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
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
