//go:build !unix

package main

import "time"

// cpuTime is 0 where the system doesn't tell it in the same way.
func cpuTime() time.Duration { return 0 }
