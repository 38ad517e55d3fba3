// Dependencies writes docs/dependencies.md: the modules that go.mod requires, with
// the dates of their versions and their licences.
//
//	go run ./docs/dependencies
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A module is what go list says about one.
type module struct {
	Path, Version, Dir string
	Time               time.Time
	Main, Indirect     bool
}

const file = "docs/dependencies.md"

func main() {
	log.SetFlags(0)
	table, err := write()
	if err == nil {
		err = os.WriteFile(file, table, 0o644)
	}
	if err != nil {
		log.Fatal("dependencies: ", err)
	}
}

// write makes the file.
func write() ([]byte, error) {
	if out, err := exec.Command("go", "mod", "download").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", err, out)
	}
	required, err := requirements("go.mod")
	if err != nil {
		return nil, err
	}
	args := []string{"list", "-m", "-json"}
	for _, r := range required {
		args = append(args, r.Path)
	}
	list, err := exec.Command("go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var b bytes.Buffer
	b.WriteString("# Dependencies\n\nMade by `go run ./docs/dependencies`: the modules that go.mod requires, when their versions were released, and under which\n" +
		"licence. Those marked indirect are required by others. A module that only tests import is not built into a program.\n\n" +
		"| module | version | released | licence | |\n|---|---|---|---|---|\n")
	for dec := json.NewDecoder(bytes.NewReader(list)); ; {
		var m module
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return b.Bytes(), nil
		} else if err != nil {
			return nil, err
		}
		kind, err := licence(m.Dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		note := ""
		if m.Indirect {
			note = "indirect"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", m.Path, m.Version, m.Time.UTC().Format(time.DateOnly), kind, note)
	}
}

// requirements are the modules that a go.mod requires.
func requirements(file string) ([]module, error) {
	out, err := exec.Command("go", "mod", "edit", "-json", file).Output()
	if err != nil {
		return nil, fmt.Errorf("go mod edit: %w", err)
	}
	var mod struct{ Require []module }
	err = json.Unmarshal(out, &mod)
	return mod.Require, err
}

// licences are told by words that no other has.
var licences = []struct{ name, words string }{
	{"Apache-2.0", "apache license version 2.0"},
	{"MPL-2.0", "mozilla public license version 2.0"},
	{"MIT", "permission is hereby granted, free of charge"},
	{"ISC", "permission to use, copy, modify, and/or distribute this software"},
	{"BSD-3-Clause", "neither the name"},
	{"BSD-3-Clause", "name of the copyright holder nor the names"},
	{"BSD-2-Clause", "redistributions in binary form must reproduce"},
}

// licence is the licence of a module, by the text in its folder.
func licence(dir string) (string, error) {
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "License*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				return "", err
			}
			plain := strings.Join(strings.Fields(strings.ToLower(strings.ReplaceAll(string(text), ",", ", "))), " ")
			plain = strings.ReplaceAll(plain, "license, version", "license version")
			for _, l := range licences {
				if strings.Contains(plain, l.words) {
					return l.name, nil
				}
			}
		}
	}
	return "", fmt.Errorf("no licence that is known in %s", dir)
}
