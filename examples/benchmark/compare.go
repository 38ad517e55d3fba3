package main

import (
	"cmp"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// drivers are the programs to compare, in the order of the tables: the folders
// that they are built from, and the module whose version counts.
var drivers = []struct{ name, dir, module string }{
	{"floor", "floor", ""},
	{"whorl", "whorl", ""},
	{"anthropic-sdk-go", "peers/anthropicsdk", "github.com/anthropics/anthropic-sdk-go"},
	{"fantasy", "peers/fantasy", "charm.land/fantasy"},
	{"genkit", "peers/genkit", "github.com/firebase/genkit/go"},
}

// compare measures. What it has is written to the folder after each round.
func compare(o options) (*Results, error) {
	bin, err := os.MkdirTemp("", "benchmark")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bin)
	res := &Results{Machine: thisMachine(), Commit: commit(), Date: time.Now().UTC().Truncate(time.Minute), Quick: o.quick, Versions: make(map[string]string)}
	if err := build(bin, "server", "server"); err != nil {
		return nil, err
	}
	var chosen []string
	for _, d := range drivers {
		if o.drivers != nil && !slices.Contains(o.drivers, d.name) {
			continue
		}
		if err := build(bin, d.name, d.dir); err != nil {
			return nil, err
		}
		chosen = append(chosen, d.name)
		if v := version(filepath.Join(bin, d.name), d.module); v != "" {
			res.Versions[d.name] = v
		}
	}
	few, many := o.plan(chosen)
	began, seen := time.Now(), observe()
	res.Cells = append(slices.Clone(few), many...)
	p := phase{bin: bin, rounds: o.rounds, deadline: time.Now().Add(o.budget), max: limits{o.limit, o.memory}, once: 15 * time.Second, save: func() error { return res.write(filepath.Join(o.out, "results.json")) }}
	if o.wants("bench") {
		if res.Benches, err = benches(o.quick); err != nil {
			return nil, err
		}
	}
	if err := p.measure(few); err != nil {
		return nil, err
	}
	p.deadline, p.max.time, p.once = time.Now().Add(o.crowdBudget), o.crowdLimit, 2*time.Minute
	if err := p.measure(many); err != nil {
		return nil, err
	}
	res.Seconds, res.Others = time.Since(began).Seconds(), seen.others()
	return res, nil
}

// wants tells whether an axis is to be measured.
func (o options) wants(axis string) bool {
	return o.axes == nil && (axis != "bench" || o.drivers == nil || slices.Contains(o.drivers, "whorl")) || slices.Contains(o.axes, axis)
}

// plan lists what is to be measured, each driver and task once; many are those
// with 10,000 conversations.
func (o options) plan(chosen []string) (few, many []*Cell) {
	planned := make(map[key]bool)
	for _, a := range axes(o.quick) {
		if !o.wants(a.Name) {
			continue
		}
		for _, p := range a.Points {
			for _, d := range chosen {
				c := &Cell{Driver: d, Task: p.Task}
				if !a.measures(d, p) || planned[c.key()] || p.Task.Concurrency >= crowd && !o.crowd {
					continue
				}
				planned[c.key()] = true
				if p.Task.Concurrency >= crowd {
					many = append(many, c)
				} else {
					few = append(few, c)
				}
			}
		}
	}
	// What a peer leaves of the time isn't what Whorl gets.
	slices.SortStableFunc(many, func(a, b *Cell) int { return cmp.Compare(isPeer(a.Driver), isPeer(b.Driver)) })
	return few, many
}

// isPeer is 1 for a library that Whorl is compared with, and 0 for others.
func isPeer(driver string) int {
	if slices.Contains(peers(), driver) {
		return 1
	}
	return 0
}

// A phase measures cells in rounds, each cell once a round, so that what the
// machine does beside it falls on all of them alike.
type phase struct {
	bin      string
	rounds   int
	deadline time.Time
	max      limits
	once     time.Duration // a run that takes longer than this isn't repeated: it averages by itself
	save     func() error
}

func (p phase) measure(cells []*Cell) error {
	for round := range p.rounds {
		for _, c := range cells {
			if c.Error != "" || round > 0 && (c.Task.Bill || c.took() > p.once) {
				continue
			}
			left := time.Until(p.deadline)
			if left < max(3*time.Second, 2*c.took()) {
				if len(c.Samples) == 0 {
					c.Error = "not tried: no time was left"
				}
				continue
			}
			s, err := drive(p.bin, c.Driver, c.Task, limits{min(p.max.time, left), p.max.memory})
			s.Round = round + 1
			switch {
			case err != nil && len(c.Samples) > 0: // slower than before, at the end of the time
			case err != nil:
				c.Error, c.Partial = err.Error(), &s
			default:
				c.Samples = append(c.Samples, s)
			}
			fmt.Fprintf(os.Stderr, "round %d, %v left: %s took %.1f s %s\n", round+1, left.Round(time.Second), c, s.Seconds, c.Error)
		}
		if err := p.save(); err != nil {
			return err
		}
	}
	return nil
}

// version is the version of a module that a program was built with.
func version(program, module string) string {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == module {
			return d.Version
		}
	}
	return ""
}
