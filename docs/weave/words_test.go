package main

import (
	"bytes"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wordsAllowed are places where a refused word is right, and why.
var wordsAllowed = map[string]string{
	"docs/design.md":              "it lists the words",
	"internal/terms/stopwords.go": "it lists words of English",
	"tools/fetch/noise.go":        "it lists names that pages give to what is beside the matter",
}

// No comment, no text of the library and no document has a word that docs/design.md
// gives another word for. Texts of tests and of examples are data.
func TestWords(t *testing.T) {
	if raceEnabled {
		t.Skip("reads texts in one goroutine")
	}
	refused := refusedWords(t)
	looked := 0
	for _, name := range trackedFiles(t) {
		if isData(name) || wordsAllowed[name] != "" {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		switch filepath.Ext(name) {
		case ".go":
			found = wordsOfGo(text, refused, !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, "examples/"))
		case ".md":
			found = wordsOfText(string(text), refused)
		default:
			continue
		}
		looked++
		for _, word := range found {
			t.Errorf("%s has %q: docs/design.md says by which word under Words", name, word)
		}
	}
	if looked < 500 {
		t.Errorf("only %d files were read", looked)
	}
}

// The test finds what it is for.
func TestWordsAreFound(t *testing.T) {
	refused := refusedWords(t)
	const source = "package p\n\n// Append lays a record into the log.\nconst A = \"how to mend it\" // laid out anew\n\nvar laid = `lay out`\n"
	if got := wordsOfGo([]byte(source), refused, true); !slices.Equal(got, []string{"lays", "mend", "anew"}) {
		t.Errorf("found %q", got)
	}
	if got := wordsOfGo([]byte(source), refused, false); !slices.Equal(got, []string{"lays", "anew"}) {
		t.Errorf("found %q without the texts", got)
	}
	if got := wordsOfText("It was Laid\ndown; the layout is laid out.", refused); !slices.Equal(got, []string{"Laid"}) {
		t.Errorf("found %q in a document", got)
	}
}

// refusedWords reads the table of refused words of docs/design.md: the first column
// has them, separated by commas.
func refusedWords(t *testing.T) *regexp.Regexp {
	t.Helper()
	text, err := os.ReadFile("../design.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| not | but |\n|---|---|\n")
	if !ok {
		t.Fatal("docs/design.md has no table of words")
	}
	var words []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			break
		}
		for word := range strings.SplitSeq(cells[1], ",") {
			words = append(words, regexp.QuoteMeta(strings.TrimSpace(word)))
		}
	}
	if len(words) < 10 {
		t.Fatalf("docs/design.md refuses %d words", len(words))
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)\b( out\b)?`)
}

// wordsOfGo are the refused words in the comments of a Go file and, if texts is set,
// in its strings.
func wordsOfGo(source []byte, refused *regexp.Regexp, texts bool) (found []string) {
	set := token.NewFileSet()
	var s scanner.Scanner
	s.Init(set.AddFile("", -1, len(source)), source, nil, scanner.ScanComments)
	for {
		switch _, kind, text := s.Scan(); {
		case kind == token.EOF:
			return found
		case kind == token.COMMENT, kind == token.STRING && texts:
			found = append(found, wordsOfText(text, refused)...)
		}
	}
}

// wordsOfText are the refused words of a text. Laying something out is allowed.
func wordsOfText(text string, refused *regexp.Regexp) (found []string) {
	for _, m := range refused.FindAllStringSubmatch(text, -1) {
		if m[2] == "" {
			found = append(found, m[1])
		}
	}
	return found
}

// isData reports whether a file is what tests and examples work on.
func isData(name string) bool {
	return slices.Contains(strings.Split(name, "/"), "testdata")
}

// trackedFiles are the files that git knows of and that are there.
func trackedFiles(t *testing.T) (names []string) {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("git ls-files: %v; a copy without git has no list of files", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if info, err := os.Lstat(filepath.Join("../..", name)); err == nil && info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	return names
}

// No file has what a merge leaves where two sides conflict.
func TestNoConflictMarkers(t *testing.T) {
	for _, name := range trackedFiles(t) {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		if marker := conflictMarker(text); marker != "" {
			t.Errorf("%s has a line that begins with %q", name, marker)
		}
	}
	for text, want := range map[string]string{
		"a\n<" + "<<<<<< HEAD\nb\n": "<" + "<<<<<<",
		">" + ">>>>>> main\n":       ">" + ">>>>>>",
		"|" + "|||||| base\n":       "|" + "||||||",
		"Title\n=======\n":          "",
		"x <" + "<<<<<< y\n":        "",
	} {
		if got := conflictMarker([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// conflictMarker is the first marker that begins a line of a text, or "" if there is
// none. Binary files have none. A line of equal signs alone may underline a title.
func conflictMarker(text []byte) string {
	if bytes.IndexByte(text, 0) >= 0 {
		return ""
	}
	for line := range bytes.Lines(text) {
		for _, c := range "<>|" {
			if marker := strings.Repeat(string(c), 7); bytes.HasPrefix(line, []byte(marker+" ")) {
				return marker
			}
		}
	}
	return ""
}
