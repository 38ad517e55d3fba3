package worker

import (
	"context"
	"errors"
	"testing"

	"github.com/whorl-go/whorl/agent/internal/begin"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// another is a store in which somebody else begins each session that isn't found.
type another struct{ *memory.RAM }

func (s another) Enqueue(ctx context.Context, id string, input memory.Record) error {
	err := s.RAM.Enqueue(ctx, id, input)
	if errors.Is(err, memory.ErrNoSession) {
		err = errors.Join(err, begin.Session(ctx, s.RAM, id, nil))
	}
	return err
}

// A message isn't lost where another process begins the session at the same time.
func TestSubmitWhileAnotherBegins(t *testing.T) {
	store := another{new(memory.RAM)}
	if err := Submit(t.Context(), store, "s", transport.UserText("hello"), nil); err != nil {
		t.Fatal(err)
	}
	n := 0
	for r, err := range store.Inbox(t.Context(), "s", 0) {
		if n++; err != nil || r.Message.Text() != "hello" {
			t.Errorf("%v, %v", r.Message.Text(), err)
		}
	}
	if n != 1 {
		t.Errorf("%d messages wait", n)
	}
}

// reported is a store that has taken each message, and reports a failure.
type reported struct{ *memory.RAM }

func (s reported) Enqueue(ctx context.Context, id string, input memory.Record) error {
	return errors.Join(s.RAM.Enqueue(ctx, id, input), memory.ErrUnavailable)
}

// A failure doesn't have a message written again that may be there: who sent it decides.
func TestSubmitOfWhatMayBeThere(t *testing.T) {
	store := reported{new(memory.RAM)}
	if err := begin.Session(t.Context(), store.RAM, "s", nil); err != nil {
		t.Fatal(err)
	}
	err := Submit(t.Context(), store, "s", transport.UserText("hello"), nil)
	n := 0
	for _, err := range store.Inbox(t.Context(), "s", 0) {
		if n++; err != nil {
			t.Error(err)
		}
	}
	if !errors.Is(err, memory.ErrUnavailable) || n != 1 {
		t.Errorf("%v, and %d messages wait", err, n)
	}
}
