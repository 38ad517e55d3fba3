package memory

import (
	"context"
	"fmt"
)

// A Redactor is a [Store] that changes records before they are laid into its
// logs. [Log.Append] asks it first, so that the log, the model and the store see
// the same.
type Redactor interface {
	Redact(r *Record) error
}

// Redacted returns store with a hook that sees each record before it is laid
// down, and may change it or refuse it with an error. What the hook took out is
// never stored, and the model does not see it either: were it otherwise, a resumed
// session would differ from what was sent.
//
// The hook must give the same for what it has changed already. It should leave
// the blocks of responses alone: thinking is signed, on some models together with
// all that stands before it, and the service refuses what was changed.
func Redacted(store Store, hook func(*Record) error) Store {
	return &redacted{store, hook}
}

type redacted struct {
	Store
	hook func(*Record) error
}

// Redact implements [Redactor].
func (s *redacted) Redact(r *Record) error {
	if inner, ok := s.Store.(Redactor); ok {
		if err := inner.Redact(r); err != nil {
			return err
		}
	}
	return s.hook(r)
}

func (s *redacted) Append(ctx context.Context, id string, n int, records ...Record) error {
	changed := make([]Record, len(records))
	for i, r := range records {
		if err := s.hook(&r); err != nil {
			return fmt.Errorf("record %d (%s): redact: %w", n+i, r.Kind, err)
		}
		changed[i] = r
	}
	return s.Store.Append(ctx, id, n, changed...)
}

func (s *redacted) Send(ctx context.Context, id string, input Record) error {
	if err := s.hook(&input); err != nil {
		return err
	}
	return s.Store.Send(ctx, id, input)
}
