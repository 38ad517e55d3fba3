package reader

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// paragraph is a piece of what was read that says one thing: a paragraph of a
// comment or of prose, or a stretch of code.
type paragraph struct {
	file     string
	from, to int
	lines    []string // as they stand in the file
	kind     paragraphKind
	decl     *declaration // that it documents or stands in; nil if unknown
	isDoc    bool         // it is part of the comment in front of decl
	matched  matched
	score    float64
}

type paragraphKind int

const (
	isProse paragraphKind = iota
	isComment
	isCode
)

// declaration is a top-level declaration that was read at least in part; in
// prose, a heading.
type declaration struct {
	file    string
	line    int
	text    string // its first line
	name    string
	docFrom int // first line of its comment; line if there is none
	end     int // its last line, if it was read; else 0
}

// paragraphs cuts the lines that were read of a file.
func paragraphs(name string, lines map[int]string) []*paragraph {
	numbers := make([]int, 0, len(lines))
	for n := range lines {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	c := cutter{file: name, lines: lines, prose: isProseFile(name)}
	for i := 0; i < len(numbers); {
		j := i + 1
		for j < len(numbers) && numbers[j] == numbers[j-1]+1 {
			j++
		}
		c.run(numbers[i], numbers[j-1])
		i = j
	}
	return c.out
}

func isProseFile(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".md", ".txt", ".html", ".htm", ".rst", ".adoc", ".tex", "":
		return true
	}
	return false
}

type cutter struct {
	file  string
	lines map[int]string
	prose bool
	out   []*paragraph
	decl  *declaration // that the line at hand stands in
}

// run cuts lines from to to, which were read without a gap.
func (c *cutter) run(from, to int) {
	c.decl = nil
	begin := len(c.out)
	block := c.blocks(from, to)
	for n := from; n <= to; {
		line := c.lines[n]
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || isMarkup(trimmed) || isCommentLine(line) && stripComment(line) == "":
			n++
		case c.prose && isHeading(trimmed):
			name := strings.TrimSpace(strings.Trim(tag.ReplaceAllString(trimmed, ""), "#"))
			c.decl = &declaration{file: c.file, line: n, text: line, name: name, docFrom: n}
			n++
		case c.prose || block[n] && !isCommentLine(line):
			end := n + 1
			for end <= to && !breaksProse(c.lines[end]) && block[end] == block[n] {
				end++
			}
			c.add(isProse, n, end-1)
			n = end
		case isCommentLine(line):
			end := n + 1
			for end <= to && isCommentLine(c.lines[end]) && stripComment(c.lines[end]) != "" && indent(c.lines[end]) == indent(line) &&
				isSample(c.lines[end]) == isSample(line) && !listItem.MatchString(stripComment(c.lines[end])) {
				end++
			}
			kind := isComment
			if isSample(line) {
				kind = isCode
			}
			c.add(kind, n, end-1)
			n = end
		default:
			c.declaration(n, to)
			end := n + 1
			if c.isRemark(line) {
				c.add(isComment, n, n)
				n++
				continue
			}
			for end <= to && strings.TrimSpace(c.lines[end]) != "" && !isCommentLine(c.lines[end]) && !topLevel(c.lines[end]) && !c.isRemark(c.lines[end]) {
				end++
			}
			c.add(isCode, n, end-1)
			n = end
		}
	}
	c.out = append(c.out[:begin], slices.DeleteFunc(c.out[begin:], func(p *paragraph) bool {
		// What the reading cut into, at its beginning or its end, is no whole thought.
		return p.kind != isCode && (p.from == from && from > 1 || p.to == to && !endsSentence(p.lines[len(p.lines)-1]))
	})...)
	for _, p := range c.out[begin:] {
		if p.decl != nil && p.decl.end == 0 {
			c.findEnd(p.decl, to)
		}
	}
}

// blocks are the lines between /* and */; the reading may begin or end there.
func (c *cutter) blocks(from, to int) map[int]bool {
	block, open, code := map[int]bool{}, false, c.prose
	for n := from; n <= to && !code; n++ {
		code = declLine.MatchString(c.lines[n]) || codeLine.MatchString(c.lines[n])
	}
	for n := from; n <= to && !c.prose; n++ {
		block[n] = !code // no line is code, so all are inside a comment
		line := strings.TrimSpace(c.lines[n])
		if begins := strings.HasPrefix(line, "/*"); begins || strings.HasPrefix(line, "*/") {
			for i := from; !begins && !open && i < n; i++ {
				block[i] = true
			}
			open = begins && !strings.Contains(line, "*/")
		}
		block[n] = block[n] || open
	}
	return block
}

// isRemark is true for a line that declares a field, a constant or a variable, and
// says behind it what that is.
func (c *cutter) isRemark(line string) bool {
	_, remark, ok := strings.Cut(line, " // ")
	return ok && len(remark) > 20 && c.decl != nil && !strings.HasPrefix(c.decl.text, "func")
}

func (c *cutter) add(kind paragraphKind, from, to int) {
	p := &paragraph{file: c.file, from: from, to: to, kind: kind}
	for n := from; n <= to; n++ {
		p.lines = append(p.lines, c.lines[n])
	}
	if l := p.lines[0]; c.prose || kind == isCode || l[0] == '\t' || indent(l) > 1 {
		p.decl = c.decl
	}
	if last := p.lines[len(p.lines)-1]; kind == isCode && (strings.HasPrefix(last, "}") || strings.HasPrefix(last, ")")) {
		c.decl = nil
	}
	c.out = append(c.out, p)
}

var codeLine = regexp.MustCompile(`^(?://|/\*|\*/|})|[{;]$`)

var declLine = regexp.MustCompile(`^(?:func|type|var|const|class|def|struct|enum|interface|fn|pub|function|export|trait|async def|public|TEXT)\b`)

// declaration notes a declaration that begins at line n, and gives it the
// comment in front of it.
func (c *cutter) declaration(n, to int) {
	line := c.lines[n]
	if !topLevel(line) {
		return
	}
	c.decl = nil
	if !declLine.MatchString(line) {
		return
	}
	d := &declaration{file: c.file, line: n, text: line, name: declaredName(line), docFrom: n}
	c.decl = d
	for i := len(c.out) - 1; i >= 0; i-- {
		p := c.out[i]
		if !isCommentLine(p.lines[0]) || indent(p.lines[0]) > 1 || c.gap(p.to, d.docFrom) {
			break
		}
		p.decl, p.isDoc = d, true
		d.docFrom = p.from
	}
}

// gap is true if an empty line stands between the two lines; a comment line
// without words doesn't count as one.
func (c *cutter) gap(a, b int) bool {
	for n := a + 1; n < b; n++ {
		if strings.TrimSpace(c.lines[n]) == "" {
			return true
		}
	}
	return false
}

func (c *cutter) findEnd(d *declaration, to int) {
	for n := d.line; n <= to; n++ {
		l := c.lines[n]
		if n > d.line && (strings.HasPrefix(l, "}") || strings.HasPrefix(l, ")")) {
			d.end = n
			return
		}
		if n == d.line && !strings.HasSuffix(strings.TrimSpace(l), "{") && !strings.HasSuffix(strings.TrimSpace(l), "(") {
			d.end = n
			return
		}
	}
}

func endsSentence(line string) bool {
	return strings.HasSuffix(strings.TrimRight(line, `)"' `), ".")
}

func topLevel(line string) bool {
	return line != "" && line[0] != ' ' && line[0] != '\t' && line[0] != '}' && line[0] != ')'
}

// declaredName is what the first line of a declaration declares, without its receiver.
func declaredName(line string) string {
	_, rest, _ := strings.Cut(line, " ")
	if strings.HasPrefix(rest, "(") {
		if _, after, ok := strings.Cut(rest, ") "); ok {
			rest = after
		}
	}
	return identifier.FindString(rest)
}

var identifier = regexp.MustCompile(`[\p{L}_][\p{L}\p{N}_]*`)

func isCommentLine(line string) bool {
	l := strings.TrimSpace(line)
	return strings.HasPrefix(l, "//") && !strings.HasPrefix(l, "//go:") || strings.HasPrefix(l, "# ") || l == "#" ||
		strings.HasPrefix(l, "* ") || l == "*" || strings.HasPrefix(l, "/*") || strings.HasPrefix(l, "*/") || strings.HasPrefix(l, "-- ")
}

// stripComment takes a line's comment mark off.
func stripComment(line string) string {
	l := strings.TrimSpace(line)
	for _, mark := range []string{"///", "//", "/**", "/*", "*/", "#", "-- ", "*"} {
		if rest, ok := strings.CutPrefix(l, mark); ok {
			return strings.TrimSpace(strings.TrimSuffix(rest, "*/"))
		}
	}
	return l
}

// isSample is true for the lines of a comment that are set off from its text.
func isSample(line string) bool {
	_, text, ok := strings.Cut(line, "//")
	return ok && (strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "   ")) && !listItem.MatchString(text)
}

func indent(line string) int {
	return len(line) - len(strings.TrimLeft(line, " \t"))
}

var onlyMarkup = regexp.MustCompile(`^(?:</?[a-zA-Z][^<>]*>|<!--.*-->|[-=*_#|+ ` + "`" + `]+)+$`)

// isMarkup is true for lines that hold nothing but tags or a rule.
func isMarkup(trimmed string) bool { return onlyMarkup.MatchString(trimmed) }

var listItem = regexp.MustCompile(`^\s*(?:[-*+]|\d+[.)])\s`)

// isHeading knows the headings of Markdown and HTML.
func isHeading(trimmed string) bool {
	level := len(trimmed) - len(strings.TrimLeft(trimmed, "#"))
	return level > 0 && level < len(trimmed) && trimmed[level] == ' ' || heading.MatchString(trimmed)
}

var heading = regexp.MustCompile(`^<h[1-6]\b`)

// breaksProse is true for lines that begin a paragraph of prose, or lie between two.
func breaksProse(line string) bool {
	l := strings.TrimSpace(line)
	return l == "" || isMarkup(l) || isHeading(l) || l[0] == '|' || listItem.MatchString(line)
}
