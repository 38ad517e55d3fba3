package main

import (
	"debug/buildinfo"
	"fmt"
	"math"
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
	{"anthropic-sdk-go-2", "peers/anthropicsdk2", "github.com/anthropics/anthropic-sdk-go/v2"},
	{"genkit", "peers/genkit", "github.com/firebase/genkit/go"},
}

// plotted are the drivers of the charts: not one that the axis of threads alone has.
var plotted = slices.DeleteFunc(slices.Clone(drivers), func(d struct{ name, dir, module string }) bool { return d.name == "anthropic-sdk-go-2" })

// compare measures. What it has is written to the folder after each round.
func compare(o options) (*Results, error) {
	bin, err := os.MkdirTemp("", "benchmark")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(bin)
	built, err := buildAll(bin, o.drivers)
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
	if o.wants("bench") {
		if res.Benches, err = benchmarks(built, o.quick); err != nil {
			return nil, err
		}
	}
	save := func() error {
		res.Seconds, res.Others = math.Round(time.Since(began).Seconds()), seen.others()
		return res.write(filepath.Join(o.out, "results.json"))
	}
	p := phase{bin: bin, rounds: o.rounds, deadline: began.Add(o.budget), max: limits{o.limit, o.memory}, once: 15 * time.Second, save: save}
	if err := p.measure(few); err != nil {
		return nil, err
	}
	p.deadline, p.max.time, p.once = time.Now().Add(o.crowdBudget), o.crowdLimit, 2*time.Minute
	// Whorl and the floor go first, twice: what a peer leaves of the time isn't what they get.
	ours, theirs := apart(many)
	p.rounds = min(o.rounds, 2)
	if err := p.measure(ours); err != nil {
		return nil, err
	}
	p.rounds = 1
	return res, p.measure(theirs)
}

// A program is a driver that was built, or not.
type program struct {
	name    string
	version string // of the library
	failed  string // why it couldn't be built
}

// buildAll builds the server and the drivers. The rest can be compared without a
// peer that can't be built.
func buildAll(bin string, only []string) (built []program, err error) {
	if err := build(bin, "server", "server"); err != nil {
		return nil, err
	}
	for _, d := range drivers {
		if only != nil && !slices.Contains(only, d.name) {
			continue
		}
		p := program{name: d.name}
		if err := build(bin, d.name, d.dir); err != nil && d.module == "" {
			return nil, err
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			p.failed = "could not be built"
		}
		p.version = version(filepath.Join(bin, d.name), d.module)
		built = append(built, p)
	}
	return built, nil
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

// apart parts the cells of Whorl and the floor from those of the peers.
func apart(cells []*Cell) (ours, theirs []*Cell) {
	for _, c := range cells {
		if slices.Contains(peers(), c.Driver) {
			theirs = append(theirs, c)
		} else {
			ours = append(ours, c)
		}
	}
	return ours, theirs
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
				c.Error = err.Error()
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
