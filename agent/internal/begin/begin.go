// Package begin begins sessions before there is a run.
package begin

import (
	"context"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
)

// Session makes a session with that metadata, so that it is there and can be given
// messages. It fails with [memory.ErrConflict] if there is one of that id.
func Session(ctx context.Context, store memory.Store, id string, meta map[string]string) error {
	log, err := memory.Create(store, id, &memory.Start{Meta: meta})
	if err != nil {
		return err
	}
	// A session is there with its first record.
	return log.Append(ctx, memory.Record{Kind: memory.KindNote, Note: notes.Begun, Data: []byte("{}")})
}
