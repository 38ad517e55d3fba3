package flow

import (
	"context"
	"iter"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// taken is a store in which a run takes what waits in an inbox as soon as somebody has read
// it.
type taken struct{ *memory.RAM }

func (s taken) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		var list []memory.Record
		for r, err := range s.RAM.Inbox(ctx, id, after) {
			if err != nil {
				yield(r, err)
				return
			}
			list = append(list, r)
		}
		log, err := memory.Open(ctx, s.RAM, id)
		if err == nil {
			err = log.Append(ctx, list...)
		}
		if err != nil {
			yield(memory.Record{}, err)
			return
		}
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// A message that a run takes while a session is opened is in its log, and doesn't wait, too:
// who compares it with what a client has sent would take it for two.
func TestAMessageIsInOnePlace(t *testing.T) {
	store := taken{new(memory.RAM)}
	log, err := memory.Create(store, "s", nil)
	if err == nil {
		err = log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")})
	}
	if err == nil {
		err = memory.Enqueue(t.Context(), store, "s", transport.UserText("more"))
	}
	if err != nil {
		t.Fatal(err)
	}
	got, waits, err := Open(t.Context(), store, "s")
	if err != nil || got.Len() != 2 || len(waits) != 0 {
		t.Errorf("%d records, %d messages wait, %v", got.Len(), len(waits), err)
	}
}
