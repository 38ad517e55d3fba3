package line

import (
	"os"
	"strings"
)

// mostHistory is how many lines a History keeps.
const mostHistory = 500

// A History is what was typed before. The zero History is empty and is kept
// nowhere.
type History struct {
	path  string
	lines []string // newest last
}

// OpenHistory reads a history from a file, to which new lines are added. It is
// empty if the file isn't there or can't be read.
func OpenHistory(path string) *History {
	h := &History{path: path}
	if data, err := os.ReadFile(path); err == nil {
		h.lines = strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	}
	h.cut()
	return h
}

// Add adds a line, unless it is empty or the one before it once more.
func (h *History) Add(line string) {
	if strings.TrimSpace(line) == "" || h.Len() > 0 && h.At(0) == line {
		return
	}
	h.lines = append(h.lines, line)
	h.cut()
}

// Len is the number of lines.
func (h *History) Len() int { return len(h.lines) }

// At is a line, counted from the newest, which is 0.
func (h *History) At(i int) string { return h.lines[len(h.lines)-1-i] }

func (h *History) cut() { h.lines = h.lines[max(0, len(h.lines)-mostHistory):] }

// save writes the file. What can't be saved is lost: a history is no reason to
// stop for.
func (h *History) save() {
	if h.path != "" && len(h.lines) > 0 {
		_ = os.WriteFile(h.path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	}
}
