// Package listing tells why a list of sessions can't be given.
package listing

import (
	"context"

	"github.com/whorl-go/whorl/memory"
)

// BadCursor reports whether a list has failed because of the query's After. A store
// refuses a cursor by an error of its own, and lists without one.
func BadCursor(ctx context.Context, store memory.Store, q memory.Query) bool {
	if q.After == "" {
		return false
	}
	q.After, q.Limit = "", 1
	for _, err := range store.List(ctx, q) {
		return err == nil
	}
	return true
}
