package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/internal/money"
)

// A report is what was learned of an endpoint.
type report struct {
	host     string
	when     time.Time
	verdicts []verdict
	spent    float64

	mu        sync.Mutex
	exchanges bytes.Buffer
}

func (r *report) add(v verdict) { r.verdicts = append(r.verdicts, v) }

func (r *report) record(x exchange) {
	line, err := json.Marshal(x)
	if err != nil {
		return // strings alone can't fail
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges.Write(append(line, '\n'))
}

func (r *report) recording() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.exchanges.Bytes())
}

// line tells a verdict in one line.
func (v verdict) line() string {
	switch v.outcome {
	case notAsked:
		return fmt.Sprintf("%-20s not asked: %s", v.id, short(v.why))
	case differs:
		return fmt.Sprintf("%-20s differs: %s\n%20s there:     %s\n%20s simulator: %s", v.id, v.ask, "", short(v.live), "", short(v.sim))
	case measured:
		return fmt.Sprintf("%-20s measured: %s", v.id, short(v.live))
	}
	return fmt.Sprintf("%-20s agrees: %s", v.id, short(v.live))
}

func (r *report) count(outcome string) int {
	n := 0
	for _, v := range r.verdicts {
		if v.outcome == outcome {
			n++
		}
	}
	return n
}

func (r *report) summary() string {
	return fmt.Sprintf("%d agree, %d differ, %d measured, %d not asked; %s spent.", r.count(agrees), r.count(differs), r.count(measured), r.count(notAsked), money.USD(r.spent, 4))
}

// markdown is the report to read.
func (r *report) markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s beside Whorl's simulator, %s\n\n%s\n\n", cell(r.host), r.when.Format(time.DateOnly), r.summary())
	b.WriteString("| | question | outcome | there | simulator |\n|---|---|---|---|---|\n")
	for _, outcome := range []string{differs, measured, notAsked, agrees} {
		for _, v := range r.verdicts {
			if v.outcome != outcome {
				continue
			}
			live := v.live
			if v.outcome == notAsked {
				live = v.why
			}
			sim := v.sim
			if v.outcome == agrees {
				sim = ""
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(v.id), cell(v.ask), v.outcome, cell(live), cell(sim))
		}
	}
	return b.Bytes()
}

// cell is text that stays in its cell of a table, and is no markup.
func cell(s string) string {
	s = short(strings.ToValidUTF8(s, "\uFFFD"))
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "`", "\\`", "[", "\\[").Replace(s)
}

// patch is a unified diff of the table of guesses, with what was learned in the
// column of what is assumed. It is for git apply --unidiff-zero.
func (r *report) patch(wire string) ([]byte, error) {
	data, err := os.ReadFile(wire)
	if err != nil {
		return nil, fmt.Errorf("the patch needs the file with the guesses; -wire names it: %w", err)
	}
	byID := map[string]verdict{}
	for _, v := range r.verdicts {
		byID[v.id] = v
	}
	name := filepath.ToSlash(wire)
	var b bytes.Buffer
	fmt.Fprintf(&b, "--- a/%s\n+++ b/%s\n", name, name)
	for i, line := range strings.Split(string(data), "\n") {
		if !strings.HasPrefix(line, "| G") {
			continue
		}
		cells := strings.Split(line, " | ")
		v, ok := byID[strings.TrimPrefix(cells[0], "| ")]
		if !ok || v.outcome == notAsked || len(cells) != 5 {
			continue
		}
		cells[3] += fmt.Sprintf("; asked on %s: %s", r.when.Format(time.DateOnly), v.outcome)
		if v.outcome != agrees {
			cells[3] += ", " + cell(v.live)
		}
		fmt.Fprintf(&b, "@@ -%d +%d @@\n-%s\n+%s\n", i+1, i+1, line, strings.Join(cells, " | "))
	}
	return b.Bytes(), nil
}

func sortedIDs[V any](m map[string]V) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}
