package anthropic

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is how long the peer's system may leave data unacknowledged.
const unacknowledged = 10 * time.Second

// limitUnacknowledged sets TCP_USER_TIMEOUT (RFC 5482): without it the system goes
// on sending into a path that has died for a quarter of an hour.
func limitUnacknowledged(_, _ string, c syscall.RawConn) error {
	// A system that doesn't take it leaves the other ways to find out.
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds()))
	})
}
