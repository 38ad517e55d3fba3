package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// goRoot is where the Go source tree is.
func goRoot() (string, error) {
	root := os.Getenv("GOROOT")
	if root == "" {
		out, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return "", fmt.Errorf("can't ask the go command where its source tree is (%w); name a folder to search with -dir", err)
		}
		root = strings.TrimSpace(string(out))
	}
	if info, err := os.Stat(filepath.Join(root, "src")); err != nil || !info.IsDir() {
		return "", fmt.Errorf("the Go source tree is not at %s; name a folder to search with -dir", root)
	}
	return root, nil
}

// openPages opens the folder that the simulator's web is made of.
func openPages(dir string) (fs.FS, error) {
	if dir == "" {
		root, err := goRoot()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(root, "doc")
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("pages folder %s does not exist; name a folder of .html, .md or .txt files with -pages", dir)
	case err != nil:
		return nil, fmt.Errorf("pages folder %s: %w", dir, err)
	case !info.IsDir():
		return nil, fmt.Errorf("pages %s is not a folder; name the folder that it is in", dir)
	}
	return os.DirFS(dir), nil
}
