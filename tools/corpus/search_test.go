package corpus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// TestWordsOfPaths holds which words of a query name a folder.
func TestWordsOfPaths(t *testing.T) {
	for query, want := range map[string][]string{
		"how does net/http retry":  {"/net/http/"},
		"what is errors.Is?":       {"/errors/"},
		"`net/http`, (errors.As).": {"/net/http/", "/errors/"},
		"a sentence. another one.": nil,
		"/rooted and folder/ .env": nil,
	} {
		if got := pathWords(query); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}

// TestDeclaredName cuts declarations down to their names.
func TestDeclaredName(t *testing.T) {
	for line, want := range map[string]string{
		"func (pc *persistConn) shouldRetry(req *Request) bool {": "(pc *persistConn shouldRetry",
		"func Plain(a int) error {":                               "Plain",
		"type Name struct {":                                      "Name",
		"type List[T any] []T":                                    "List",
		"var x = 1":                                               "x",
		"def f(x):":                                               "f",
		"class Name:":                                             "Name",
		"## The heading here":                                     "The heading here",
		"word":                                                    "",
	} {
		if got := declaredName(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestIsComment holds which lines count as comments.
func TestIsComment(t *testing.T) {
	for line, want := range map[string]bool{
		"// a": true, "\t# a": true, " * a": true, "/* a": true, "": false, "a // b": false, "/ a": false, "-- a": false,
	} {
		if got := isComment(line); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}

// TestWorthAndFilter holds what tests and generated files count for, and which files
// are searched.
func TestWorthAndFilter(t *testing.T) {
	x := &index{kinds: make([]kind, 4)}
	x.kinds[1], x.kinds[2], x.kinds[3] = kindTest, kindGenerated, kindTest|kindGenerated
	for f, want := range []float64{1, 0.4, 0.7, 0.28} {
		if got := x.worth(uint32(f)); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("file %d counts %v, want %v", f, got, want)
		}
	}
	x.files = make([]file, 2)
	x.files[0].path, x.files[1].path = "a/b.go", "c/b.go"
	for under, want := range map[string][]bool{"": nil, ".": nil, "a/": {true, false}, "b.go": {true, true}, "d": {false, false}} {
		if got := x.filter(under); !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("under %q: %t", under, got)
		}
	}
}

// A file of one line, such as a program that was made small, doesn't fill the result: the
// model sees the line around the word, and how long it is.
func TestALongLineIsCutAroundTheWord(t *testing.T) {
	dir := t.TempDir()
	line := strings.Repeat("é filler ", 50_000) + "The Needle is here " + strings.Repeat("ü filler ", 50_000)
	if err := os.WriteFile(filepath.Join(dir, "small.js"), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Tool("search", dir).Call(t.Context(), json.RawMessage(`{"query":"needle"}`))
	if err != nil {
		t.Fatal(err)
	}
	text := rawjson.GetString(got.Content[0].Raw(), "text")
	if len(text) > 2500 || !utf8.ValidString(text) || !strings.Contains(text, "small.js:1: … ") || !strings.Contains(text, "The Needle is here") || !strings.Contains(text, fmt.Sprintf("… (%d bytes)", len(line))) {
		t.Errorf("%d bytes: %.300q", len(text), text)
	}
}
