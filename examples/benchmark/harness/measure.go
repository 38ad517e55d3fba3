package harness

import (
	"bytes"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A Result is what a driver prints: per turn means per model call.
type Result struct {
	Name           string  `json:"name"`
	Runs           int     `json:"runs"`
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

// A meter holds the state of the counters at the beginning.
type meter struct {
	cpu  time.Duration
	mem  runtime.MemStats
	wall time.Time
}

func begin() *meter {
	m := new(meter)
	runtime.ReadMemStats(&m.mem)
	m.cpu = cpuTime()
	m.wall = time.Now()
	return m
}

func (m *meter) end(name string, c Config) *Result {
	wall, cpu := time.Since(m.wall), cpuTime()-m.cpu
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	turns := float64(max(1, c.Runs*(c.Turns+1)))
	return &Result{
		Name: name, Runs: c.Runs, Turns: c.Turns,
		CPUPerTurn:     micros(cpu) / turns,
		WallPerTurn:    micros(wall) / turns,
		AllocPerTurn:   float64(mem.TotalAlloc-m.mem.TotalAlloc) / 1024 / turns,
		MallocsPerTurn: float64(mem.Mallocs-m.mem.Mallocs) / turns,
		PeakRSS:        peakRSS(),
	}
}

func (r *Result) setSteps(steps []time.Duration) {
	if len(steps) == 0 {
		return
	}
	slices.Sort(steps)
	r.StepMedian = micros(steps[len(steps)/2])
	r.StepP99 = micros(steps[len(steps)*99/100])
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
