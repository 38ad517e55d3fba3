package skills

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normal is a name as it is compared.
func normal(name string) string { return norm.NFKC.String(strings.TrimSpace(name)) }

// checkName says what is wrong with a name, which is normal, in a folder called dir.
func checkName(name, dir string) (bad []string) {
	if n := utf8.RuneCountInString(name); n > maxName {
		bad = append(bad, fmt.Sprintf("the name has %d characters; at most %d are allowed", n, maxName))
	}
	if name != strings.ToLower(name) {
		bad = append(bad, fmt.Sprintf("the name %q has upper-case letters; write it in lower case", name))
	}
	if strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") {
		bad = append(bad, fmt.Sprintf("the name %q begins or ends with a hyphen; take it away", name))
	}
	if strings.Contains(name, "--") {
		bad = append(bad, fmt.Sprintf("the name %q has two hyphens in a row; keep one", name))
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		bad = append(bad, fmt.Sprintf("the name %q has other characters than letters, digits and hyphens; leave them out", name))
	}
	if norm.NFKC.String(dir) != name {
		bad = append(bad, fmt.Sprintf("the name is %q, and the folder is %q; give both the same name", name, dir))
	}
	return bad
}
