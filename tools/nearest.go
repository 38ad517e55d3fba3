package tools

import "github.com/whorl-go/whorl/internal/nearest"

// suggest is the nearest name as the end of a sentence.
func suggest(name string, candidates []string) string {
	if n := nearest.Name(name, candidates); n != "" {
		return "; did you mean " + quoteName(n) + "?"
	}
	return ""
}
