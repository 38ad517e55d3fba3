package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A wireDocument is what docs/wire.md has that can be cited.
type wireDocument struct {
	text     string
	sections map[string]bool // "8.1"
	rows     map[int]bool    // of §7
	guesses  map[string]bool // "G1"
}

var (
	wireHeading = regexp.MustCompile(`^##+ §(\d+(?:\.\d+)*) \S`)
	wireRow     = regexp.MustCompile(`^\| (\d+) \|`)
	wireGuess   = regexp.MustCompile(`^\| (G\d+) \| §([\d.]+) \|`)
	wireSource  = regexp.MustCompile(`^(?:documented|recorded|reported): \S|^guess: G\d+`)
	guessID     = regexp.MustCompile(`\bG\d+\b`)
	sectionID   = regexp.MustCompile(`§(\d+(?:\.\d+)*)`)
)

func readWire(t *testing.T) *wireDocument {
	t.Helper()
	text, err := os.ReadFile("../../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	w := &wireDocument{text: string(text), sections: map[string]bool{}, rows: map[int]bool{}, guesses: map[string]bool{}}
	chapter := ""
	for line := range strings.Lines(w.text) {
		if m := wireHeading.FindStringSubmatch(line); m != nil {
			if w.sections[m[1]] {
				t.Errorf("docs/wire.md has §%s twice", m[1])
			}
			w.sections[m[1]] = true
			chapter, _, _ = strings.Cut(m[1], ".")
		}
		if m := wireRow.FindStringSubmatch(line); m != nil && chapter == "7" {
			n, _ := strconv.Atoi(m[1])
			if n != len(w.rows)+1 {
				t.Errorf("docs/wire.md: row %d of §7 comes after row %d", n, len(w.rows))
			}
			w.rows[n] = true
		}
		if m := wireGuess.FindStringSubmatch(line); m != nil {
			if want := fmt.Sprintf("G%d", len(w.guesses)+1); m[1] != want {
				t.Errorf("docs/wire.md: guess %s stands where %s belongs", m[1], want)
			}
			w.guesses[m[1]] = true
		}
	}
	if len(w.sections) < 50 || len(w.rows) < 100 || len(w.guesses) < 50 {
		t.Fatalf("docs/wire.md: %d sections, %d rows and %d guesses were found", len(w.sections), len(w.rows), len(w.guesses))
	}
	return w
}

// Every rule of docs/wire.md has a source and says how sure it is. The rules that
// are guesses and the table of guesses name each other.
func TestWireRulesHaveSources(t *testing.T) {
	w := readWire(t)
	counts := map[string]int{}
	assumed := map[string]bool{}
	section, table := "", false
	for line := range strings.Lines(w.text) {
		line = strings.TrimRight(line, "\n")
		if m := wireHeading.FindStringSubmatch(line); m != nil {
			section = m[1]
		}
		for _, m := range sectionID.FindAllStringSubmatch(line, -1) {
			if !w.sections[m[1]] {
				t.Errorf("docs/wire.md: there is no §%s: %s", m[1], line)
			}
		}
		source := ""
		switch {
		case section == "":
			continue
		case section == "17":
			if m := wireGuess.FindStringSubmatch(line); m != nil {
				checkGuess(t, line)
			}
			continue
		case strings.HasPrefix(line, "- "):
			_, tag, ok := strings.Cut(line[strings.LastIndex(line, " ["):], "[")
			source = strings.TrimSuffix(tag, "]")
			if !ok || source == tag {
				source = ""
			}
		case strings.HasPrefix(line, "| ") && strings.HasSuffix(line, " source |"):
			table = true
			continue
		case strings.HasPrefix(line, "| ") && table:
			cells := strings.Split(line, "|")
			source = strings.TrimSpace(cells[len(cells)-2])
		case strings.HasPrefix(line, "| "):
			t.Errorf("docs/wire.md §%s: a table without sources: %s", section, line)
			continue
		default:
			if line == "" {
				table = false
			}
			continue
		}
		if !wireSource.MatchString(source) {
			t.Errorf("docs/wire.md §%s: no source at the end of: %s", section, line)
			continue
		}
		kind, _, _ := strings.Cut(source, ":")
		counts[kind]++
		for _, part := range strings.Split(source, "; ") {
			if !wireSource.MatchString(part) {
				t.Errorf("docs/wire.md §%s: %q is no source", section, part)
			}
		}
		for _, id := range guessID.FindAllString(source, -1) {
			assumed[id] = true
			if !w.guesses[id] {
				t.Errorf("docs/wire.md §%s: guess %s is not in §17", section, id)
			}
		}
	}
	for id := range w.guesses {
		if !assumed[id] {
			t.Errorf("docs/wire.md: no rule names guess %s", id)
		}
	}
	t.Logf("rules by certainty: %v; guesses: %d", counts, len(w.guesses))
}

// waysToAsk are the words of the column "ask" in §17, by which a program knows
// what asking the live service takes.
var waysToAsk = []string{"refused", "request", "wait", "batch", "file", "count", "models", "account", "host", "watch"}

func checkGuess(t *testing.T, line string) {
	t.Helper()
	cells := strings.Split(strings.Trim(line, "| "), " | ")
	if len(cells) != 5 || cells[2] == "" || cells[3] == "" || !slices.Contains(waysToAsk, cells[4]) {
		t.Errorf("docs/wire.md: the guess must have an id, a section, what isn't known, what is assumed, and one of %v: %s", waysToAsk, line)
	}
}

// The forms in which code and documents cite docs/wire.md.
var (
	commentBreak = regexp.MustCompile(`[ \t]*\n[ \t]*(?://+|#)[ \t]*`)
	citedList    = regexp.MustCompile(`\bwire(?:\.md)?\)? (§\d+(?:\.\d+)*(?:(?:,|,? and|,? to) §\d+(?:\.\d+)*)*)`)
	citedRow     = regexp.MustCompile(`\bwire rows? (\d+)(?:(?:,| to| and) (\d+))*`)
	citedGuess   = regexp.MustCompile(`\bwire G\d+(?:, G\d+)*`)
	elsewhere    = regexp.MustCompile(`\b(?:RFC|rfc) ?\d+,? §\d+(?:\.\d+)*`)
	oldCite      = regexp.MustCompile(`\b(?:[Rr]eference|late 2026|[Nn]ovember 2026)(?: §|,? rows? \d|'s table|, Appendix)`)
	number       = regexp.MustCompile(`\d+`)
)

// What code and documents cite of docs/wire.md exists, and they cite no rule of
// the API from anywhere else. A comment of the simulator that speaks of a guess
// names it.
func TestWireCitesResolve(t *testing.T) {
	if raceEnabled {
		t.Skip("reads texts in one goroutine")
	}
	w := readWire(t)
	root, cites := "../..", 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".md" {
			return nil
		}
		name := strings.TrimPrefix(filepath.ToSlash(path), root+"/")
		if name == "docs/wire.md" || name == "docs/weave/wire_test.go" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, problems := w.check(string(raw))
		cites += found
		for _, p := range problems {
			t.Errorf("%s: %s", name, p)
		}
		if strings.HasPrefix(name, "transport/simulator/") && filepath.Ext(name) == ".go" {
			for _, p := range unnamedGuesses(string(raw)) {
				t.Errorf("%s: the comment speaks of a guess and names none of docs/wire.md §17, as in \"wire G1\": %s", name, p)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if cites < 50 {
		t.Errorf("only %d cites of docs/wire.md were found", cites)
	}
}

// check returns how often text cites the document, and what is wrong with it.
func (w *wireDocument) check(text string) (cites int, problems []string) {
	text = commentBreak.ReplaceAllString(text, " ")
	for _, m := range citedList.FindAllStringSubmatch(text, -1) {
		for _, s := range sectionID.FindAllStringSubmatch(m[1], -1) {
			cites++
			if !w.sections[s[1]] {
				problems = append(problems, "docs/wire.md has no §"+s[1])
			}
		}
	}
	for _, m := range citedRow.FindAllString(text, -1) {
		for _, n := range number.FindAllString(m, -1) {
			cites++
			if n, _ := strconv.Atoi(n); !w.rows[n] {
				problems = append(problems, fmt.Sprintf("docs/wire.md §7 has no row %d", n))
			}
		}
	}
	for _, m := range citedGuess.FindAllString(text, -1) {
		for _, id := range guessID.FindAllString(m, -1) {
			cites++
			if !w.guesses[id] {
				problems = append(problems, "docs/wire.md §17 has no guess "+id)
			}
		}
	}
	if m := oldCite.FindString(text); m != "" {
		problems = append(problems, fmt.Sprintf("%q is a document that isn't here; cite docs/wire.md, as in \"wire §8.1\"", m))
	}
	rest := elsewhere.ReplaceAllString(citedList.ReplaceAllString(text, ""), "")
	if m := sectionID.FindString(rest); m != "" {
		problems = append(problems, m+" doesn't say of which document; cite docs/wire.md, as in \"wire §8.1\"")
	}
	return cites, problems
}

var comment = regexp.MustCompile(`(?m)(?:^[ \t]*//.*\n?)+|//.*`)

// unnamedGuesses are the comments with the word guess that name none. The
// package's own comment may speak of guesses in general.
func unnamedGuesses(source string) (found []string) {
	for _, c := range comment.FindAllString(source, -1) {
		if regexp.MustCompile(`\bguess(?:es|ed)?\b`).MatchString(c) && !citedGuess.MatchString(commentBreak.ReplaceAllString(c, " ")) && !strings.Contains(c, "// Package ") && !strings.Contains(c, "§17") {
			found = append(found, strings.TrimSpace(c))
		}
	}
	return found
}

// The checks above find what they are for.
func TestWireCheckFindsMistakes(t *testing.T) {
	w := readWire(t)
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"// It is so (wire §8.1, §8.2 and §1.10).", true},
		{"// It is so (wire\n\t// §8.1). A wire row 98 and wire G1, G2 are fine; so is RFC 9309 §2.5.", true},
		{"see docs/wire.md §7, rows 1 to 3", true},
		{"// It is so (wire §8.99).", false},
		{"// It is so (wire §8.1, §8.99).", false},
		{"// It is so (wire row 999).", false},
		{"// It is so (wire G999).", false},
		{"// It is so (§8.1).", false},
		{"// It is so (reference\n// §8.1).", false},
		{"// as late 2026 §5.3 has it", false},
		{"// rows 1 to 3 of the reference's table", false},
	} {
		if _, problems := w.check(c.text); (len(problems) == 0) != c.ok {
			t.Errorf("%q: %v", c.text, problems)
		}
	}
	if got := unnamedGuesses("x := 1 // a guess\ny := 2 // a guess (wire G1)\n// this\n// is a guess\n// (wire G2)\n"); len(got) != 1 {
		t.Errorf("comments without a guess's name: %q", got)
	}
}
