// New writes a small agent of your own: a module with a tool, a program, and a
// test that runs offline.
//
//	go run ./examples/new -dir ../mybot -module example.com/mybot
//	cd ../mybot && go test ./... && ANTHROPIC_API_KEY=… go run . "What time is it in Lisbon?"
//
// With -replace it uses the Whorl of a folder, such as this checkout, instead of
// a released version.
package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed template
var templates embed.FS

const library = "github.com/whorl-go/whorl"

func main() {
	dir := flag.String("dir", "", "folder to write to; it must be empty or not there yet")
	module := flag.String("module", "", "the new module's path (default: the folder's name)")
	replace := flag.String("replace", "", "folder of a Whorl checkout to use")
	flag.Parse()
	if err := create(*dir, *module, *replace); err != nil {
		fmt.Fprintln(os.Stderr, "new:", err)
		os.Exit(1)
	}
	fmt.Printf("%s is ready:\n\n\tcd %s\n\tgo mod tidy\n\tgo test ./...\n\tANTHROPIC_API_KEY=… go run . \"What time is it in Lisbon?\"\n", *dir, *dir)
}

// modulePath is what a module may be called here: letters, digits and . _ - ~,
// in parts between slashes.
var modulePath = regexp.MustCompile(`^[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*$`)

// create writes the module.
func create(dir, module, replace string) error {
	if dir == "" {
		return errors.New("name a folder with -dir")
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if module == "" {
		module = filepath.Base(full)
	}
	if !modulePath.MatchString(module) {
		return fmt.Errorf("%q is no module path; give one with -module, such as example.com/mybot", module)
	}
	if entries, err := os.ReadDir(full); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty; name another folder", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(full, 0o755); err != nil {
		return err
	}
	gomod := fmt.Sprintf("module %s\n\ngo 1.26.0\n", module)
	if replace != "" {
		at, err := filepath.Abs(replace)
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err != nil {
			return fmt.Errorf("-replace %s: no go.mod there; name the folder of a Whorl checkout", replace)
		}
		gomod += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %s\n", library, library, filepath.ToSlash(at))
	}
	if err := os.WriteFile(filepath.Join(full, "go.mod"), []byte(gomod), 0o644); err != nil {
		return err
	}
	return fs.WalkDir(templates, "template", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := templates.ReadFile(name)
		if err != nil {
			return err
		}
		to := strings.TrimSuffix(path.Base(name), ".txt")
		return os.WriteFile(filepath.Join(full, to), []byte(strings.ReplaceAll(string(text), "{{module}}", module)), 0o644)
	})
}
