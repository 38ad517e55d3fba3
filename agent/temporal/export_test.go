package temporal

import (
	"context"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// SetHeartbeat sets the time after which a process that says nothing is given up, for a
// test. The engine of the tests keeps to it.
func SetHeartbeat(t testing.TB, d time.Duration) {
	before := stepOptions.HeartbeatTimeout
	stepOptions.HeartbeatTimeout = d
	t.Cleanup(func() { stepOptions.HeartbeatTimeout = before })
}

// Decided records a decision, as the local activity does.
func Decided(ctx context.Context, store memory.Store, session, do string, r Request) error {
	return decide(ctx, store, decision{Session: session, Do: do, Request: r})
}

// Said gives a session a message, as the local activity does.
func Said(ctx context.Context, store memory.Store, session string, number int64, text string) error {
	return say(ctx, store, saying{Session: session, Number: number, Text: text})
}
