package evals

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/money"
)

// baselineVersion is that of the file's form.
const baselineVersion = 1

// A Tolerance says how far a case may differ from the baseline before it fails. The
// zero value of a field means its default. A negative value turns the comparison off.
type Tolerance struct {
	// Cost is a share of the mean cost; 0 means 0.1: a case fails if it costs more than
	// 1.1 times the baseline.
	Cost float64
	// Steps is a share of the mean number of steps; 0 means 0.25.
	Steps float64
	// CacheRead is a difference of the mean share of the prompts that was read from the
	// cache; 0 means 0.05.
	CacheRead float64
	// PassRate is a difference of pass rates. 0 means that a rate may not fall at all,
	// except by what chance explains.
	PassRate float64
	// AnyTrajectory allows tool calls in an order that the baseline has not seen. A
	// case whose attempts had several orders in the baseline is never compared.
	AnyTrajectory bool
}

type baseline struct {
	Version int                      `json:"version"`
	Cases   map[string]*baselineCase `json:"cases"`
}

type baselineCase struct {
	Attempts     int        `json:"attempts"`
	Passed       int        `json:"passed"`
	CostUSD      float64    `json:"cost_usd"`
	Steps        float64    `json:"steps"`
	Tokens       float64    `json:"tokens"`
	CacheRead    float64    `json:"cache_read"`
	Trajectories [][]string `json:"trajectories"` // those that were seen, sorted

	incomplete bool // the cost of an attempt is not known whole
}

// cost is the mean cost of an attempt.
func (b *baselineCase) cost() agent.Cost { return agent.Cost{USD: b.CostUSD, Incomplete: b.incomplete} }

// tokens is the mean number of tokens of an attempt, whole ones.
func (b *baselineCase) tokens() string { return strconv.FormatFloat(b.Tokens, 'f', 0, 64) }

// steps is the mean number of steps of an attempt.
func (b *baselineCase) steps() string {
	return strconv.FormatFloat(math.Round(b.Steps*100)/100, 'f', -1, 64)
}

func readBaseline(path string) (*baseline, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no baseline at %s yet; make it by a run with Suite.Update", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the baseline: %w", err)
	}
	var b baseline
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("the baseline %s can't be read: %w; restore it, or make it again by a run with Suite.Update", path, err)
	}
	if b.Version != baselineVersion {
		return nil, fmt.Errorf("the baseline %s has version %d, and this library writes version %d; make it again by a run with Suite.Update", path, b.Version, baselineVersion)
	}
	return &b, nil
}

func writeBaseline(path string, r *Report) error {
	b := &baseline{Version: baselineVersion, Cases: make(map[string]*baselineCase)}
	if old, err := readBaseline(path); err == nil {
		b.Cases = old.Cases // of cases that were filtered out
	}
	for _, c := range r.Cases {
		b.Cases[c.Name] = c.numbers()
	}
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// numbers are what the baseline keeps of a case.
func (c *CaseReport) numbers() *baselineCase {
	n := &baselineCase{Attempts: len(c.Attempts), Passed: c.Passed(), Trajectories: [][]string{}}
	seen := make(map[string]bool)
	for _, a := range c.Attempts {
		n.CostUSD += a.Bill.Cost.USD
		n.incomplete = n.incomplete || a.Bill.Cost.Incomplete
		n.Steps += float64(a.Steps)
		n.Tokens += float64(a.Bill.Tokens)
		n.CacheRead += a.CacheRead
		if t := a.tools(); !seen[strings.Join(t, " ")] {
			seen[strings.Join(t, " ")] = true
			n.Trajectories = append(n.Trajectories, t)
		}
	}
	if k := float64(len(c.Attempts)); k > 0 {
		n.CostUSD, n.Steps, n.Tokens, n.CacheRead = round(n.CostUSD/k), round(n.Steps/k), round(n.Tokens/k), round(n.CacheRead/k)
	}
	slices.SortFunc(n.Trajectories, slices.Compare)
	return n
}

func round(f float64) float64 { return math.Round(f*1e6) / 1e6 }

// compare says where a case is worse than the baseline.
func (b *baseline) compare(c *CaseReport, t Tolerance) []string {
	was, ok := b.Cases[c.Name]
	if !ok {
		return []string{fmt.Sprintf("the baseline has no case %q; add it by a run with Suite.Update", c.Name)}
	}
	is := c.numbers()
	var list []string
	worse := func(format string, args ...any) {
		list = append(list, "compared with the baseline: "+fmt.Sprintf(format, args...))
	}
	if tol := orDefault(t.PassRate, 0); tol >= 0 && fell(was.Passed, was.Attempts, is.Passed, is.Attempts, tol) {
		worse("%d of %d attempts pass, and %d of %d did", is.Passed, is.Attempts, was.Passed, was.Attempts)
	}
	if tol := orDefault(t.Cost, 0.1); tol >= 0 && is.CostUSD > was.CostUSD*(1+tol)+1e-9 {
		worse("it costs %s, and did %s (%+.0f%%)", money.USD(is.CostUSD, 4), money.USD(was.CostUSD, 4), 100*(is.CostUSD/was.CostUSD-1))
	}
	if tol := orDefault(t.Steps, 0.25); tol >= 0 && is.Steps > was.Steps*(1+tol)+1e-9 {
		worse("it takes %g steps, and did %g", is.Steps, was.Steps)
	}
	if tol := orDefault(t.CacheRead, 0.05); tol >= 0 && is.CacheRead < was.CacheRead-tol-1e-9 {
		worse("%.3f of the prompts' tokens come from the cache, and %.3f did", is.CacheRead, was.CacheRead)
	}
	if !t.AnyTrajectory && len(was.Trajectories) == 1 {
		if d := was.unseen(is); d != "" {
			worse("the tool calls are other ones: %s", d)
		}
	}
	return list
}

func orDefault(f, def float64) float64 {
	if f == 0 {
		return def
	}
	return f
}

// unseen says how the first trajectory that a baseline has not seen differs from its
// first one, or is "" if there is none.
func (b *baselineCase) unseen(now *baselineCase) string {
	if len(b.Trajectories) == 0 {
		return ""
	}
	for _, t := range now.Trajectories {
		if !slices.ContainsFunc(b.Trajectories, func(was []string) bool { return slices.Equal(was, t) }) {
			return changed(b.Trajectories[0], t)
		}
	}
	return ""
}

// changed tells two trajectories apart, or is "" if they are the same.
func changed(was, now []string) string {
	if slices.Equal(was, now) {
		return ""
	}
	i := 0
	for i < len(was) && i < len(now) && was[i] == now[i] {
		i++
	}
	name := func(list []string) string {
		if i < len(list) {
			return list[i]
		}
		return "the end"
	}
	return fmt.Sprintf("call %d is %s in place of %s (%s; before: %s)", i+1, name(now), name(was), orNone(now), orNone(was))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "no calls"
	}
	return strings.Join(list, ", ")
}
