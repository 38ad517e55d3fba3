package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// compare measures, until the context ends. What it has is written to the folder
// after each run of a driver.
func compare(ctx context.Context, o options) (*Results, error) {
	bin, err := os.MkdirTemp("", "benchmark")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bin)
	built, err := buildAll(ctx, bin, o)
	if err != nil {
		return nil, err
	}
	few, many := o.plan(built)
	res := &Results{
		Machine: thisMachine(), Commit: commit(), Date: time.Now().UTC().Truncate(time.Minute), Quick: o.quick,
		Versions: make(map[string]string), Cells: slices.Concat(few, many),
	}
	for _, p := range built {
		if p.version != "" {
			res.Versions[p.name] = p.version
		}
	}
	began, seen := time.Now(), observe()
	save := func() error {
		res.Seconds, res.Others = math.Round(time.Since(began).Seconds()), seen.others()
		return res.write(filepath.Join(o.out, "results.json"))
	}
	p := phase{bin: bin, rounds: o.rounds, deadline: began.Add(o.budget), max: limits{o.limit, o.memory}, once: 8 * time.Second, save: save}
	if o.wants("bench") {
		res.Benches = benchmarks(ctx, built, o.quick)
	}
	if err := p.measure(ctx, few); err != nil {
		return nil, err
	}
	p.deadline, p.max.time, p.once = time.Now().Add(o.crowdBudget), o.crowdLimit, time.Minute
	// Whorl and the floor go first, twice: what a peer leaves of the time isn't what they get.
	ours, theirs := apart(many)
	p.rounds = min(o.rounds, 2)
	if err := p.measure(ctx, ours); err != nil {
		return nil, err
	}
	p.rounds = 1
	return res, p.measure(ctx, theirs)
}

// wants reports whether an axis is to be measured; "bench" stands for the Go benchmarks.
func (o options) wants(axis string) bool {
	return o.axes == nil || slices.Contains(o.axes, axis)
}

// plan lists what is to be measured, each driver and task once; many are those
// with 10,000 conversations.
func (o options) plan(built []program) (few, many []*Cell) {
	planned := make(map[key]bool)
	for _, a := range axes(o.quick) {
		if !o.wants(a.Name) {
			continue
		}
		for _, p := range a.Points {
			for _, d := range built {
				c := &Cell{Driver: d.name, Task: p.Task, Error: d.failed}
				if isPeer(d.name) { // many times off: shorter runs show it
					c.Task.For /= 3
				}
				if !a.measures(d.name, p) || planned[c.key()] || p.Task.Concurrency >= crowd && !o.crowd {
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
	return few, many
}

func isPeer(driver string) bool { return slices.Contains(peers(), driver) }

// apart parts the cells of Whorl and the floor from those of the peers.
func apart(cells []*Cell) (ours, theirs []*Cell) {
	for _, c := range cells {
		if isPeer(c.Driver) {
			theirs = append(theirs, c)
		} else {
			ours = append(ours, c)
		}
	}
	return ours, theirs
}

// A phase measures cells in rounds, each cell once a round, so that what the
// machine does beside it falls on all of them alike. The peers take part in the
// first of each two rounds.
type phase struct {
	bin      string
	rounds   int
	deadline time.Time
	max      limits
	once     time.Duration // a run that takes longer than this isn't repeated: it averages by itself
	save     func() error
}

func (p phase) measure(ctx context.Context, cells []*Cell) error {
	for round := range p.rounds {
		for _, c := range cells {
			if c.Error != "" || round > 0 && (c.Task.Bill || isPeer(c.Driver) && (round%2 == 1 || c.took() > p.once)) {
				continue
			}
			left := time.Until(p.deadline)
			if ctx.Err() != nil {
				if len(c.Samples) == 0 {
					c.Error = "not tried: interrupted"
				}
				continue
			}
			if left < max(3*time.Second, 2*c.took()) {
				if len(c.Samples) == 0 {
					c.Error = "not tried: no time was left"
				}
				continue
			}
			s, err := drive(ctx, p.bin, c.Driver, c.Task, limits{min(p.max.time, left), p.max.memory})
			s.Round = round + 1
			switch {
			case err != nil && len(c.Samples) > 0: // slower than before, at the end of the time
			case err != nil && ctx.Err() != nil:
				c.Error = "not done: interrupted"
			case err != nil:
				c.Error = err.Error()
			default:
				c.Samples = append(c.Samples, s)
			}
			fmt.Fprintf(os.Stderr, "round %d, %v left: %s took %.1f s %s\n", round+1, left.Round(time.Second), c, s.Seconds, c.Error)
			if err := p.save(); err != nil {
				return err
			}
		}
	}
	return p.save()
}
