package evals

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/whorl-go/whorl/agent"
)

// A Report is the result of a suite.
type Report struct {
	Name   string // of the test
	Repeat int
	Cases  []*CaseReport // in the order in which they began
	// Bill is what all attempts cost, Judging what judges and simulated users cost in
	// addition.
	Bill, Judging agent.Bill
}

// A CaseReport is the result of a case.
type CaseReport struct {
	Name     string
	Tags     []string
	Attempts []Attempt
	Problems []string // why the case fails; none if it passes
}

// Passed returns the number of attempts that passed.
func (c *CaseReport) Passed() int {
	n := 0
	for _, a := range c.Attempts {
		if a.Passed() {
			n++
		}
	}
	return n
}

// failures says why a case fails by itself.
func (c *CaseReport) failures(rate float64) []string {
	passed, n := c.Passed(), len(c.Attempts)
	if low, high := Wilson(passed, n); rate < 1 {
		if high >= rate {
			return nil
		}
		return append([]string{fmt.Sprintf("%d of %d attempts pass; the 95%% interval of the rate, %.2f to %.2f, lies below %.2f", passed, n, low, high, rate)}, c.reasons()...)
	}
	if passed == n {
		return nil
	}
	return c.reasons()
}

// reasons are those of the checks that did not pass.
func (c *CaseReport) reasons() []string {
	var list []string
	for _, a := range c.Attempts {
		for _, ch := range a.Checks {
			if ch.Pass {
				continue
			}
			at := ""
			if len(c.Attempts) > 1 {
				at = fmt.Sprintf("attempt %d: ", a.Attempt)
			}
			list = append(list, fmt.Sprintf("%s%s: %s", at, ch.Name, ch.Reason))
		}
	}
	return list
}

func (r *Report) sum() {
	r.Bill, r.Judging = agent.Bill{}, agent.Bill{}
	for _, c := range r.Cases {
		for _, a := range c.Attempts {
			r.Bill.Add(a.Bill)
			r.Judging.Add(a.Judging)
		}
	}
}

// Summary returns the report in one line.
func (r *Report) Summary() string {
	good, attempts, passed := 0, 0, 0
	for _, c := range r.Cases {
		if len(c.Problems) == 0 {
			good++
		}
		attempts += len(c.Attempts)
		passed += c.Passed()
	}
	s := fmt.Sprintf("%d of %d cases pass; %v", good, len(r.Cases), r.Bill.Cost)
	if attempts != len(r.Cases) {
		low, high := Wilson(passed, attempts)
		s += fmt.Sprintf("; %d of %d attempts pass (95%%: %.2f to %.2f)", passed, attempts, low, high)
	}
	if r.Judging.Requests > 0 {
		s += fmt.Sprintf("; judging %v", r.Judging.Cost)
	}
	return s
}

// Markdown returns the report as Markdown, for the summary of a CI run.
func (r *Report) Markdown() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %s\n\n%s\n\n", cell(r.Name), cell(r.Summary()))
	b.WriteString("| case | passed | 95% | steps | tokens | from the cache | cost | tool calls |\n|---|---|---|---|---|---|---|---|\n")
	for _, c := range r.Cases {
		n := c.numbers()
		low, high := Wilson(n.Passed, n.Attempts)
		mark := "✓"
		if len(c.Problems) > 0 {
			mark = "✗"
		}
		calls := ""
		if len(n.Trajectories) > 0 {
			calls = orNone(n.Trajectories[0])
		}
		fmt.Fprintf(&b, "| %s %s | %d/%d | %.2f–%.2f | %s | %s | %.0f%% | %s | %s |\n", mark, cell(c.Name), n.Passed, n.Attempts, low, high, n.steps(), n.tokens(), 100*n.CacheRead, n.cost(), cell(calls))
	}
	for _, c := range r.Cases {
		if len(c.Problems) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n", cell(c.Name))
		for _, p := range c.Problems {
			fmt.Fprintf(&b, "- %s\n", cell(p))
		}
	}
	return b.Bytes(), nil
}

// cell is a text that can't end the cell of a table, nor be markup, such as a picture
// that tells its server who reads the report.
func cell(s string) string {
	return cellText.Replace(shown(s))
}

var cellText = strings.NewReplacer("|", "&#124;", `\`, "&#92;", "\n", " ", "&", "&amp;", "<", "&lt;", "[", "&#91;", "`", "'")

// JSONLines returns the report as JSON Lines, with one object for each attempt. Its
// members are those of [Line].
func (r *Report) JSONLines() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, c := range r.Cases {
		for _, a := range c.Attempts {
			l := Line{
				Suite: r.Name, Case: c.Name, Tags: c.Tags, Attempt: a.Attempt, Passed: a.Passed(), Answer: a.Text, Steps: a.Steps,
				Tokens: a.Bill.Tokens, CacheRead: round(a.CacheRead), CostUSD: round(a.Bill.Cost.USD), CostIncomplete: a.Bill.Cost.Incomplete,
				Seconds: a.Took.Seconds(), FirstTokenSeconds: a.FirstToken.Seconds(), Calls: a.Calls, Checks: a.Checks,
			}
			if a.Err != nil {
				l.Error = a.Err.Error()
			}
			if err := e.Encode(l); err != nil {
				return nil, err
			}
		}
	}
	return b.Bytes(), nil
}

// A Line is one attempt in the output of [Report.JSONLines].
type Line struct {
	Suite             string    `json:"suite"`
	Case              string    `json:"case"`
	Tags              []string  `json:"tags,omitempty"`
	Attempt           int       `json:"attempt"`
	Passed            bool      `json:"passed"`
	Error             string    `json:"error,omitempty"`
	Answer            string    `json:"answer"`
	Steps             int       `json:"steps"`
	Tokens            int64     `json:"tokens"`
	CacheRead         float64   `json:"cache_read"`
	CostUSD           float64   `json:"cost_usd"`
	CostIncomplete    bool      `json:"cost_incomplete,omitempty"`
	Seconds           float64   `json:"seconds"`
	FirstTokenSeconds float64   `json:"first_token_seconds"`
	Calls             []Called  `json:"calls"`
	Checks            []Checked `json:"checks"`
}

// Rates are the pass rates of a case that was run several times.
type Rates struct {
	Mean      float64 // share of the attempts that passed
	Low, High float64 // 95% confidence interval of Mean
	PassAt    float64 // probability that at least one of k attempts passes
	PassAll   float64 // probability that all of k attempts pass
}

// Rates returns the rates of a case for k attempts. PassAt and PassAll are NaN if there
// were fewer than k.
func (c *CaseReport) Rates(k int) Rates {
	passed, n := c.Passed(), len(c.Attempts)
	r := Rates{Mean: math.NaN(), PassAt: PassAt(k, passed, n), PassAll: PassAll(k, passed, n)}
	if n > 0 {
		r.Mean = float64(passed) / float64(n)
	}
	r.Low, r.High = Wilson(passed, n)
	return r
}
