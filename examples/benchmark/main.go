// Benchmark compares Whorl with other Go libraries on the same task: a model
// that calls a tool, step after step. Each library has a driver, a small program
// of its own, and all of them talk to a scripted server in another process.
//
//	go run .                                    # all axes: 16 minutes
//	go run . -crowd                             # and then 10,000 conversations at once: 8 more
//	go run . -crowd -before v0.1.0              # and Whorl as it was at a commit beside it
//	go run . -quick                             # a look, in 3 minutes
//	go run . -axes steps,bill -drivers floor,whorl
//	go run . -from results/results.json         # the tables again, of what was measured before
//
// It prints tables in Markdown and writes results.json (all that was measured),
// results.csv (the same, a line per run) and plot.svg to the folder of -out.
// An interrupt ends the measuring: what was measured until then is written.
// With -docs it brings the figures of docs/benchmarks.md up to date, and the plot
// goes there, as benchmarks.svg. That page has the method and the newest figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.out, "out", "results", "folder for results.json, results.csv and plot.svg")
	flag.BoolVar(&o.quick, "quick", false, "fewer points, shorter runs")
	flag.BoolVar(&o.crowd, "crowd", false, "hold 10,000 conversations at once, too")
	axes := flag.String("axes", "", "comma-separated axes to measure; all if empty")
	names := flag.String("drivers", "", "comma-separated drivers to run; all if empty")
	flag.IntVar(&o.rounds, "rounds", 7, "how often to measure each point, if the time is enough")
	flag.DurationVar(&o.budget, "budget", 14*time.Minute, "longest time for the axes; building comes on top")
	flag.DurationVar(&o.crowdBudget, "crowd-budget", 8*time.Minute, "longest time for 10,000 conversations")
	flag.DurationVar(&o.limit, "limit", 30*time.Second, "longest time for a run of a driver")
	flag.DurationVar(&o.crowdLimit, "crowd-limit", 2*time.Minute, "longest time for a run of a driver with 10,000 conversations")
	flag.Float64Var(&o.memory, "memory", 12, "most memory for a driver, in GB resident")
	flag.StringVar(&o.before, "before", "", "measure Whorl as it was at this `commit`, too, as whorl-before")
	from := flag.String("from", "", "comma-separated results.json files to write tables of, without measuring; later ones replace points of earlier ones")
	soak := flag.String("soak", "figures/soak.json", "the soak test's report, if there is one: see whorl/soak_test.go")
	docs := flag.String("docs", "", "folder of benchmarks.md, whose figures are brought up to date")
	flag.Parse()
	o.axes, o.drivers = split(*axes), split(*names)
	if o.quick {
		o.rounds, o.budget = min(o.rounds, 3), min(o.budget, 3*time.Minute)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, split(*from), *soak, *docs); err != nil {
		log.Fatal("benchmark: ", err)
	}
}

// options say what is measured, and for how long.
type options struct {
	out           string
	quick, crowd  bool
	axes, drivers []string // nil for all
	rounds        int
	before        string // a commit, or empty

	budget, crowdBudget time.Duration
	limit, crowdLimit   time.Duration
	memory              float64 // GB
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// run measures, or reads what was measured, and writes its tables.
func run(ctx context.Context, o options, from []string, soak, docs string) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	var res *Results
	var err error
	if from != nil {
		res, err = readResults(from)
	} else {
		res, err = compare(ctx, o)
	}
	if err == nil {
		res.Soak, err = readSoak(soak)
	}
	if err != nil {
		return err
	}
	for _, name := range sections() {
		if text := res.section(name); !strings.HasSuffix(text, unmeasured) {
			fmt.Print("\n", text)
		}
	}
	err = errors.Join(
		res.write(filepath.Join(o.out, "results.json")),
		os.WriteFile(filepath.Join(o.out, "results.csv"), res.csv(), 0o644),
	)
	if err == nil && docs != "" {
		err = res.fill(docs)
	} else if err == nil {
		err = os.WriteFile(filepath.Join(o.out, "plot.svg"), plot(res), 0o644)
	}
	return err
}
