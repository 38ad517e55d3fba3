package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// A Redactor is a [Store] that changes records before they are appended to its
// logs. [Log.Append] asks it first, so that the log, the model and the store see
// the same.
type Redactor interface {
	Redact(r *Record) error
}

// Redacted returns store with a hook that sees each record before it is appended,
// and may change it or refuse it with an error. What the hook takes out is never
// stored, and the model does not see it either: were it otherwise, a resumed
// session would differ from what was sent.
//
// [Log.Append] and [Enqueue] call the hook. The store itself doesn't change what it
// is given: it fails with [ErrUnredacted] for a record that the hook would still
// change, whether it is appended, enqueued, imported, or becomes part of a fork. So
// nothing gets around the hook, however the store is wrapped. A blob is shown to
// the hook as a note "blob", whose Data has media_type and data (base64): the hook
// may refuse it.
//
// The hook must leave alone what it has changed already. It should leave the
// blocks of responses alone: thinking is signed, on some models together with all
// that stands before it, and the service refuses what was changed.
func Redacted(store Store, hook func(*Record) error) Store {
	return &redacted{store, hook}
}

type redacted struct {
	Store
	hook func(*Record) error
}

// Unwrap returns the store inside.
func (s *redacted) Unwrap() Store { return s.Store }

// Redact implements [Redactor].
func (s *redacted) Redact(r *Record) error {
	if inner, ok := As[Redactor](s.Store); ok {
		if err := inner.Redact(r); err != nil {
			return err
		}
	}
	return s.hook(r)
}

// checkRedacted fails if r would still be changed.
func checkRedacted(redactor Redactor, r Record) error {
	before, err := r.AppendJSON(nil)
	if err != nil {
		return err
	}
	changed, err := ParseRecord(bytes.Clone(before)) // the hook may write into what it is given
	if err != nil {
		return err
	}
	if r.Kind == KindSealed {
		changed.Queued = r.Queued
	}
	if err := redactor.Redact(&changed); err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	after, err := changed.AppendJSON(nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		return ErrUnredacted
	}
	return nil
}

func (s *redacted) check(id string, n int, records ...Record) error {
	for i, r := range records {
		if err := checkRedacted(s, r); err != nil {
			return fmt.Errorf("session %q, record %d (%s): %w", id, n+i, r.Kind, err)
		}
	}
	return nil
}

// Append implements [Store].
func (s *redacted) Append(ctx context.Context, id string, at Position, records ...Record) error {
	if err := s.check(id, at.Records, records...); err != nil {
		return err
	}
	return s.Store.Append(ctx, id, at, records...)
}

// Enqueue implements [Inbox].
func (s *redacted) Enqueue(ctx context.Context, id string, input Record) error {
	inbox, err := Need[Inbox](s.Store)
	if err == nil {
		err = s.check(id, 0, input)
	}
	if err != nil {
		return err
	}
	return inbox.Enqueue(ctx, id, input)
}

// Inbox implements [Inbox].
func (s *redacted) Inbox(ctx context.Context, id string, after int64) iter.Seq2[Record, error] {
	inbox, err := Need[Inbox](s.Store)
	if err != nil {
		return failed[Record](err)
	}
	return inbox.Inbox(ctx, id, after)
}

func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// Fork implements [Forker].
func (s *redacted) Fork(ctx context.Context, from string, at Position, to string, start *Start) error {
	forker, err := Need[Forker](s.Store)
	if err != nil {
		return err
	}
	n := 0
	for r, err := range s.Store.Load(ctx, from, Position{Incarnation: at.Incarnation}) {
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

// Import implements [Importer].
func (s *redacted) Import(ctx context.Context, in Session) error {
	importer, err := Need[Importer](s.Store)
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

func (s *redacted) checkBlob(b Blob) error {
	data, err := json.Marshal(struct {
		MediaType string `json:"media_type"`
		Data      []byte `json:"data"`
	}{b.MediaType, b.Data})
	if err == nil {
		err = checkRedacted(s, Record{Kind: KindNote, Note: "blob", Data: data})
	}
	return err
}

// PutBlob implements [Blobs].
func (s *redacted) PutBlob(ctx context.Context, id string, b Blob) (string, error) {
	blobs, err := Need[Blobs](s.Store)
	if err == nil {
		err = s.checkBlob(b)
	}
	if err != nil {
		return "", err
	}
	return blobs.PutBlob(ctx, id, b)
}

// Blob implements [Blobs].
func (s *redacted) Blob(ctx context.Context, id, name string) (Blob, error) {
	blobs, err := Need[Blobs](s.Store)
	if err != nil {
		return Blob{}, err
	}
	return blobs.Blob(ctx, id, name)
}

// Blobs implements [Blobs].
func (s *redacted) Blobs(ctx context.Context, id string) iter.Seq2[Blob, error] {
	blobs, err := Need[Blobs](s.Store)
	if err != nil {
		return failed[Blob](err)
	}
	return blobs.Blobs(ctx, id)
}
