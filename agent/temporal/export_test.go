package temporal

import (
	"testing"
	"time"
)

// SetHeartbeat sets the time after which a process that says nothing is given up, for a
// test. The engine of the tests keeps to it.
func SetHeartbeat(t testing.TB, d time.Duration) {
	before := stepOptions.HeartbeatTimeout
	stepOptions.HeartbeatTimeout = d
	t.Cleanup(func() { stepOptions.HeartbeatTimeout = before })
}
