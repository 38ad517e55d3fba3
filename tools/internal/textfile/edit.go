package textfile

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Show is what a model sees of a file called path: a picture, or the lines of
// viewRange with their numbers, of at most limit bytes.
func Show(path string, data []byte, viewRange []int, limit int) (tools.Result, error) {
	if kind := http.DetectContentType(data); slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, kind) {
		b, err := tools.Image{Data: data, MediaType: kind}.Block()
		return tools.Result{Content: []transport.Block{b}}, err
	}
	if !IsText(data) {
		return tools.Result{}, Answerf("Error: %s is not a text file", path)
	}
	lines := Lines(string(data))
	if len(lines) > 999_999 {
		return tools.Result{}, Answerf("File %s exceeds maximum line limit of 999,999 lines.", path)
	}
	from, to, err := Range(viewRange, len(lines))
	if err != nil {
		return tools.Result{}, err
	}
	text := fmt.Sprintf("Here's the content of %s with line numbers:\n%s", path, Numbered(lines, from, to))
	return tools.Text(Cut(text, limit)), nil
}

// Replace puts new in the place of old, which must stand in text once. It
// returns the edited text and its lines about the edit, numbered.
func Replace(path, text string, old *string, new string) (edited, around string, err error) {
	if old == nil || *old == "" {
		return "", "", Answerf("Error: str_replace needs `old_str`, and not an empty one")
	}
	lines := Occurrences(text, *old)
	switch len(lines) {
	case 0:
		return "", "", Answerf("No replacement was performed, old_str `%s` did not appear verbatim in %s.", *old, path)
	case 1:
		edited = strings.Replace(text, *old, new, 1)
		return edited, Around(edited, lines[0], strings.Count(new, "\n")), nil
	}
	return "", "", Answerf("No replacement was performed. Multiple occurrences of old_str `%s` in lines: %s. Please ensure it is unique", *old, Join(lines))
}

// Join writes line numbers with commas between them.
func Join(lines []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(lines), " ", ", "), "[]")
}

// Occurrences lists the lines, counted from 1, at which old starts in text, at
// most 100 of them, overlapping ones included.
func Occurrences(text, old string) []int {
	var lines []int
	line, at := 1, 0
	for old != "" && len(lines) < 100 {
		i := strings.Index(text[at:], old)
		if i < 0 {
			break
		}
		line += strings.Count(text[at:at+i], "\n")
		lines = append(lines, line)
		if text[at+i] == '\n' {
			line++
		}
		at += i + 1
	}
	return lines
}

// Around writes the numbered lines of an edit that starts at line and has
// edited lines, with some lines about it.
func Around(text string, line, edited int) string {
	const about = 4
	lines := Lines(text)
	return Numbered(lines, line-about, line+edited+about)
}

// Insert puts text behind line n of old, 0 being the top.
func Insert(old string, n int, text string) (string, error) {
	lines := Lines(old)
	if n < 0 || n > len(lines) {
		return "", Answerf("Error: Invalid `insert_line` parameter: %d. It should be within the range of lines of the file: [0, %d]", n, len(lines))
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	at := 0
	for range n {
		i := strings.IndexByte(old[at:], '\n')
		if i < 0 { // the last line has no end
			return old + "\n" + strings.TrimSuffix(text, "\n"), nil
		}
		at += i + 1
	}
	return old[:at] + text + old[at:], nil
}
