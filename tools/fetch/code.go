package fetch

import (
	"regexp"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

var (
	languageClass = regexp.MustCompile(`(?i)^(?:language|lang|highlight-source|highlight-text|highlight|src|brush|code)[-:]([a-z][\w+#.-]*)$`)
	brush         = regexp.MustCompile(`(?i)(?:^|\s)brush:\s*([\w+#.-]+)`)
	notLanguage   = regexp.MustCompile(`(?i)^(?:default|none|text|plain|plaintext|txt|no-?highlight|source|wrapper|container|block|inner|box|content|code|group|toolbar|html-basic|copy|figure|body|pre|lines?|line-?numbers|snippet|example|highlight|hljs|notranslate|sourcecode|literal-block|linenums|prettyprint|prettyprinted|numberlines|code-block|code-?wrapper|chroma|syntax|listing|rouge|shiki|astro-code|expressive-code|theme.*|nohighlight)$`)
	lineNumber    = regexp.MustCompile(`(?i)(?:^|\s)(?:linenos?|linenodiv|line-?numbers?(?:-rows)?|gutter|blob-num[\w-]*|hljs-ln-numbers?|lnt?|rouge-gutter|lineno|code-?line-?number)(?:\s|$)`)
	codeTable     = regexp.MustCompile(`(?i)(?:^|[\s_-])(?:highlight(?:table)?|rouge-table|lntable|hljs-ln|code-?table|blob|js-file-line-container|syntax-?highlight(?:er)?)(?:[\s_-]|$)`)
	digits        = regexp.MustCompile(`^[\s\d]*$`)
)

// codeBlocks makes of each block of code one text in the language that its
// surroundings name.
func (r *reduction) codeBlocks(root *html.Node) {
	var found []*html.Node
	r.each(root, func(n *html.Node) bool {
		switch {
		case is(n, atom.Pre), is(n, atom.Div) && hasClass(n, "fragment") && r.linesOnly(n), is(n, atom.Table) && r.isCodeTable(n):
			found = append(found, n)
			return false
		}
		return true
	})
	for _, n := range found {
		var b strings.Builder
		r.codeText(n, &b)
		code := element(atom.Code, textNode(strings.Trim(strings.ReplaceAll(b.String(), "\u200b", ""), "\n")))
		if language := r.language(n); language != "" {
			setAttr(code, "class", "language-"+language)
		}
		if n.Parent != nil {
			replace(n, element(atom.Pre, code))
		}
	}
}

// linesOnly tells Doxygen's way to show code, a box of lines.
func (r *reduction) linesOnly(n *html.Node) bool {
	lines := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case !r.visit():
			return false
		case is(c, atom.Div) && hasClass(c, "line"):
			lines++
		case !blank(c) && !is(c, atom.A):
			return false
		}
	}
	return lines > 0
}

// isCodeTable tells a table that shows code beside the numbers of its lines.
func (r *reduction) isCodeTable(table *html.Node) bool {
	numbers, code, other := 0, 0, 0
	r.each(table, func(n *html.Node) bool {
		if !is(n, atom.Td, atom.Th) {
			return !is(n, atom.Caption)
		}
		class := attr(n, "class")
		switch {
		case lineNumber.MatchString(class) || hasAttr(n, "data-line-number"):
			numbers++
		case hasClass(n, "code") || strings.Contains(class, "blob-code") || strings.Contains(class, "hljs-ln-code") || hasClass(n, "rouge-code") || hasClass(n, "lntd"):
			code++
			if hasClass(n, "lntd") && digits.MatchString(r.text(n, 1000)) {
				numbers, code = numbers+1, code-1
			}
		default:
			other++
		}
		return false
	})
	return code > 0 && other == 0 && (numbers > 0 || codeTable.MatchString(attr(table, "class")))
}

// codeText writes the text of code as it stands there, line by line, without
// the numbers of the lines.
func (r *reduction) codeText(n *html.Node, b *strings.Builder) {
	if !r.visit() {
		return
	}
	if n.Type == html.TextNode {
		b.WriteString(n.Data)
		return
	}
	if n.Type == html.ElementNode {
		class := attr(n, "class")
		if is(n, atom.Button) || class != "" && lineNumber.MatchString(class) && (digits.MatchString(r.text(n, 4000)) || is(n, atom.Td)) ||
			hasClass(n, "lntd") && digits.MatchString(r.text(n, 4000)) || is(n, atom.Td) && hasAttr(n, "data-line-number") {
			return
		}
	}
	if is(n, atom.Br) {
		b.WriteByte('\n')
		return
	}
	line := is(n, atom.Div, atom.P, atom.Li, atom.Tr, atom.Pre, atom.Figcaption, atom.Ol, atom.Ul)
	begin := func() {
		if s := b.String(); line && s != "" && !strings.HasSuffix(s, "\n") {
			b.WriteByte('\n')
		}
	}
	begin()
	length := b.Len()
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if is(n, atom.Table, atom.Tbody, atom.Tr) && c.Type == html.TextNode {
			continue
		}
		r.codeText(c, b)
	}
	if is(n, atom.Div) && hasClass(n, "line") && b.Len() == length {
		b.WriteByte('\n') // an empty line
	}
	begin()
}

// language is what the code n is written in, as far as it, the code inside or
// the boxes around it say.
func (r *reduction) language(n *html.Node) string {
	own := max(r.stats[n].letters, r.lettersOf(n))
	language := ""
	r.each(n, func(d *html.Node) bool {
		if language == "" && is(d, atom.Pre, atom.Code, atom.Table, atom.Td, atom.Div) {
			language = languageOf(d)
		}
		return language == "" && !is(d, atom.Span)
	})
	for up, i := n.Parent, 0; language == "" && i < 5 && is(up, atom.Div, atom.Figure, atom.Td, atom.Tr, atom.Tbody, atom.Table, atom.Section, 0); up, i = up.Parent, i+1 {
		if r.stats[up].letters > 2*own+200 {
			break
		}
		language = languageOf(up)
	}
	return language
}

func languageOf(n *html.Node) string {
	for _, name := range []string{"data-lang", "data-language"} {
		if v := strings.ToLower(strings.TrimSpace(attr(n, name))); v != "" && !notLanguage.MatchString(v) && len(v) < 30 && !strings.ContainsAny(v, " `\n") {
			return v
		}
	}
	class := attr(n, "class")
	if len(class) > 500 {
		return ""
	}
	if m := brush.FindStringSubmatch(class); m != nil && !notLanguage.MatchString(m[1]) {
		return strings.ToLower(m[1])
	}
	names := strings.Fields(class)
	for _, name := range names {
		if m := languageClass.FindStringSubmatch(name); m != nil && !notLanguage.MatchString(m[1]) {
			return strings.TrimSuffix(strings.ToLower(m[1]), "-basic")
		}
	}
	// pandoc's "sourceCode python", Hexo's "highlight js", highlight.js's "hljs go".
	for _, name := range names {
		if !strings.EqualFold(name, "sourceCode") && name != "hljs" && !(name == "highlight" && is(n, atom.Figure)) {
			continue
		}
		for _, other := range names {
			if other != name && !notLanguage.MatchString(other) && !strings.ContainsAny(other, "-_`") && len(other) < 20 {
				return strings.ToLower(other)
			}
		}
	}
	return ""
}
