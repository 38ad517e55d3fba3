// Weave puts pieces of compiled, tested Go files into the documents, so that no
// snippet in them can go stale. In a document
//
//	<!-- weave agent/example_test.go#tool -->
//	```go
//	```
//
// stands for the lines between "// region tool" and "// endregion" of that
// file, or for its function tool, or for the whole file if nothing is named. It also makes docs/llms.txt,
// for coding assistants, of the documents' beginnings. Run it from the root:
//
//	go run ./docs/weave          # rewrites the documents
//	go run ./docs/weave -check   # only says what would change, and fails if anything would
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	check := flag.Bool("check", false, "change nothing; fail if a document is stale")
	flag.Parse()
	stale, err := weave(".", !*check)
	for _, name := range stale {
		fmt.Println(name)
	}
	if err != nil || *check && len(stale) > 0 {
		if err == nil {
			err = fmt.Errorf("%d documents are stale; run go run ./docs/weave", len(stale))
		}
		fmt.Fprintln(os.Stderr, "weave:", err)
		os.Exit(1)
	}
}

// weave brings the documents under root up to date and returns the names of
// those that were not.
func weave(root string, write bool) (stale []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		now, err := document(root, string(old))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if now == string(old) {
			return nil
		}
		stale = append(stale, path)
		if !write {
			return nil
		}
		return os.WriteFile(path, []byte(now), 0o644)
	})
	if err != nil {
		return stale, err
	}
	path := filepath.Join(root, "docs", "llms.txt")
	old, _ := os.ReadFile(path)
	now, err := llms(root)
	if err != nil || now == string(old) {
		return stale, err
	}
	stale = append(stale, path)
	if write {
		err = os.WriteFile(path, []byte(now), 0o644)
	}
	return stale, err
}

var place = regexp.MustCompile("(?s)<!-- weave ([^ #]+)(?:#([A-Za-z0-9_-]+))? -->\n```([a-z]*)\n.*?```")

// A place that is meant, in whatever way it is written.
var meant = regexp.MustCompile("(?m)^<!-- *weave.*$")

// document returns text with its snippets renewed. A place that can't be read is
// an error: it would stay as it is, stale or empty.
func document(root, text string) (string, error) {
	var failed error
	if rest := meant.FindString(place.ReplaceAllString(text, "")); rest != "" {
		return "", fmt.Errorf("%s can't be read; write <!-- weave FILE#REGION -->, and a code block on the next line", rest)
	}
	out := place.ReplaceAllStringFunc(text, func(m string) string {
		p := place.FindStringSubmatch(m)
		code, err := snippet(filepath.Join(root, p[1]), p[2])
		if err != nil {
			failed = err
			return m
		}
		name := p[1]
		if p[2] != "" {
			name += "#" + p[2]
		}
		return fmt.Sprintf("<!-- weave %s -->\n```%s\n%s```", name, p[3], code)
	})
	return out, failed
}

// snippet is a region of a file, without the indentation that all of it has.
func snippet(path, region string) (string, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	if region != "" {
		from, to := -1, -1
		for i, l := range lines {
			l = strings.TrimSpace(l)
			if python := strings.TrimPrefix(l, "# "); python != l {
				l = "// " + python
			}
			switch {
			case l == "// region "+region:
				from = i + 1
			case l == "// endregion" && from >= 0 && to < 0:
				to = i
			}
		}
		if from < 0 {
			from, to = function(lines, region)
		}
		if from < 0 || to < 0 {
			return "", fmt.Errorf("%s has no region %q", path, region)
		}
		lines = lines[from:to]
	}
	return strings.Trim(strings.Join(dedent(lines), "\n"), "\n") + "\n", nil
}

// function finds the lines of the function of that name.
func function(lines []string, name string) (from, to int) {
	from = -1
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "func "+name+"("):
			from = i
		case l == "}" && from >= 0:
			return from, i + 1
		}
	}
	return -1, -1
}

func dedent(lines []string) []string {
	indent := -1
	for _, l := range lines {
		if n := len(l) - len(strings.TrimLeft(l, "\t")); strings.TrimSpace(l) != "" && (indent < 0 || n < indent) {
			indent = n
		}
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l[min(len(l), max(indent, 0)):]
	}
	return out
}
