package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

// readSoak reads the report of the soak test, which is nil if there is none.
func readSoak(file string) (*harness.Soak, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := new(harness.Soak)
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// soak reports the soak test.
func (r *Results) soak() string {
	s := r.Soak
	if s == nil {
		return unmeasured
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %.0f minutes, %d conversations at once, a fault in %g of 100 requests: %s conversations, %s steps; %s turns ended with an error (refusals, unknown stop reasons, faults that outlasted the retries).\n\n",
		s.Date.Format("2 January 2006"), s.Minutes, s.AtOnce, 100*s.FaultRate, number(int(s.Conversations)), number(int(s.Steps)), number(int(s.Failed)))
	b.WriteString("| minute | heap, MB | goroutines | files | RSS, MB |\n|---|---:|---:|---:|---:|\n")
	line := func(when string, h harness.Held) {
		fmt.Fprintf(&b, "| %s | %.1f | %s | %s | %.0f |\n", when, float64(h.Heap)/(1<<20), number(h.Goroutines), number(h.Files), float64(h.RSS)/(1<<20))
	}
	line("before", s.Before)
	for _, p := range s.Periods {
		line(fmt.Sprintf("%.3g", p.Minute), p.Held)
	}
	line("after", s.After)
	return b.String()
}
