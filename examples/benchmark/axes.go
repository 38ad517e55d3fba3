package main

import "fmt"

// A Task is what a driver is run with. See harness.Config.
type Task struct {
	Turns, Parallel, ResultBytes, SystemBytes int
	Runs, Concurrency                         int
	Stream, HTTP2, Bill                       bool
	// MemoryLimit is the Go runtime's soft limit, GOMEMLIMIT, for the driver; empty for none.
	MemoryLimit string
}

// An Axis varies one thing of the task.
type Axis struct {
	Name, Title string
	Columns     []column
	Points      []Point
}

// A Point is a place on an axis.
type Point struct {
	Label string
	X     float64
	Task  Task
}

// usual is the task that the axes vary: 8 KB of system prompt, 4 KB results.
func usual() Task {
	return Task{Turns: 50, Parallel: 1, ResultBytes: 4096, SystemBytes: 8192, Runs: 10, Concurrency: 1, Stream: true}
}

// axes lists what is measured.
func axes(quick bool) []Axis {
	work := []column{cpu, overFloor, wall, allocated, mallocs, rss, gap}
	steps := Axis{Name: "steps", Title: "Steps in a conversation", Columns: work}
	for _, n := range pick(quick, 3, 10, 50, 200, 1000) {
		t := usual()
		t.Turns, t.Runs = n, max(1, 600/n)
		steps.add(fmt.Sprint(n), n, t)
	}
	results := Axis{Name: "results", Title: "Bytes in a tool result (20 steps)", Columns: work}
	for _, n := range pick(quick, 2, 200, 4<<10, 40<<10, 200<<10) {
		t := usual()
		t.Turns, t.ResultBytes, t.Runs = 20, n, 10
		results.add(fmt.Sprint(n), n, t)
	}
	parallel := Axis{Name: "parallel", Title: "Tool calls in a step (20 steps, 1 KB results)", Columns: work}
	for _, n := range pick(quick, 2, 1, 5, 30) {
		t := usual()
		t.Turns, t.ResultBytes, t.Parallel = 20, 1<<10, n
		parallel.add(fmt.Sprint(n), n, t)
	}
	stream := Axis{Name: "stream", Title: "Streaming or not (50 steps)", Columns: work}
	for i, label := range []string{"whole", "streamed"} {
		t := usual()
		t.Stream = i == 1
		stream.add(label, i, t)
	}
	protocol := Axis{Name: "protocol", Title: "HTTP/1.1 without TLS, or HTTP/2 with it (50 steps)", Columns: work}
	for i, label := range []string{"HTTP/1.1", "HTTP/2"} {
		t := usual()
		t.HTTP2 = i == 1
		protocol.add(label, i, t)
	}
	concurrency := Axis{Name: "concurrency", Title: "Conversations at once (20 steps, 1 KB results)", Columns: []column{cpu, overFloor, wall, rss, median, p99, p99OverMedian}}
	for _, n := range pick(quick, 3, 1, 100, 1000, 10000) {
		t := usual()
		t.Turns, t.ResultBytes, t.Concurrency, t.Runs = 20, 1<<10, n, max(n, 30)
		concurrency.add(fmt.Sprint(n), n, t)
	}
	limited := usual()
	limited.Turns, limited.ResultBytes, limited.Concurrency, limited.Runs, limited.MemoryLimit = 20, 1<<10, 10000, 10000, "1300MiB"
	if !quick {
		concurrency.add("10000, GOMEMLIMIT=1300MiB", 10000, limited)
	}
	bill := Axis{Name: "bill", Title: "The bill over the least possible, by the caching rules", Columns: []column{overLeast, marks}}
	for _, n := range pick(quick, 2, 10, 50, 200) {
		t := usual()
		t.Turns, t.Runs, t.Bill = n, 1, true
		bill.add(fmt.Sprintf("%d steps", n), n, t)
	}
	wide := usual()
	wide.Turns, wide.Parallel, wide.ResultBytes, wide.Runs, wide.Bill = 20, 30, 1<<10, 1, true
	bill.add("20 steps of 30 calls", 20, wide)
	return []Axis{steps, results, parallel, stream, protocol, concurrency, bill}
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
