// Picture runs a command and draws what it printed as an SVG of a terminal.
//
//	go run ./docs/picture -o docs/research.svg -title '$ go run ./examples/research "…"' -- COMMAND...
//
// docs/pictures.sh makes the pictures of the documents.
package main

import (
	"flag"
	"fmt"
	"html"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

const (
	columns    = 116
	lineHeight = 19
	textWidth  = 979 // of a full line at 14px
	margin     = 18
)

func main() {
	out := flag.String("o", "", "file to write")
	title := flag.String("title", "", "the command line to show")
	most := flag.Int("lines", 60, "most lines of output to show")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	printed, err := exec.Command(flag.Arg(0), flag.Args()[1:]...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "picture: %v\n%s", err, printed)
		os.Exit(1)
	}
	lines := append([]line{{*title, "c"}}, shorten(wrap(string(printed)), *most)...)
	if err := os.WriteFile(*out, []byte(draw(lines)), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// A line is a line of the picture.
type line struct{ text, style string }

// wrap breaks lines that are too long.
func wrap(text string) []line {
	var lines []line
	for l := range strings.Lines(text) {
		l = strings.TrimRight(strings.ReplaceAll(l, "\t", "    "), "\r\n")
		look, r := style(l), []rune(l)
		for len(r) > columns {
			at := columns
			for i := columns; i > columns-45; i-- {
				if r[i] == ' ' {
					at = i
					break
				}
			}
			lines = append(lines, line{string(r[:at]), look})
			r = append([]rune("   "), r[at:]...)
		}
		lines = append(lines, line{string(r), look})
	}
	return lines
}

// shorten keeps the first steps, the beginning of the answer, which comes behind
// the last step's line, and the last line.
func shorten(lines []line, most int) []line {
	if len(lines) <= most {
		return lines
	}
	answer := 0
	for i, l := range lines {
		if strings.HasPrefix(l.text, "step ") {
			answer = i
		}
	}
	head := min(most/2, answer)
	out := append(lines[:head:head], line{"…", "d"})
	rest := most - head - 3
	out = append(out, lines[answer:min(answer+rest, len(lines)-1)]...)
	return append(out, line{"…", "d"}, lines[len(lines)-1])
}

// The look of a line, by how it begins. What matches none is plain.
var looks = []struct {
	line  *regexp.Regexp
	style string
}{
	{regexp.MustCompile(`^step \d+$`), "b"},
	{regexp.MustCompile(`^  [✓⇡] `), "g"},
	{regexp.MustCompile(`^  ✗ `), "r"},
	{regexp.MustCompile(`^\d+ steps? ·|^No API key`), "d"},
	{regexp.MustCompile(`^  [A-Za-z0-9]`), "d"},
}

func style(text string) string {
	for _, l := range looks {
		if l.line.MatchString(text) {
			return l.style
		}
	}
	return "p"
}

func draw(lines []line) string {
	width := textWidth + 2*margin
	height := len(lines)*lineHeight + 2*margin + 22
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString("A terminal: "+lines[0].text))
	b.WriteString(`<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre;fill:#d8dee9}.c{fill:#fff;font-weight:bold}.b{fill:#fff;font-weight:bold}.g{fill:#a3be8c}.r{fill:#e06c75}.d{fill:#8b95a7}</style>` + "\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="10" fill="#1f2430"/>`+"\n", width, height)
	for i, colour := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="17" r="6" fill="%s"/>`+"\n", margin+4+i*20, colour)
	}
	for i, l := range lines {
		if l.text == "" {
			continue
		}
		fmt.Fprintf(&b, `<text class="%s" x="%d" y="%d" xml:space="preserve">%s</text>`+"\n",
			l.style, margin, margin+22+(i+1)*lineHeight-5, html.EscapeString(l.text))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
