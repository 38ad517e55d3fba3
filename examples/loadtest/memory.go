package main

import (
	"os"
	"strconv"
	"strings"
)

// peakRSS is the most memory that this process has had resident, in MB of
// 1,048,576 bytes, from /proc/self/status. It is 0 on systems without one.
func peakRSS() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return 0
	}
	return kb / 1024
}
