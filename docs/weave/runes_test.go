package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Text is cut between characters in one place, internal/runes. The exceptions look at
// bytes for another reason.
func TestTextIsCutInOnePlace(t *testing.T) {
	exceptions := map[string]bool{
		"internal/runes/runes.go": true,
		"agent/visible/writer.go": true, // keeps the beginning of a character for the next write
		"agent/feed/flight.go":    true, // refuses an offset inside a character
	}
	out, err := exec.Command("git", "-C", "../..", "ls-files", "*.go").Output()
	if err != nil {
		t.Skipf("git can't list the files: %v", err)
	}
	for file := range strings.FieldsSeq(string(out)) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		data, err := os.ReadFile("../../" + file)
		if err != nil {
			continue // deleted, and not committed yet
		}
		if has := strings.Contains(string(data), "utf8."+"RuneStart("); has != exceptions[file] {
			t.Errorf("%s looks for the start of a character: %v, want %v; cut text with internal/runes", file, has, exceptions[file])
		}
	}
}
