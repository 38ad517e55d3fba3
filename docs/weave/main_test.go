package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDocumentsAreUpToDate(t *testing.T) {
	stale, err := weave("../..", false)
	if err != nil {
		t.Fatal(err)
	}
	if len(stale) > 0 {
		t.Errorf("%v are stale: run go run ./docs/weave from the root", stale)
	}
}

func TestWeave(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "docs"), 0o755); err != nil {
		t.Fatal(err)
	}
	write("README.md", "# A\n\nWhat it is.\n")
	write("docs/llms.txt", "# Whorl\n\n> What it is.\n\n## Guides\n\n\n## Packages\n\n`go get github.com/whorl-go/whorl` gets all of them but those with a `go get` of their own, which are in nested modules.\n\n- `github.com/whorl-go/whorl/.`: Package a does things.\n")
	write("a.go", "// Package a does things.\npackage a\n\nfunc f() {\n\t// region r\n\tif true {\n\t\tg()\n\t}\n\t// endregion\n}\n")
	write("a.md", "text\n<!-- weave a.go#r -->\n```go\nold\n```\nmore\n")
	if stale, err := weave(dir, true); err != nil || len(stale) != 1 {
		t.Fatalf("stale %v, %v", stale, err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "a.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "text\n<!-- weave a.go#r -->\n```go\nif true {\n\tg()\n}\n```\nmore\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	write("b.md", "<!-- weave a.go#none -->\n```go\n```\n")
	if _, err := weave(dir, false); err == nil || !strings.Contains(err.Error(), `no region "none"`) {
		t.Errorf("error %v", err)
	}
	for text, want := range map[string]string{
		"<!-- weave a.go#f -->\n\n```go\n```\n":  "can't be read",
		"<!-- weave a.go#G! -->\n```go\n```\n":   "can't be read",
		"<!-- weave a.go#Gone -->\n```go\n```\n": `no region "Gone"`,
	} {
		write("b.md", text)
		if _, err := weave(dir, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}
