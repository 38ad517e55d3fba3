package files

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"regexp/syntax"
	"strings"
)

// Bounds of a pattern, which is matched against up to maxWalk paths.
const (
	maxPattern        = 500 // bytes
	maxPatternProgram = 500 // instructions
)

// A glob tells which files a pattern names.
type glob struct {
	re       *regexp.Regexp // nil: every file
	baseOnly bool           // for the name alone, wherever the file is
	fromRoot bool           // for the path from the folder's root
}

// glob compiles a pattern as shells and editors know it: * and ? stay inside a
// name, ** crosses folders, [a-z] and [!a-z] are one character, {a,b} is either,
// a backslash takes the next character as it is. A pattern without a slash is
// for the name alone. It may begin with ./ or with the prefix that the model
// knows the folder by.
func (f *folder) glob(pattern string) (*glob, error) {
	g := new(glob)
	p := pattern
	if prefix := strings.TrimSuffix(f.Prefix, "/"); prefix != "" {
		if rest, ok := strings.CutPrefix(p, prefix+"/"); ok {
			p, g.fromRoot = rest, true
		}
	}
	anchored := g.fromRoot
	for {
		rest, ok := strings.CutPrefix(p, "./")
		if !ok {
			rest, ok = strings.CutPrefix(p, "/")
		}
		if !ok {
			break
		}
		p, anchored = rest, true
	}
	switch {
	case p == "" || p == ".":
		return g, nil
	case len(p) > maxPattern:
		return nil, fmt.Errorf("the pattern has %d bytes; at most %d are allowed", len(p), maxPattern)
	}
	if strings.HasSuffix(p, "/") {
		p += "**" // a folder stands for what is in it
	}
	for strings.Contains(p, "**/**/") {
		p = strings.ReplaceAll(p, "**/**/", "**/")
	}
	expression, err := translate(p)
	if err == nil {
		_, err = bounded(expression, maxPatternProgram)
	}
	if err == nil {
		g.re, err = regexp.Compile(expression)
	}
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	g.baseOnly = !anchored && !strings.Contains(p, "/") && !strings.Contains(p, "**")
	return g, nil
}

// match reports whether the pattern, looked for below folder, names the file at
// name. A path that says the folder once more is understood as well.
func (g *glob) match(folder, name string) bool {
	switch {
	case g.re == nil || name == folder: // a file that was named itself
		return true
	case g.baseOnly:
		return g.re.MatchString(path.Base(name))
	}
	return !g.fromRoot && g.re.MatchString(below(folder, name)) || g.re.MatchString(name)
}

var errSyntax = errors.New("syntax error in pattern")

// translate makes a regular expression of a pattern.
func translate(p string) (string, error) {
	var b strings.Builder
	b.WriteString("^(?:")
	depth := 0 // of braces
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case strings.HasPrefix(p[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(p[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[':
			class, length, err := class(p[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(class)
			i += length - 1
		case c == '{' && closes(p[i:]):
			b.WriteString("(?:")
			depth++
		case c == '}' && depth > 0:
			b.WriteString(")")
			depth--
		case c == ',' && depth > 0:
			b.WriteString("|")
		case c == '\\':
			if i++; i == len(p) {
				return "", errSyntax
			}
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
		case c < 0x80:
			b.WriteString(regexp.QuoteMeta(p[i : i+1]))
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(")$")
	return b.String(), nil
}

// closes reports whether the brace that p begins with is closed and holds a comma
// of its own, as in {a,b}. Others stand for themselves.
func closes(p string) bool {
	depth, comma := 0, false
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
		case '{':
			depth++
		case ',':
			comma = comma || depth == 1
		case '}':
			if depth--; depth == 0 {
				return comma
			}
		}
	}
	return false
}

// class makes a regular expression of [a-z], and says how long it was.
func class(p string) (expression string, length int, err error) {
	end := 1
	if end < len(p) && (p[end] == '!' || p[end] == '^') {
		end++
	}
	for first := end; end < len(p) && (p[end] != ']' || end == first); end++ {
		if p[end] == '\\' {
			end++
		}
	}
	if end >= len(p) {
		return "", 0, errSyntax
	}
	inside, not := p[1:end], ""
	if inside[0] == '!' || inside[0] == '^' {
		inside, not = inside[1:], "^/"
	}
	inside = strings.NewReplacer(`\`, `\`, "[", `\[`, "]", `\]`, "^", `\^`, "&", `\&`, "~", `\~`).Replace(inside)
	return "[" + not + inside + "]", end + 1, nil
}

// bounded refuses an expression whose compiled program would be longer than most
// instructions, before it is compiled, and returns about how long it is.
func bounded(expression string, most int) (int, error) {
	tree, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return 0, err
	}
	size := instructions(tree, most+1)
	if size > most {
		return size, fmt.Errorf("it is too costly to match: more than %d steps for each character; write it shorter, without large or nested repeats such as {1000}", most)
	}
	return size, nil
}

// instructions is about the length of an expression's program, no more than most.
func instructions(re *syntax.Regexp, most int) int {
	size := 0
	for _, sub := range re.Sub {
		size = min(size+instructions(sub, most), most)
	}
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		size++
	case syntax.OpCapture:
		size += 2
	case syntax.OpAlternate:
		size += len(re.Sub) - 1
	case syntax.OpConcat:
	case syntax.OpRepeat:
		size = (size + 1) * max(re.Min+1, re.Max)
	default: // of one instruction: a class, any character, an assertion, nothing
		size = 1
	}
	return min(size, most)
}
