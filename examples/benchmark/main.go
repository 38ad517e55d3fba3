// Benchmark compares Whorl with other Go libraries on the same task: a model
// that calls a tool, step after step. Each library has a driver, a small program
// of its own, and all of them talk to a scripted server in another process.
//
//	go run . -out results            # all of it: half an hour
//	go run . -quick -drivers floor,whorl
//
// It prints tables in Markdown, and writes results.jsonl and plot.svg. The
// method and the newest figures are in docs/benchmarks.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

// drivers are the programs to compare, in the order of the tables, and the
// folders that they are built from.
var drivers = []struct{ name, dir string }{
	{"floor", "floor"},
	{"whorl", "whorl"},
	{"anthropic-sdk-go", "peers/anthropicsdk"},
	{"fantasy", "peers/fantasy"},
	{"genkit", "peers/genkit"},
}

// A Row is one measurement: what a driver needed for a task.
type Row struct {
	Axis   string  `json:"axis"`
	Point  string  `json:"point"`
	X      float64 `json:"x"`
	Driver string  `json:"driver"`
	Task   Task    `json:"task"`

	Result *harness.Result `json:"result,omitempty"`
	Stats  Stats           `json:"stats"`
	Error  string          `json:"error,omitempty"` // why there is no result
}

func main() {
	out := flag.String("out", "results", "folder for results.jsonl and plot.svg")
	only := flag.String("axes", "", "comma-separated axes to measure; all if empty")
	names := flag.String("drivers", "", "comma-separated drivers to run; all if empty")
	quick := flag.Bool("quick", false, "fewer and smaller points")
	repeat := flag.Int("repeat", 3, "how often to measure; the run with the least CPU time counts")
	limit := flag.Duration("limit", 2*time.Minute, "longest time for one run of a driver")
	from := flag.String("from", "", "comma-separated results.jsonl files to lay out anew, without measuring; later ones replace rows of earlier ones")
	flag.Parse()
	if *from != "" {
		if err := layOut(*out, split(*from)); err != nil {
			log.Fatal("benchmark: ", err)
		}
		return
	}
	if err := compare(*out, split(*only), split(*names), *quick, *repeat, *limit); err != nil {
		log.Fatal("benchmark: ", err)
	}
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func compare(out string, only, names []string, quick bool, repeat int, limit time.Duration) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	bin, err := os.MkdirTemp("", "benchmark")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if err := build(bin, "server", "server"); err != nil {
		return err
	}
	var chosen []string
	for _, d := range drivers {
		if names != nil && !slices.Contains(names, d.name) {
			continue
		}
		if err := build(bin, d.name, d.dir); err != nil {
			return err
		}
		chosen = append(chosen, d.name)
	}
	results, err := os.Create(filepath.Join(out, "results.jsonl"))
	if err != nil {
		return err
	}
	defer results.Close()
	enc := json.NewEncoder(results)
	var all []Row
	for _, a := range axes(quick) {
		if only != nil && !slices.Contains(only, a.Name) {
			continue
		}
		var rows []Row
		for _, p := range a.Points {
			for _, d := range chosen {
				row := Row{Axis: a.Name, Point: p.Label, X: p.X, Driver: d, Task: p.Task}
				row.measure(bin, repeat, limit)
				if err := enc.Encode(row); err != nil {
					return err
				}
				rows = append(rows, row)
			}
		}
		fmt.Print(table(a, rows))
		all = append(all, rows...)
	}
	return os.WriteFile(filepath.Join(out, "plot.svg"), plot(all), 0o644)
}

// layOut prints the tables and draws the plot of rows that were measured before.
func layOut(out string, files []string) error {
	type place struct{ axis, point, driver string }
	rows := make(map[place]Row)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		dec := json.NewDecoder(f)
		for dec.More() {
			var r Row
			if err := dec.Decode(&r); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			rows[place{r.Axis, r.Point, r.Driver}] = r
		}
		f.Close()
	}
	var all []Row
	for _, a := range axes(false) {
		var of []Row
		for _, p := range a.Points {
			for _, d := range drivers {
				if r, ok := rows[place{a.Name, p.Label, d.name}]; ok {
					of = append(of, r)
				}
			}
		}
		if len(of) > 0 {
			fmt.Print(table(a, of))
		}
		all = append(all, of...)
	}
	return os.WriteFile(filepath.Join(out, "plot.svg"), plot(all), 0o644)
}

// measure runs the row's driver a few times and keeps the run with the least CPU
// time: what is more than that was the machine's doing.
func (r *Row) measure(bin string, repeat int, limit time.Duration) {
	for i := range repeat {
		began := time.Now()
		res, stats, err := run(bin, r.Driver, r.Task, limit)
		if err != nil {
			r.Error = err.Error()
			if r.Result == nil {
				fmt.Fprintf(os.Stderr, "%s %s %s: %v\n", r.Axis, r.Point, r.Driver, err)
			}
			return
		}
		if r.Result == nil || res.CPUPerTurn < r.Result.CPUPerTurn {
			r.Result, r.Stats = res, stats
		}
		fmt.Fprintf(os.Stderr, "%s %s %s: run %d took %v\n", r.Axis, r.Point, r.Driver, i+1, time.Since(began).Round(time.Millisecond))
		if time.Since(began) > 10*time.Second {
			return // long runs average by themselves
		}
	}
}
