package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Machine is where the figures come from. What the system doesn't tell is empty.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Memory float64 `json:"memory_gb"`
	System string  `json:"system"`
	Go     string  `json:"go"`
}

func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU = field("/proc/cpuinfo", "model name")
	kb, _ := strconv.ParseFloat(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 64)
	m.Memory = kb / (1 << 20)
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.System = strings.TrimSpace(runtime.GOOS + " " + string(release))
	return m
}

// field is the value of the first line "name: value" of a file.
func field(file, name string) string {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// commit is the commit of the working tree, if it is one.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// resident is the memory that a process holds, in bytes; 0 if the system doesn't tell.
func resident(pid int) float64 {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := bytes.Fields(statm)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(string(fields[1]), 64)
	return pages * float64(os.Getpagesize())
}

// An observer tells how busy the machine was with other things than the comparison.
type observer struct {
	began     time.Time
	all, mine time.Duration
}

func observe() observer { return observer{time.Now(), busy(), ours()} }

// others is the share of the processors that other processes used, from 0 to 1.
func (o observer) others() float64 {
	spent := (busy() - o.all) - (ours() - o.mine)
	capacity := time.Since(o.began) * time.Duration(runtime.NumCPU())
	return max(0, spent.Seconds()/capacity.Seconds())
}

// ours is the processor time of this process and of those that it has started.
func ours() (d time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			d += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return d
}

// busy is the processor time that the whole machine has used, in hundredths of a
// second; 0 if it doesn't tell.
func busy() (d time.Duration) {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, f := range strings.Fields(line) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || i == 4 || i == 5 || i > 8 { // idle, waiting for a disk, guests (counted in user)
			continue
		}
		d += time.Duration(n) * 10 * time.Millisecond
	}
	return d
}
