package protect

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/redact"
)

// Redacted returns store with a hook that gets each record before it is appended. The
// hook may change the record, or refuse it with an error. Data that the hook removes is
// never stored and never sent to the model; otherwise a resumed session would differ
// from what was sent.
//
// [memory.Log.Append] and [memory.Enqueue] call the hook. The store itself doesn't
// change records: it fails with [ErrUnredacted] if the hook would still change a record
// that is appended, enqueued, imported or forked. No record bypasses the hook, however
// the store is wrapped. The hook gets a blob as a note named "blob", whose Data has
// media_type and data (base64), and may refuse it.
//
// The hook must be idempotent: it must not change a record that it has already changed.
// It should not change the blocks of responses: thinking is signed, on some models
// together with everything before it, and the service refuses changed thinking.
func Redacted(store memory.Store, hook func(*memory.Record) error) memory.Store {
	return &redacted{store, hook}
}

type redacted struct {
	memory.Store
	hook func(*memory.Record) error
}

// Unwrap returns the wrapped store.
func (s *redacted) Unwrap() memory.Store { return s.Store }

// Redact implements [memory.Redactor].
func (s *redacted) Redact(r *memory.Record) error {
	if inner, ok := memory.As[memory.Redactor](s.Store); ok {
		if err := inner.Redact(r); err != nil {
			return err
		}
	}
	return s.hook(r)
}

func (s *redacted) check(id string, n int, records ...memory.Record) error {
	for i, r := range records {
		if err := redact.Check(s, r); err != nil {
			return fmt.Errorf("session %q, record %d (%s): %w", id, n+i, r.Kind, err)
		}
	}
	return nil
}

// Append implements [memory.Store].
func (s *redacted) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if err := s.check(id, at.Records, records...); err != nil {
		return err
	}
	return s.Store.Append(ctx, id, at, records...)
}

// Enqueue implements [memory.Inbox].
func (s *redacted) Enqueue(ctx context.Context, id string, input memory.Record) error {
	inbox, err := memory.Need[memory.Inbox](s.Store)
	if err == nil {
		err = s.check(id, 0, input)
	}
	if err != nil {
		return err
	}
	return inbox.Enqueue(ctx, id, input)
}

// Inbox implements [memory.Inbox].
func (s *redacted) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	inbox, err := memory.Need[memory.Inbox](s.Store)
	if err != nil {
		return failed[memory.Record](err)
	}
	return inbox.Inbox(ctx, id, after)
}

func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// Fork implements [memory.Forker].
func (s *redacted) Fork(ctx context.Context, from string, at memory.Position, to string, start *memory.Start) error {
	forker, err := memory.Need[memory.Forker](s.Store)
	if err != nil {
		return err
	}
	n := 0
	for r, err := range s.Store.Load(ctx, from, memory.Position{Incarnation: at.Incarnation}) {
		if n >= at.Records {
			break
		}
		if err == nil {
			err = s.check(from, n, r)
		}
		if err != nil {
			return err
		}
		n++
	}
	return forker.Fork(ctx, from, at, to, start)
}

// Import implements [memory.Importer].
func (s *redacted) Import(ctx context.Context, in memory.Session) error {
	importer, err := memory.Need[memory.Importer](s.Store)
	if err == nil {
		err = s.check(in.Info.ID, 0, in.Records...)
	}
	if err == nil {
		err = s.check(in.Info.ID, 0, in.Inbox...)
	}
	for _, b := range in.Blobs {
		if err == nil {
			err = s.checkBlob(b)
		}
	}
	if err != nil {
		return err
	}
	return importer.Import(ctx, in)
}

func (s *redacted) checkBlob(b memory.Blob) error {
	data, err := json.Marshal(struct {
		MediaType string `json:"media_type"`
		Data      []byte `json:"data"`
	}{b.MediaType, b.Data})
	if err == nil {
		err = redact.Check(s, memory.Record{Kind: memory.KindNote, Note: "blob", Data: data})
	}
	return err
}

// PutBlob implements [memory.Blobs].
func (s *redacted) PutBlob(ctx context.Context, id string, b memory.Blob) (string, error) {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err == nil {
		err = s.checkBlob(b)
	}
	if err != nil {
		return "", err
	}
	return blobs.PutBlob(ctx, id, b)
}

// Blob implements [memory.Blobs].
func (s *redacted) Blob(ctx context.Context, id, name string) (memory.Blob, error) {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err != nil {
		return memory.Blob{}, err
	}
	return blobs.Blob(ctx, id, name)
}

// Blobs implements [memory.Blobs].
func (s *redacted) Blobs(ctx context.Context, id string) iter.Seq2[memory.Blob, error] {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err != nil {
		return failed[memory.Blob](err)
	}
	return blobs.Blobs(ctx, id)
}
