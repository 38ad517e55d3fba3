package tools

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/whorl-go/whorl/internal/runes"
)

// printer words the rarer errors of the validator.
var printer = message.NewPrinter(language.English)

// expectation says what a subschema asks for, as the end of a sentence.
func expectation(schema any) string {
	s, _ := schema.(map[string]any)
	var parts []string
	switch t := s["type"].(type) {
	case string:
		parts = append(parts, t)
	case []any:
		for _, e := range t {
			parts = append(parts, fmt.Sprint(e))
		}
	}
	for _, union := range []string{"anyOf", "oneOf"} {
		branches, _ := s[union].([]any)
		for _, b := range branches {
			if e := strings.TrimPrefix(expectation(b), "; expected "); e != "" {
				parts = append(parts, e)
			}
		}
	}
	text := ""
	if len(parts) > 0 {
		text = "; expected " + strings.Join(parts, " or ")
	}
	if enum, ok := s["enum"].([]any); ok {
		text = "; expected one of " + jsonList(enum)
	}
	if d, ok := s["description"].(string); ok && text != "" {
		text += " (" + shorten(d) + ")"
	}
	return text
}

func jsonList(values []any) string {
	const most = 30
	var parts []string
	for i, v := range values {
		if i == most {
			parts = append(parts, fmt.Sprintf("… (%d in all)", len(values)))
			break
		}
		parts = append(parts, brief(v))
	}
	return strings.Join(parts, ", ")
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quoteName(n)
	}
	return strings.Join(quoted, ", ")
}

func quoteName(name string) string { return "`" + shorten(name) + "`" }

// joinPath puts a path behind another; [i] is joined without a dot.
func joinPath(path, below string) string {
	if path == "" || below == "" || below[0] == '[' {
		return path + below
	}
	return path + "." + below
}

// shorten cuts text that would fill an error message.
func shorten(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", runes.Cut(text, most), len(text))
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func unescapePercent(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}
