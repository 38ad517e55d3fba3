package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
)

var severities = []string{"high", "medium", "low"}

// check keeps the findings whose places are there, the worst first, and tells
// how many are dropped. The schema holds a model to a form, not to the truth.
func check(folder fs.FS, findings []finding) (kept []finding, dropped int) {
	lines := make(map[string]int) // by file; 0 for one that is not there
	kept = []finding{}
	for _, f := range findings {
		n, known := lines[f.File]
		if !known {
			if data, err := fs.ReadFile(folder, f.File); err == nil {
				n = bytes.Count(data, []byte{'\n'}) + 1
			}
			lines[f.File] = n
		}
		if f.Line >= 1 && f.Line <= n {
			kept = append(kept, f)
		} else {
			dropped++
		}
	}
	slices.SortStableFunc(kept, func(a, b finding) int {
		return cmp.Or(
			cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity)),
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line))
	})
	return kept, dropped
}

func printTable(out io.Writer, findings []finding) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	count := make(map[string]int)
	for _, f := range findings {
		count[f.Severity]++
		fmt.Fprintf(table, "%s\t%s:%d\t%s\n", f.Severity, f.File, f.Line, f.Message)
		if f.Suggestion != "" {
			fmt.Fprintf(table, "\t\t→ %s\n", f.Suggestion)
		}
	}
	fmt.Fprintf(table, "\n%d findings: %d high, %d medium, %d low\n", len(findings), count["high"], count["medium"], count["low"])
	return table.Flush()
}
