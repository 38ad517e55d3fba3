package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// sections are the parts of docs/benchmarks.md that are made from results, by name:
//
//	<!-- figures steps -->
//	…
//	<!-- end figures -->
func sections() []string {
	names := []string{"machine", "targets"}
	for _, a := range axes(false) {
		names = append(names, a.Name)
	}
	return append(names, "wire", "soak")
}

// unmeasured stands where there are no figures.
const unmeasured = "Not measured.\n"

// section is the text of a part.
func (r *Results) section(name string) string {
	switch name {
	case "machine":
		return r.origin()
	case "targets":
		return r.targets()
	case "wire":
		return r.wire()
	case "soak":
		return r.soak()
	}
	for _, a := range axes(false) {
		if a.Name != name {
			continue
		}
		table := r.table(a)
		if table == "" {
			table = unmeasured
		}
		return "### " + a.Title + "\n\n" + table
	}
	return ""
}

// origin says where and when the figures were measured.
func (r *Results) origin() string {
	m := r.Machine
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %d cores of %s, %.0f GB, %s, %s; Whorl at %s", r.Date.Format("2 January 2006, 15:04 MST"), m.Cores, m.CPU, m.Memory, m.System, m.Go, r.Commit)
	for _, d := range drivers {
		if v := r.Versions[d.name]; v != "" {
			fmt.Fprintf(&b, ", %s %s", d.name, v)
		}
	}
	fmt.Fprintf(&b, ".\n%d runs in %.0f minutes, in which other processes used %.0f%% of the cores.", r.runs(), r.Seconds/60, 100*r.Others)
	if r.Quick {
		b.WriteString(" **A quick look**: short runs of few points.")
	}
	return b.String() + "\n"
}

func (r *Results) runs() (n int) {
	for _, c := range r.Cells {
		n += len(c.Samples)
	}
	return n
}

var part = regexp.MustCompile(`(?s)(<!-- figures (\w+) -->\n).*?(<!-- end figures -->)`)

// fill brings the parts of benchmarks.md in a folder up to date, and
// benchmarks.svg beside it.
func (r *Results) fill(docs string) error {
	file := filepath.Join(docs, "benchmarks.md")
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := r.filled(string(old))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return errors.Join(os.WriteFile(file, []byte(text), 0o644), os.WriteFile(filepath.Join(docs, "benchmarks.svg"), plot(r), 0o644))
}

// filled is a document with its parts made again. It must have all of them.
func (r *Results) filled(text string) (string, error) {
	left := sections()
	var unknown []string
	text = part.ReplaceAllStringFunc(text, func(whole string) string {
		m := part.FindStringSubmatch(whole)
		i := slices.Index(left, m[2])
		if i < 0 {
			unknown = append(unknown, m[2])
			return whole
		}
		left = slices.Delete(left, i, i+1)
		return m[1] + r.section(m[2]) + m[3]
	})
	if len(left)+len(unknown) > 0 {
		return "", fmt.Errorf("no part, or two, for %v; no figures for %v", left, unknown)
	}
	return text, nil
}
