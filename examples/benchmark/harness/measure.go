package harness

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A Result is what a driver prints. Per turn means per model call.
type Result struct {
	Name           string  `json:"name"`
	Runs           int     `json:"runs"` // counted conversations
	Turns          int     `json:"turns"`
	CPUPerTurn     float64 `json:"cpu_us_per_turn"` // user and system, of this process
	WallPerTurn    float64 `json:"wall_us_per_turn"`
	AllocPerTurn   float64 `json:"alloc_kb_per_turn"`
	MallocsPerTurn float64 `json:"mallocs_per_turn"`
	PeakRSS        float64 `json:"peak_rss_mb"`
	// The time from step to step of a conversation, in microseconds.
	StepMedian float64 `json:"step_median_us"`
	StepP99    float64 `json:"step_p99_us"`
}

// A meter holds the state of the counters at some time.
type meter struct {
	cpu  time.Duration
	mem  runtime.MemStats
	wall time.Time
}

func takeMeter() *meter {
	m := new(meter)
	runtime.ReadMemStats(&m.mem)
	m.cpu = cpuTime()
	m.wall = time.Now()
	return m
}

// result is what was spent between two readings of the meter.
func (r *run) result(from, to *meter) *Result {
	res := &Result{Name: r.name, Runs: int(r.begun.Load()), Turns: r.Turns, PeakRSS: peakRSS()}
	turns := float64(max(1, res.Runs*(r.Turns+1)))
	res.CPUPerTurn = micros(to.cpu-from.cpu) / turns
	res.WallPerTurn = micros(to.wall.Sub(from.wall)) / turns
	res.AllocPerTurn = float64(to.mem.TotalAlloc-from.mem.TotalAlloc) / 1024 / turns
	res.MallocsPerTurn = float64(to.mem.Mallocs-from.mem.Mallocs) / turns
	res.StepMedian, res.StepP99 = stepTimes(r.lookup.steps)
	for _, f := range []*float64{&res.CPUPerTurn, &res.WallPerTurn, &res.AllocPerTurn, &res.MallocsPerTurn, &res.PeakRSS, &res.StepMedian, &res.StepP99} {
		*f = math.Round(*f*100) / 100
	}
	return res
}

// stepTimes are the median and the 99th percentile of the times between steps.
func stepTimes(steps []time.Duration) (median, p99 float64) {
	if len(steps) == 0 {
		return 0, 0
	}
	slices.Sort(steps)
	return micros(steps[len(steps)/2]), micros(steps[len(steps)*99/100])
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS is the most memory that the process has held, in MB; 0 where the
// system doesn't tell.
func peakRSS() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.ParseFloat(string(fields[0]), 64)
	return kb / 1024
}

// profile begins the profiles that were asked for and returns what ends them.
func profile(c Config) (stop func() error, err error) {
	if c.Profile != "" {
		f, err := os.Create(c.Profile)
		if err != nil {
			return nil, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
	}
	return func() error {
		if c.Profile != "" {
			pprof.StopCPUProfile()
		}
		if c.Allocs == "" {
			return nil
		}
		f, err := os.Create(c.Allocs)
		if err != nil {
			return err
		}
		defer f.Close()
		return pprof.Lookup("allocs").WriteTo(f, 0)
	}, nil
}

// live writes a profile of what is reachable now, and what the runtime has
// memory for.
func live(file string) {
	var before, after runtime.MemStats
	if g, err := os.Create(file + ".g"); err == nil {
		pprof.Lookup("goroutine").WriteTo(g, 0)
		g.Close()
	}
	runtime.ReadMemStats(&before)
	runtime.GC()
	runtime.ReadMemStats(&after)
	fmt.Fprintf(os.Stderr, "%d goroutines; heap %d MB before a collection, %d MB after; stacks %d MB; spans and the rest %d MB; in all %d MB from the system\n",
		runtime.NumGoroutine(), before.HeapAlloc>>20, after.HeapAlloc>>20, after.StackInuse>>20, (after.Sys-after.HeapSys-after.StackSys)>>20, after.Sys>>20)
	f, err := os.Create(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer f.Close()
	pprof.Lookup("heap").WriteTo(f, 0)
}
