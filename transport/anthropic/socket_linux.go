package anthropic

import (
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h, the same on all architectures.
// Package syscall doesn't have it, and x/sys/unix takes a second of CPU to compile.
const tcpUserTimeout = 0x12

// unacknowledged is how long the peer's system may leave data unacknowledged.
const unacknowledged = 10 * time.Second

// limitUnacknowledged sets TCP_USER_TIMEOUT (RFC 5482): without it the system goes
// on sending into a path that has died for a quarter of an hour.
func limitUnacknowledged(_, _ string, c syscall.RawConn) error {
	// A system that doesn't take it leaves the other ways to find out.
	return c.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unacknowledged.Milliseconds()))
	})
}
