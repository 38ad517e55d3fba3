package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/redact"
)

// Options specify which payloads are stored separately. Nil and the zero Options suit
// most programs.
type Options struct {
	// MinBytes is the minimum length of a string of base64 that is stored separately; 0
	// means 8192. It may be changed later: stored sessions remain readable.
	MinBytes int

	// Lost, if not nil, is called for a record with a payload that is gone or was
	// changed. It returns a record to use instead, so that the records after it can be
	// read. If it returns an error, Load ends as it does without Lost. The record r has
	// the payload's name where the payload was, in Aside and in its text; the record that
	// Lost returns must have none in Aside. To the service the changed conversation is a
	// different one: its cache, and on some models its signed thinking, are valid only up
	// to that record.
	Lost func(r memory.Record, lost *LostError) (memory.Record, error)
}

const defaultMinBytes = 8192

// New returns a store that keeps the payloads of its records separately in store. It also
// reads sessions that were written without it, but sessions written with it can be read
// only with it. It fails with a [*memory.AbilityError] if the store is no [memory.Blobs],
// and for a store that puts payloads aside already.
//
// It belongs outside of the wrappers of package protect: an encrypted record has
// nothing to put aside. Records are redacted before their payloads are put aside;
// [github.com/whorl-go/whorl/memory/protect.Encrypted] encrypts payloads with the session's key, so that
// forks share them and other sessions don't.
func New(store memory.Store, opts *Options) (*Store, error) {
	blobs, err := memory.Need[memory.Blobs](store)
	if err != nil {
		return nil, err
	}
	if _, ok := memory.As[*Store](store); ok {
		return nil, errors.New("blob: the store puts payloads aside already")
	}
	s := &Store{Store: store, blobs: blobs}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.MinBytes <= 0 {
		s.opts.MinBytes = defaultMinBytes
	}
	s.opts.MinBytes = max(s.opts.MinBytes, leastBytes)
	return s, nil
}

// leastBytes is the length of a name, more or less: to put aside less gains nothing.
const leastBytes = 128

// A Store is a [memory.Store] made by [New]. Its other methods are those of the store
// inside.
type Store struct {
	memory.Store // the one inside
	blobs        memory.Blobs
	opts         Options
}

// Unwrap returns the store inside.
func (s *Store) Unwrap() memory.Store { return s.Store }

// hollow takes the payloads out of records.
func (s *Store) hollow(records []memory.Record) ([]memory.Record, []memory.Blob, error) {
	var out []memory.Record
	var blobs []memory.Blob
	redactor, checks := memory.As[memory.Redactor](s.Store) // which won't see the payloads
	for i, r := range records {
		if len(r.Aside) > 0 {
			return nil, nil, fmt.Errorf("record %d of %d (%s): %w", i+1, len(records), r.Kind, errAside)
		}
		thin, found, err := hollow(r, s.opts.MinBytes)
		if err != nil {
			return nil, nil, fmt.Errorf("record %d of %d (%s): %w", i+1, len(records), r.Kind, err)
		}
		if len(found) == 0 {
			continue
		}
		if checks {
			if err := redact.Check(redactor, r); err != nil {
				return nil, nil, fmt.Errorf("record %d of %d (%s): %w", i+1, len(records), r.Kind, err)
			}
		}
		if out == nil {
			out = append(out, records...)
		}
		out[i] = thin
		blobs = append(blobs, found...)
	}
	if out == nil {
		out = records
	}
	return out, blobs, nil
}

var errAside = errors.New("parts of it are blobs already: it was read past the store of package memory/blob; read it through it")

// Append implements [memory.Store]. Payloads are durable before the records that
// need them, or together with them; see [Appender].
func (s *Store) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	records, blobs, err := s.hollow(records)
	if err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	return Append(ctx, s.Store, id, at, blobs, records...)
}

// Enqueue implements [memory.Inbox].
func (s *Store) Enqueue(ctx context.Context, id string, input memory.Record) error {
	inbox, err := memory.Need[memory.Inbox](s.Store)
	if err != nil {
		return err
	}
	records, blobs, err := s.hollow([]memory.Record{input})
	if err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	for _, b := range blobs {
		if _, err := s.blobs.PutBlob(ctx, id, b); err != nil {
			return err
		}
	}
	return inbox.Enqueue(ctx, id, records[0])
}

// Inbox implements [memory.Inbox].
func (s *Store) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		inbox, err := memory.Need[memory.Inbox](s.Store)
		if err != nil {
			yield(memory.Record{}, err)
			return
		}
		for r, err := range inbox.Inbox(ctx, id, after) {
			if err == nil {
				r, err = s.one(ctx, id, r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Import implements [memory.Importer].
func (s *Store) Import(ctx context.Context, in memory.Session) error {
	importer, err := memory.Need[memory.Importer](s.Store)
	if err != nil {
		return err
	}
	var blobs, more []memory.Blob
	if in.Records, blobs, err = s.hollow(in.Records); err == nil {
		in.Inbox, more, err = s.hollow(in.Inbox)
	}
	if err != nil {
		return fmt.Errorf("session %q: %w", in.Info.ID, err)
	}
	have := make(map[string]bool)
	kept := in.Blobs
	in.Blobs = nil
	for _, list := range [][]memory.Blob{blobs, more, kept} {
		for _, b := range list {
			if !have[b.Name] || b.Name == "" {
				in.Blobs = append(in.Blobs, b)
			}
			have[b.Name] = true
		}
	}
	return importer.Import(ctx, in)
}

// PutBlob implements [memory.Blobs].
func (s *Store) PutBlob(ctx context.Context, id string, b memory.Blob) (string, error) {
	return s.blobs.PutBlob(ctx, id, b)
}

// Blob implements [memory.Blobs].
func (s *Store) Blob(ctx context.Context, id, name string) (memory.Blob, error) {
	return s.blobs.Blob(ctx, id, name)
}

// Blobs implements [memory.Blobs]. Payloads are not among them: they are parts of
// the records.
func (s *Store) Blobs(ctx context.Context, id string) iter.Seq2[memory.Blob, error] {
	return func(yield func(memory.Blob, error) bool) {
		for b, err := range s.blobs.Blobs(ctx, id) {
			if err == nil && b.MediaType == PayloadType {
				continue
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// Restore puts the payloads, which are among the session's blobs, back into its records.
// It is for sessions that were not read through the store of [New]. A session without
// payloads is returned unchanged.
func Restore(in memory.Session) (memory.Session, error) {
	payloads := make(map[string]memory.Blob)
	for _, b := range in.Blobs {
		if b.MediaType == PayloadType {
			payloads[b.Name] = b
		}
	}
	get := func(name string) (memory.Blob, error) {
		b, ok := payloads[name]
		if !ok {
			return b, fs.ErrNotExist
		}
		return b, b.Check()
	}
	full := func(records []memory.Record) (out []memory.Record, err error) {
		for i, r := range records {
			if len(r.Aside) == 0 {
				continue
			}
			r, err := fill(r, get)
			if err != nil {
				return nil, fmt.Errorf("session %q: %w", in.Info.ID, &memory.RecordError{Record: i, Err: err})
			}
			if out == nil {
				out = slices.Clone(records)
			}
			out[i] = r
		}
		if out == nil {
			out = records
		}
		return out, nil
	}
	var err error
	if in.Records, err = full(in.Records); err == nil {
		in.Inbox, err = full(in.Inbox)
	}
	if err == nil && len(payloads) > 0 {
		in.Blobs = slices.DeleteFunc(slices.Clone(in.Blobs), func(b memory.Blob) bool { return b.MediaType == PayloadType })
	}
	return in, err
}
