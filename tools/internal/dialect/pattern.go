package dialect

import (
	"regexp"
	"strings"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// checkable is the schema without the patterns that Go can't compile; those that
// Go writes in another way are rewritten.
func (t *translator) checkable(raw []byte, path string) []byte {
	return walk(raw, path, func(o *object, path string) {
		if v := o.get("pattern"); v != nil {
			p, exact := goPattern(rawjson.Unquote(v))
			switch {
			case !exact:
				t.changes = append(t.changes, Change{Path: path, Keyword: "pattern", What: "Go can't compile it, so it is not checked here: " + short(v), Local: true})
				o.drop("pattern")
			case p != rawjson.Unquote(v):
				o.set("pattern", rawjson.AppendString(nil, p))
			}
		}
		if v := o.get("patternProperties"); len(v) > 0 && v[0] == '{' {
			inner := parse(v)
			for _, m := range parse(v).members {
				p, exact := goPattern(m.key)
				switch {
				case !exact:
					t.changes = append(t.changes, Change{Path: at(path, "patternProperties"), Keyword: m.key, What: "Go can't compile it, so it is not checked here", Local: true})
					inner.drop(m.key)
					o.drop("additionalProperties") // the names that it stood for would be refused
					o.drop("unevaluatedProperties")
				case p != m.key:
					inner.drop(m.key)
					inner.set(p, m.value)
				}
			}
			o.set("patternProperties", inner.bytes(v))
		}
	})
}

// validPattern reports whether a pattern is a regular expression of ECMA-262, as
// far as can be told: Go compiles it, if need be with other words in place of
// those that Go doesn't know.
func validPattern(pattern string) bool {
	if _, err := regexp.Compile(pattern); err == nil {
		return true
	}
	_, err := regexp.Compile(rewritePattern(pattern, false))
	return err == nil
}

// goPattern is a pattern for Go; exact says that it means the same.
func goPattern(pattern string) (_ string, exact bool) {
	if _, err := regexp.Compile(pattern); err == nil {
		return pattern, true
	}
	same := rewritePattern(pattern, true)
	if _, err := regexp.Compile(same); err == nil {
		return same, true
	}
	return "", false
}

var (
	unicodeEscape = regexp.MustCompile(`^\\u(?:([0-9a-fA-F]{4})|\{([0-9a-fA-F]{1,6})\})`)
	property      = regexp.MustCompile(`^\\[pP]\{[^}]*\}`)
	namedBack     = regexp.MustCompile(`^\\k<[^>]*>`)
	digitsBack    = regexp.MustCompile(`^\\[1-9][0-9]*`)
	control       = regexp.MustCompile(`^\\c[A-Za-z]`)
	counted       = regexp.MustCompile(`^\{([0-9]+)(,([0-9]*))?\}`)
	around        = regexp.MustCompile(`^\(\?<?[=!]`)
)

// rewritePattern writes what only ECMA-262 knows in words that Go knows. With
// exact it writes only what means the same; else also what is merely as well
// formed.
func rewritePattern(p string, exact bool) string {
	var b strings.Builder
	class := false
	for len(p) > 0 {
		from, to := p[:1], p[:1]
		switch m := unicodeEscape.FindStringSubmatch(p); {
		case m != nil:
			from, to = m[0], `\x{`+m[1]+m[2]+`}`
		case !exact && property.MatchString(p):
			from, to = property.FindString(p), `\w`
		case !exact && namedBack.MatchString(p):
			from, to = namedBack.FindString(p), `(?:)`
		case !exact && !class && digitsBack.MatchString(p):
			from, to = digitsBack.FindString(p), `(?:)`
		case !exact && control.MatchString(p):
			from, to = control.FindString(p), `\x01`
		case strings.HasPrefix(p, `\/`), strings.HasPrefix(p, `\_`), strings.HasPrefix(p, `\ `):
			from, to = p[:2], p[1:2]
		case p[0] == '\\' && len(p) > 1:
			from, to = p[:2], p[:2]
		case strings.HasPrefix(p, "[^]"):
			from, to = "[^]", `(?s:.)`
		case !exact && !class && strings.HasPrefix(p, "[]"):
			from, to = "[]", `[^\x00-\x{10FFFF}]`
		case !exact && !class && around.MatchString(p):
			from, to = around.FindString(p), "(?:"
		case !exact && !class && counted.MatchString(p):
			from, to = counted.FindString(p), "{1}"
		case p[0] == '[':
			if class {
				to = `\[`
			}
			class = true
		case p[0] == ']':
			class = false
		}
		b.WriteString(to)
		p = p[len(from):]
	}
	return b.String()
}
