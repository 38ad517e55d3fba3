// Package single marks requests that are sent once: whoever sends them again on a
// failure is further up, such as a durable engine.
package single

import "context"

type key struct{}

// Context returns a context whose requests the client doesn't send again.
func Context(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, true) }

// Is reports whether requests of the context are not sent again.
func Is(ctx context.Context) bool { return ctx.Value(key{}) != nil }
