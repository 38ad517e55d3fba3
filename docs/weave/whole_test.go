package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A command in a guide that runs one test, and where: a package of this module, or
// one of another module.
var runsOne = regexp.MustCompile(`go (?:test (\./\S+)|-C (\S+) test) -run '\^(\w+)\$' -v`)

// A reader of a rendered guide doesn't see which file a snippet is a part of, and
// where its client and context are from: each guide links to the file of its
// first one. What it says to run is there.
func TestGuidesNameTheWholeFile(t *testing.T) {
	root := "../.."
	guides, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	linked, commands := 0, 0
	for _, guide := range guides {
		text := read(t, guide)
		for _, p := range place.FindAllStringSubmatch(text, -1) {
			if p[3] != "go" {
				continue
			}
			whole := strings.HasSuffix(p[1], ".txt") || p[2] == "" // the snippet is the file
			if !whole && !strings.Contains(text, "](../"+p[1]+")") {
				t.Errorf("%s: nothing links to %s, which its first snippet is a part of", guide, p[1])
			}
			linked++
			break
		}
		for _, c := range runsOne.FindAllStringSubmatch(text, -1) {
			commands++
			files, err := filepath.Glob(filepath.Join(root, c[1]+c[2], "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, file := range files {
				found = found || strings.Contains(read(t, file), "\nfunc "+c[3]+"(")
			}
			if !found {
				t.Errorf("%s: %s: there is no %s", guide, c[0], c[3])
			}
		}
	}
	if linked < 20 || commands < 15 {
		t.Errorf("%d guides with snippets and %d commands; there should be 20 and 15 or more", linked, commands)
	}
}

// What a guide shows of Go and of JSON is compiled, and run or read, by tests: it is a
// piece of a file. The settings of editors are theirs.
func TestSnippetsAreWoven(t *testing.T) {
	root := "../.."
	guides, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	guides = append(guides, filepath.Join(root, "README.md"))
	for _, guide := range guides {
		lines := strings.Split(read(t, guide), "\n")
		for i, l := range lines {
			settings := filepath.Base(guide) == "acp.md" && l == "```json"
			if (l == "```go" || l == "```json") && !settings && (i == 0 || !meant.MatchString(lines[i-1])) {
				t.Errorf("%s:%d: nothing tests this snippet; weave it from a file", guide, i+1)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
