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
	t, err := Decode(data)
	if err != nil {
		return tools.Result{}, Answerf("Error: %s is %v", path, err)
	}
	lines := Lines(t.String)
	if len(lines) > 999_999 {
		return tools.Result{}, Answerf("File %s exceeds maximum line limit of 999,999 lines.", path)
	}
	from, to, err := Range(viewRange, len(lines))
	if err != nil {
		return tools.Result{}, err
	}
	text := fmt.Sprintf("Here's the content of %s with line numbers:\n%s", path, Numbered(lines, from, to))
	text = Cut(text, limit)
	if t.Encoding() != "" {
		text += "\n[read as " + t.Encoding() + "]"
	}
	return tools.Text(text), nil
}

// ReplaceOnce puts new in the place of old, which must stand in t once. It
// returns the edited text and its lines about the edit, numbered.
func ReplaceOnce(path string, t Text, old *string, new string) (edited Text, around string, err error) {
	if old == nil || *old == "" {
		return t, "", Answerf("Error: str_replace needs `old_str`, and not an empty one")
	}
	wanted, _ := unixEnds(*old)
	lines := Occurrences(t.String, wanted)
	switch len(lines) {
	case 0:
		return t, "", Answerf("No replacement was performed, old_str `%s` did not appear verbatim in %s.", *old, path)
	case 1:
		i := strings.Index(t.String, wanted)
		edited = t.Replace([]Span{{i, i + len(wanted)}}, new)
		return edited, Around(edited.String, lines[0], strings.Count(new, "\n")), nil
	}
	return t, "", Answerf("No replacement was performed. Multiple occurrences of old_str `%s` in lines: %s. Please ensure it is unique", *old, Join(lines))
}

// ReplaceAll puts new in the place of every old, and counts them.
func ReplaceAll(t Text, old, new string) (Text, int) {
	old, _ = unixEnds(old)
	var spans []Span
	for at := 0; old != ""; {
		i := strings.Index(t.String[at:], old)
		if i < 0 {
			break
		}
		spans = append(spans, Span{at + i, at + i + len(old)})
		at += i + len(old)
	}
	return t.Replace(spans, new), len(spans)
}

// Join writes line numbers with commas between them.
func Join(lines []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(lines), " ", ", "), "[]")
}

// Occurrences lists the lines, counted from 1, at which old starts in text, at
// most 100 of them, overlapping ones included. The ends of old's lines may be \r\n.
func Occurrences(text, old string) []int {
	old, _ = unixEnds(old)
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

// Insert puts text behind line n of t, 0 being the top.
func Insert(t Text, n int, text string) (Text, error) {
	lines := Lines(t.String)
	if n < 0 || n > len(lines) {
		return t, Answerf("Error: Invalid `insert_line` parameter: %d. It should be within the range of lines of the file: [0, %d]", n, len(lines))
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	at := 0
	for range n {
		i := strings.IndexByte(t.String[at:], '\n')
		if i < 0 { // the last line has no end
			at = len(t.String)
			text, _ = unixEnds(text)
			text = "\n" + strings.TrimSuffix(text, "\n")
			break
		}
		at += i + 1
	}
	return t.Replace([]Span{{at, at}}, text), nil
}
