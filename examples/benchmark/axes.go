package main

import (
	"fmt"
	"slices"
	"time"
)

// A Task is what a driver is run with. See harness.Config.
type Task struct {
	Turns       int           `json:"turns"`
	Parallel    int           `json:"parallel"`
	ResultBytes int           `json:"result_bytes"`
	SystemBytes int           `json:"system_bytes"`
	Runs        int           `json:"runs"`
	For         time.Duration `json:"for_ns"`
	Concurrency int           `json:"concurrency"`
	Stream      bool          `json:"stream"`
	HTTP2       bool          `json:"http2"`
	Bill        bool          `json:"bill"`
	Cache       bool          `json:"cache"`
	// Threads is "on" for message threads; empty sends the whole conversation each time.
	Threads string `json:"threads,omitempty"`
	// Telemetry is "on" for spans that are made and thrown away, "step" for one span a
	// step; empty for none.
	Telemetry string `json:"telemetry,omitempty"`
	// MemoryLimit is the Go runtime's soft limit, GOMEMLIMIT, for the driver; empty for none.
	MemoryLimit string `json:"memory_limit,omitempty"`
}

// An Axis varies one thing of the task.
type Axis struct {
	Name, Title string
	Columns     []column
	Points      []Point
	// Drivers are those that are measured, nil for all that have no rule of their own: see measures.
	Drivers []string
	// base is what a driver's figures are divided by at a task; nil for the floor's at the same.
	base func(driver string, t Task) (string, Task)
}

// A Point is a place on an axis.
type Point struct {
	Label string
	X     float64
	Task  Task
}

// crowd is how many conversations are held at once at the end of that axis.
const crowd = 10000

// usual is the task that the axes vary: 8 KB of system prompt, 4 KB results.
func usual(quick bool) Task {
	t := Task{Turns: 50, Parallel: 1, ResultBytes: 4096, SystemBytes: 8192, Runs: 1, For: 1500 * time.Millisecond, Concurrency: 1, Stream: true}
	if quick {
		t.For = 300 * time.Millisecond
	}
	return t
}

// axes lists what is measured. Points of several axes with the same task are
// measured once.
func axes(quick bool) []Axis {
	work := []column{cpu, overFloor, wall, allocated, mallocs, rss, gap, count}
	steps := Axis{Name: "steps", Title: "Steps in a conversation", Columns: work}
	for _, n := range pick(quick, 2, 10, 50, 200, 1000) {
		t := usual(quick)
		t.Turns = n
		steps.add(number(n), n, t)
		t.Threads = "on"
		steps.add(number(n), n, t)
	}
	results := Axis{Name: "results", Title: "Bytes in a tool result (20 steps)", Columns: work}
	for _, n := range pick(quick, 3, 200, 4<<10, 40<<10, 200<<10) {
		t := usual(quick)
		t.Turns, t.ResultBytes = 20, n
		results.add(bytesLabel(n), n, t)
	}
	parallel := Axis{Name: "parallel", Title: "Tool calls in a step (20 steps, 1 KB results)", Columns: work}
	for _, n := range pick(quick, 3, 1, 5, 12, 30) {
		t := usual(quick)
		t.Turns, t.ResultBytes, t.Parallel = 20, 1<<10, n
		parallel.add(number(n), n, t)
	}
	stream := Axis{Name: "stream", Title: "Streaming or not (50 steps)", Columns: work}
	for i, label := range []string{"whole", "streamed"} {
		t := usual(quick)
		t.Stream = i == 1
		stream.add(label, i, t)
	}
	protocol := Axis{Name: "protocol", Title: "HTTP/1.1 without TLS, or HTTP/2 with it (50 steps)", Columns: work}
	for i, label := range []string{"HTTP/1.1", "HTTP/2"} {
		t := usual(quick)
		t.HTTP2 = i == 1
		protocol.add(label, i, t)
	}
	return []Axis{steps, results, parallel, stream, protocol, concurrency(quick), bill(quick), threads(quick), telemetry(quick)}
}

func concurrency(quick bool) Axis {
	a := Axis{Name: "concurrency", Title: "Conversations at once (20 steps, 1 KB results)", Columns: []column{cpu, overFloor, wall, rss, median, p99, p99OverMedian, count}}
	at := func(n int) Task {
		t := usual(quick)
		t.Turns, t.ResultBytes, t.Concurrency, t.Runs = 20, 1<<10, n, n
		return t
	}
	for _, n := range pick(quick, 3, 1, 10, 100, 1000) {
		a.add(number(n), n, at(n))
	}
	a.add(number(crowd), crowd, at(crowd))
	limited := at(crowd)
	limited.MemoryLimit = "1300MiB"
	a.add(number(crowd)+", GOMEMLIMIT=1300MiB", crowd, limited)
	return a
}

func bill(quick bool) Axis {
	a := Axis{Name: "bill", Title: "The bill over the least possible, by the caching rules", Columns: []column{overLeast, marks},
		Drivers: []string{"whorl", "anthropic-sdk-go", "fantasy", "genkit"}}
	shape := func(label string, turns, parallel int) {
		t := usual(quick)
		t.Turns, t.Parallel, t.For, t.Bill = turns, parallel, 0, true
		if parallel > 1 {
			t.ResultBytes = 1 << 10
		}
		a.add(label, turns, t)
		t.Cache = true
		a.add(label, turns, t)
	}
	for _, n := range pick(quick, 2, 10, 50, 200) {
		shape(fmt.Sprintf("%d steps of 1 call", n), n, 1)
	}
	for _, n := range pick(quick, 1, 12, 30) {
		shape(fmt.Sprintf("20 steps of %d calls", n), 20, n)
	}
	return a
}

// threads are conversations in message threads and without: whoever has them.
// The tasks are those of the axis of steps.
func threads(quick bool) Axis {
	a := Axis{Name: "threads", Title: "Message threads", Columns: []column{sent, cpu, overWithout, allocated, mallocs, rss, count},
		Drivers: haveThreads, base: func(driver string, t Task) (string, Task) {
			t.Threads = ""
			return driver, t
		}}
	for _, n := range pick(quick, 2, 10, 50, 200, 1000) {
		t := usual(quick)
		t.Turns = n
		a.add(number(n)+" steps", n, t)
		t.Threads = "on"
		a.add(number(n)+" steps", n, t)
	}
	return a
}

// telemetry is a step with spans, without content, beside one without any.
func telemetry(quick bool) Axis {
	a := Axis{Name: "telemetry", Title: "Telemetry, without content", Columns: []column{cpu, overWithout, allocated, mallocs, count},
		Drivers: []string{"whorl"}, base: func(driver string, t Task) (string, Task) {
			t.Telemetry = ""
			return driver, t
		}}
	for _, n := range pick(quick, 1, 50, 200) {
		t := usual(quick)
		t.Turns = n
		a.add(number(n)+" steps", n, t)
		for _, spans := range []string{"on", "step"} {
			t.Telemetry = spans
			a.add(number(n)+" steps", n, t)
		}
	}
	return a
}

// haveThreads are the drivers that send requests in message threads when asked to.
var haveThreads = []string{"whorl", "anthropic-sdk-go", "anthropic-sdk-js"}

// measures reports whether a driver is measured at a point of the axis.
func (a *Axis) measures(driver string, p Point) bool {
	t := p.Task
	switch {
	case a.Drivers != nil && !slices.Contains(a.Drivers, driver):
		return false
	case t.Threads == "on" && !slices.Contains(haveThreads, driver):
		return false
	case t.Cache:
		return driver != "whorl" // its default is its best
	case t.MemoryLimit != "":
		return driver == "floor" || driver == "whorl"
	}
	switch driver {
	case "socket", "whorl-before":
		return a.Name == "steps" || a.Name == "parallel" || a.Name == "concurrency"
	case "langchaingo", "anthropic-sdk-js": // for scale
		return a.Name == "steps" || a.Name == "threads"
	case "genkit": // where it can be done within the limits, and leaves time for the others
		return t.Turns < 1000 && t.ResultBytes < 200<<10 && t.Concurrency < 100 && !(t.Bill && t.Turns >= 200)
	}
	return true
}

func (a *Axis) add(label string, x int, t Task) {
	a.Points = append(a.Points, Point{Label: label, X: float64(x), Task: t})
}

// pick is all of the numbers, or the first few.
func pick(quick bool, few int, numbers ...int) []int {
	if quick {
		return numbers[:few]
	}
	return numbers
}

// number writes n with a comma between thousands.
func number(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", number(n/1000), n%1000)
}

func bytesLabel(n int) string {
	if n < 1<<10 {
		return fmt.Sprint(n, " B")
	}
	return fmt.Sprint(n>>10, " KB")
}
