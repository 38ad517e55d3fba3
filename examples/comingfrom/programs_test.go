package comingfrom

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A program does the task with one library.
type program struct {
	args []string // the command; GUIDE, FILE and QUESTION come behind
	path string   // what the library wants behind the service's address
	env  []string
}

// A missingError says what of another language isn't on the machine.
type missingError struct {
	what string
	out  []byte
}

func (e *missingError) Error() string { return fmt.Sprintf("%s\n%s", e.what, e.out) }

// install makes the program of a folder: main.go is compiled, main.mjs gets its
// packages by npm, main.py by pip, if Python doesn't have them.
func install(t *testing.T, folder string) (program, error) {
	dir := t.TempDir()
	run := func(in, name string, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = in
		return cmd.CombinedOutput()
	}
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(folder, name))
		return err == nil
	}
	switch {
	case has("main.mjs"):
		if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
			return program{}, err
		}
		if out, err := run(dir, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"); err != nil {
			return program{}, &missingError{"npm can't install its packages: " + err.Error(), out}
		}
		return program{args: []string{"node", filepath.Join(dir, "main.mjs")}, path: "/v1"}, nil
	case has("main.py"):
		script, err := filepath.Abs(filepath.Join(folder, "main.py"))
		if err != nil {
			return program{}, err
		}
		if _, err := run(dir, "python3", "-c", "import pydantic_ai"); err == nil {
			return program{args: []string{"python3", script}}, nil
		}
		if out, err := run(dir, "python3", "-m", "venv", "env"); err != nil {
			return program{}, &missingError{"there is no Python with venv: " + err.Error(), out}
		}
		python := filepath.Join(dir, "env", "bin", "python")
		if out, err := run(folder, python, "-m", "pip", "install", "-q", "--retries", "0", "-r", "requirements.txt"); err != nil {
			return program{}, &missingError{"pip can't install its packages: " + err.Error(), out}
		}
		return program{args: []string{python, script}}, nil
	default:
		binary := filepath.Join(dir, "program")
		if out, err := run(folder, "go", "build", "-o", binary, "."); err != nil {
			return program{}, fmt.Errorf("%w\n%s", err, out)
		}
		return program{args: []string{binary}}, nil
	}
}
