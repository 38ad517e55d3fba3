package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/tracing.md has each attribute and each metric: by its whole name or, behind
// another one, by its end, as in `gen_ai.request.max_tokens`, `.stream`.
func TestTracingNamesAllAttributes(t *testing.T) {
	source, err := os.ReadFile("../../agent/internal/observe/names.go")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../tracing.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`= "((?:gen_ai|whorl|anthropic|server|error)\.[\w.]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 60 {
		t.Errorf("only %d names were found", len(names))
	}
	for _, m := range names {
		if name := m[1]; !strings.Contains(string(guide), "`"+name+"`") && !hasEnd(string(guide), name) {
			t.Errorf("docs/tracing.md lacks %s", name)
		}
	}
}

// hasEnd reports whether a text has an end of the name, behind its first two parts at
// the least, as `.end` or `…end`.
func hasEnd(text, name string) bool {
	parts := strings.Split(name, ".")
	for i := 2; i < len(parts); i++ {
		end := strings.Join(parts[i:], ".")
		if strings.Contains(text, "`."+end+"`") || strings.Contains(text, "`…"+end+"`") {
			return true
		}
	}
	return false
}

// docs/sessions.md has each note that the library writes into logs.
func TestSessionsNameAllNotes(t *testing.T) {
	source, err := os.ReadFile("../../internal/notes/notes.go")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../sessions.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^\t[A-Z]\w* += "([\w.]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 15 {
		t.Errorf("only %d notes were found", len(names))
	}
	for _, m := range names {
		if !strings.Contains(string(guide), "`"+m[1]+"`") {
			t.Errorf("docs/sessions.md lacks the note %s", m[1])
		}
	}
}
