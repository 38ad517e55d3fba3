package corpus

import "bytes"

// A passage is a run of lines that is found as a whole: a declaration with its
// comment, a paragraph or a few.
type passage struct {
	file  uint32
	start uint32 // first line, from 1
	lines uint16
	decl  uint32 // line of the declaration or heading that it stands under; 0 if unknown
	terms uint16 // words in it
}

const (
	paragraphLines = 8  // a passage of prose goes on until it has these
	longLines      = 45 // from here on a passage ends at an empty line,
	maxLines       = 70 // and here it ends anyhow
)

// cut yields the passages of a text as byte ranges with their line numbers. A
// passage starts at a line that is not indented and follows an empty one, unless
// what is before it is too short to stand alone.
func cut(text []byte, isCode bool, yield func(p passage, text []byte)) {
	short := paragraphLines
	if isCode {
		short = 1
	}
	var decl, lastDecl uint32
	first, line := uint32(1), uint32(1)
	begin, blank := 0, false
	flush := func(end int) {
		if n := line - first; n > 0 {
			p := passage{start: first, lines: uint16(n), decl: decl}
			if decl == 0 {
				p.decl = lastDecl
			}
			yield(p, text[begin:end])
		}
		begin, first = end, line
	}
	for i := 0; i < len(text); line++ {
		next := len(text)
		if j := bytes.IndexByte(text[i:], '\n'); j >= 0 {
			next = i + j + 1
		}
		l := bytes.TrimRight(text[i:next], " \t\r\n")
		n := int(line - first)
		indented := len(l) > 0 && bytes.IndexByte([]byte(" \t})]"), l[0]) >= 0 // or the end of a declaration
		switch {
		case blank && len(l) > 0 && !indented && n >= short, !isCode && isHeading(l):
			flush(i)
			decl, lastDecl = 0, 0
		case blank && n >= longLines, n >= maxLines:
			flush(i)
			if decl != 0 {
				lastDecl, decl = decl, 0
			}
		}
		if decl == 0 && !indented && (isCode && isDeclaration(l) || !isCode && isHeading(l)) {
			decl = line
		}
		blank = len(l) == 0
		i = next
	}
	flush(len(text))
}

// isHeading knows the headings of Markdown and HTML.
func isHeading(line []byte) bool {
	text := bytes.TrimLeft(line, "#")
	return len(text) < len(line) && len(text) > 0 && text[0] == ' ' || len(line) > 3 && line[0] == '<' && line[1] == 'h' && '1' <= line[2] && line[2] <= '6'
}

// isDeclaration knows the first lines of declarations in Go and its relatives.
func isDeclaration(line []byte) bool {
	word, _, _ := bytes.Cut(line, []byte(" "))
	switch string(word) {
	case "func", "type", "var", "const", "class", "def", "struct", "enum", "interface", "fn", "pub", "impl", "function",
		"export", "public", "static", "void", "int", "async", "package", "trait", "module":
		return true
	}
	return bytes.HasPrefix(line, []byte("TEXT "))
}
