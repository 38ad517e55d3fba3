package flow

import (
	"context"

	"github.com/whorl-go/whorl/memory"
)

// Open opens a session's log, with the messages that wait in its inbox. A message is in
// one of the two: the inbox is read first, and what the log has by then is left out.
func Open(ctx context.Context, store memory.Store, id string) (*memory.Log, []memory.Record, error) {
	var waits []memory.Record
	if inbox, ok := memory.As[memory.Inbox](store); ok {
		for r, err := range inbox.Inbox(ctx, id, 0) {
			if err != nil {
				return nil, nil, err
			}
			waits = append(waits, r)
		}
	}
	log, err := memory.Open(ctx, store, id)
	if err != nil {
		return nil, nil, err
	}
	has := log.State().Queued
	for len(waits) > 0 && waits[0].Queued <= has {
		waits = waits[1:]
	}
	return log, waits, nil
}
