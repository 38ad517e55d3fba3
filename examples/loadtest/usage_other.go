//go:build !unix

package main

import "time"

// cpuTime is 0 where there is no getrusage.
func cpuTime() time.Duration { return 0 }
