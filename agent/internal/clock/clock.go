// Package clock is the time by which a run's waits end: that of the store that wakes
// its session, if it has a clock of its own, or else that of this machine.
package clock

import (
	"context"
	"time"
)

type key struct{}

// With returns a context whose time is what now returns.
func With(ctx context.Context, now func() time.Time) context.Context {
	return context.WithValue(ctx, key{}, now)
}

// Now returns the time of ctx.
func Now(ctx context.Context) time.Time {
	if now, ok := ctx.Value(key{}).(func() time.Time); ok {
		return now()
	}
	return time.Now()
}
