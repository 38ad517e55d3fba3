package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// guides are the documents in the order in which to read them. Those that are
// not named come behind, by name.
var guides = []string{
	"quickstart", "tools", "loop", "thinking", "server-tools", "sessions", "caching", "context", "policies", "waiting", "skills", "script", "mcp",
	"testing", "evals", "serve", "scale", "transports", "tracing", "inspect", "security", "errors", "wire", "benchmarks", "coming-from", "design", "rough-edges",
}

// llms makes docs/llms.txt: what a coding assistant needs to find its way, from
// the documents' and the packages' own first sentences.
func llms(root string) (string, error) {
	var b strings.Builder
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "# Whorl\n\n> %s\n\n## Guides\n\n", firstParagraph(string(readme)))
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return "", err
	}
	slices.SortFunc(names, func(x, y string) int { return rank(x) - rank(y) })
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		title, _, _ := strings.Cut(strings.TrimPrefix(string(text), "# "), "\n")
		fmt.Fprintf(&b, "- [%s](%s): %s\n", title, filepath.Base(name), firstParagraph(string(text)))
	}
	b.WriteString("\n## Packages\n\n`go get " + module + "` gets all of them but those with a `go get` of their own, which are in nested modules.\n\n")
	b.WriteString(packages(root))
	return b.String() + examples(root), nil
}

func rank(path string) int {
	if i := slices.Index(guides, strings.TrimSuffix(filepath.Base(path), ".md")); i >= 0 {
		return i
	}
	return len(guides)
}

// firstParagraph is the first text behind the title, on one line.
func firstParagraph(text string) string {
	for part := range strings.SplitSeq(text, "\n\n") {
		part = strings.TrimSpace(part)
		if part != "" && !strings.HasPrefix(part, "#") && !strings.HasPrefix(part, "<") && !strings.HasPrefix(part, "|") && !strings.HasPrefix(part, "![") && !strings.HasPrefix(part, "*") {
			return strings.Join(strings.Fields(part), " ")
		}
	}
	return ""
}

const module = "github.com/whorl-go/whorl"

// packages lists the packages that a program can import, with what they are for. Those
// of a nested module name it.
func packages(root string) string {
	var b strings.Builder
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if n := d.Name(); path != root && (strings.HasPrefix(n, ".") || n == "testdata" || n == "internal" || n == "examples" || n == "docs") {
			return filepath.SkipDir
		}
		rel, _ := filepath.Rel(root, path)
		f := documented(path)
		if f == nil || f.Name.Name == "main" {
			return nil
		}
		get := ""
		if m := moduleOf(root, path); m != "." {
			get = " (`go get " + module + "/" + m + "`)"
		}
		fmt.Fprintf(&b, "- `%s/%s`%s: %s\n", module, filepath.ToSlash(rel), get, synopsis(f))
		return nil
	})
	return b.String()
}

// examples lists the folders of examples with what they show.
func examples(root string) string {
	dirs, err := filepath.Glob(filepath.Join(root, "examples", "*"))
	if err != nil || len(dirs) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n## Examples\n\n")
	for _, dir := range dirs {
		if f := documented(dir); f != nil {
			fmt.Fprintf(&b, "- [examples/%s](../examples/%[1]s): %s\n", filepath.Base(dir), synopsis(f))
		}
	}
	return b.String()
}

// documented returns the file with the package's comment, or nil.
func documented(dir string) *ast.File {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err == nil && f.Doc != nil && !strings.HasSuffix(name, "_test.go") {
			return f
		}
	}
	return nil
}

func synopsis(f *ast.File) string { return new(doc.Package).Synopsis(f.Doc.Text()) }

// moduleOf returns the folder of the module that a package is in, "." for the root.
func moduleOf(root, dir string) string {
	for dir != root {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	rel, _ := filepath.Rel(root, dir)
	return filepath.ToSlash(rel)
}
