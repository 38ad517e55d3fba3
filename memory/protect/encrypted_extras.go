package protect

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
)

// Enqueue implements [memory.Inbox].
func (s *EncryptedStore) Enqueue(ctx context.Context, id string, input memory.Record) error {
	inbox, err := memory.Need[memory.Inbox](s.Store)
	if err == nil {
		err = s.check(input)
	}
	if err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	const tries = 1000 // of those that send at the same time one is faster
	chosen := input.Queued != 0
	for try := 0; ; try++ {
		info, err := s.Store.Info(ctx, id)
		if err != nil {
			return err
		}
		box, err := s.sealer(ctx, id, info.Incarnation)
		if err != nil {
			return fmt.Errorf("session %q: %w", id, err)
		}
		if !chosen { // the message is bound to its number
			input.Queued = max(info.Queued+1, time.Now().UnixNano())
		}
		sealed, err := box.seal(sealedInput, input.Queued, &input)
		if err != nil {
			return fmt.Errorf("session %q: %w", id, err)
		}
		if err = inbox.Enqueue(ctx, id, sealed); chosen || try == tries || !errors.Is(err, memory.ErrConflict) {
			return err
		}
	}
}

// Inbox implements [memory.Inbox].
func (s *EncryptedStore) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	inbox, err := memory.Need[memory.Inbox](s.Store)
	if err != nil {
		return failed[memory.Record](err)
	}
	return func(yield func(memory.Record, error) bool) {
		for sealed, err := range inbox.Inbox(ctx, id, after) {
			var r memory.Record
			if err == nil {
				if r, err = s.openInput(ctx, id, sealed); err != nil {
					err = fmt.Errorf("session %q, message %d of its inbox: %w", id, sealed.Queued, err)
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (s *EncryptedStore) openInput(ctx context.Context, id string, sealed memory.Record) (memory.Record, error) {
	b, err := unbox(sealed)
	if err != nil {
		return memory.Record{}, err
	}
	box, err := s.sealer(ctx, id, "")
	if err != nil {
		return memory.Record{}, err
	}
	return box.openInput(sealed.Queued, b)
}

// Fork implements [memory.Forker].
func (s *EncryptedStore) Fork(ctx context.Context, from string, at memory.Position, to string, start *memory.Start) error {
	forker, err := memory.Need[memory.Forker](s.Store)
	if err != nil {
		return err
	}
	info, err := s.Store.Info(ctx, from)
	if err != nil {
		return err
	}
	if at.Incarnation != "" && at.Incarnation != info.Incarnation {
		return fmt.Errorf("session %q: %w", from, memory.ErrReplaced)
	}
	at.Incarnation = info.Incarnation
	if err := s.checkLoaded(ctx, from, at); err != nil {
		return err
	}
	box, w, err := s.unwrap(ctx, info)
	if err != nil {
		return fmt.Errorf("session %q: %w", from, err)
	}
	var begin memory.Start
	if start != nil {
		begin = *start
	}
	begin.Incarnation = cmp.Or(begin.Incarnation, rand.Text())
	lineage, err := s.lineage(ctx, box, at.Records)
	if err != nil {
		return fmt.Errorf("session %q: %w", from, err)
	}
	fork, err := newSealer(box.key, to, begin.Incarnation, &head{Lineage: lineage})
	if err != nil {
		return fmt.Errorf("session %q: %w", to, err)
	}
	value, err := fork.sealHead(w.Name, w.Wrapped)
	if err != nil {
		return fmt.Errorf("session %q: %w", to, err)
	}
	begin.Meta = setMeta(begin.Meta, metaKey, value)
	return forker.Fork(ctx, from, at, to, &begin)
}

// checkLoaded is check for what is stored already.
func (s *EncryptedStore) checkLoaded(ctx context.Context, id string, upto memory.Position) error {
	if _, ok := memory.As[memory.Redactor](s.Store); !ok {
		return nil
	}
	n := 0
	for r, err := range s.Load(ctx, id, memory.Position{Incarnation: upto.Incarnation}) {
		if n >= upto.Records {
			break
		}
		if err == nil {
			err = s.check(r)
		}
		if err != nil {
			return fmt.Errorf("session %q, record %d: %w", id, n, err)
		}
		n++
	}
	return nil
}

// lineage says where the first n records of a session come from.
func (s *EncryptedStore) lineage(ctx context.Context, box *sealer, n int) ([]ancestor, error) {
	var list []ancestor
	own := ancestor{ID: box.id, Incarnation: box.incarnation, Upto: n}
	if box.head != nil {
		for _, a := range box.head.Lineage {
			if a.Upto = min(a.Upto, n); a.Upto > 0 {
				list = append(list, a)
			}
		}
	} else if old, err := s.unbound(ctx, box, n); err != nil {
		return nil, err
	} else if old > 0 {
		list = []ancestor{{Upto: old, Old: true}}
	}
	if n > 0 && (len(list) == 0 || list[len(list)-1].Upto < n) {
		list = append(list, own)
	}
	return list, nil
}

// unbound is how many of the first n records of an old session are bound to their
// position only.
func (s *EncryptedStore) unbound(ctx context.Context, b *sealer, n int) (int, error) {
	i := 0
	for r, err := range s.Store.Load(ctx, b.id, memory.Position{Incarnation: b.incarnation}) {
		if err != nil {
			return 0, err
		}
		box, err := unbox(r)
		if i == n || err == nil && box.V != 0 {
			break
		}
		if err != nil {
			return 0, err
		}
		i++
	}
	return i, nil
}

// Import implements [memory.Importer].
func (s *EncryptedStore) Import(ctx context.Context, in memory.Session) error {
	importer, err := memory.Need[memory.Importer](s.Store)
	if err == nil {
		err = s.check(slices.Concat(in.Records, in.Inbox)...)
	}
	for _, b := range in.Blobs {
		if err == nil {
			err = b.Check()
		}
		if err == nil {
			err = s.checkBlob(b)
		}
	}
	if err != nil {
		return fmt.Errorf("session %q: %w", in.Info.ID, err)
	}
	in.Info.Incarnation = cmp.Or(in.Info.Incarnation, rand.Text())
	box, value, err := s.newSealer(ctx, in.Info.ID, in.Info.Incarnation)
	if err != nil {
		return fmt.Errorf("session %q: %w", in.Info.ID, err)
	}
	in.Info.Meta = setMeta(in.Info.Meta, metaKey, value)
	if in.Records, err = box.sealAll(0, in.Records); err != nil {
		return fmt.Errorf("session %q: %w", in.Info.ID, err)
	}
	in.Inbox, in.Blobs = slices.Clone(in.Inbox), slices.Clone(in.Blobs)
	for i, r := range in.Inbox {
		if in.Inbox[i], err = box.seal(sealedInput, r.Queued, &r); err != nil {
			return fmt.Errorf("session %q: %w", in.Info.ID, err)
		}
	}
	for i, b := range in.Blobs {
		if in.Blobs[i], err = box.sealBlob(b); err != nil {
			return fmt.Errorf("session %q: %w", in.Info.ID, err)
		}
	}
	return importer.Import(ctx, in)
}

func (s *EncryptedStore) checkBlob(b memory.Blob) error {
	if inner, ok := memory.As[*redacted](s.Store); ok {
		return inner.checkBlob(b)
	}
	return nil
}

// PutBlob implements [memory.Blobs].
func (s *EncryptedStore) PutBlob(ctx context.Context, id string, b memory.Blob) (string, error) {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err == nil && b.Name != "" {
		err = b.Check()
	}
	if err == nil {
		err = s.checkBlob(b)
	}
	var box *sealer
	if err == nil {
		box, err = s.sealer(ctx, id, "")
	}
	var sealed memory.Blob
	if err == nil {
		sealed, err = box.sealBlob(b)
	}
	if err != nil {
		return "", fmt.Errorf("session %q: %w", id, err)
	}
	if _, err := blobs.PutBlob(ctx, id, sealed); err != nil {
		return "", err
	}
	return b.Sum(), nil
}

// Blob implements [memory.Blobs].
func (s *EncryptedStore) Blob(ctx context.Context, id, name string) (memory.Blob, error) {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err != nil {
		return memory.Blob{}, err
	}
	for up := id; up != ""; {
		info, err := s.Store.Info(ctx, up)
		if err != nil {
			return memory.Blob{}, err
		}
		box, err := s.sealer(ctx, up, info.Incarnation)
		if err != nil {
			return memory.Blob{}, fmt.Errorf("session %q: %w", up, err)
		}
		sealed, err := blobs.Blob(ctx, up, box.blobName(name))
		if err == nil {
			return box.openBlob(sealed)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return memory.Blob{}, err
		}
		up = info.Parent // it has another key
	}
	return memory.Blob{}, fmt.Errorf("session %q: blob %q: %w", id, name, fs.ErrNotExist)
}

// FetchBlobs implements [blob.Fetcher].
func (s *EncryptedStore) FetchBlobs(ctx context.Context, id string, names []string) iter.Seq2[memory.Blob, error] {
	return func(yield func(memory.Blob, error) bool) {
		inside, ok := s.Store.(blob.Fetcher)
		if !ok {
			return
		}
		box, err := s.sealer(ctx, id, "")
		if err != nil {
			yield(memory.Blob{}, fmt.Errorf("session %q: %w", id, err))
			return
		}
		sealed := make([]string, len(names))
		for i, name := range names {
			sealed[i] = box.blobName(name)
		}
		for b, err := range inside.FetchBlobs(ctx, id, sealed) {
			if err == nil {
				if b, err = box.openBlob(b); err != nil {
					continue // it can't be read
				}
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// Blobs implements [memory.Blobs].
func (s *EncryptedStore) Blobs(ctx context.Context, id string) iter.Seq2[memory.Blob, error] {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err != nil {
		return failed[memory.Blob](err)
	}
	return func(yield func(memory.Blob, error) bool) {
		box, err := s.sealer(ctx, id, "")
		if err != nil {
			yield(memory.Blob{}, fmt.Errorf("session %q: %w", id, err))
			return
		}
		for b, err := range blobs.Blobs(ctx, id) {
			if err == nil {
				b, err = box.openBlob(b)
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// A replacer can replace what an encrypted record is wrapped in.
type replacer interface {
	ReplaceSealed(ctx context.Context, id string, n int, r memory.Record) error
}

// Rewrap wraps a session's key with the keyring's current key. The session then has no
// copy of its key that the previous key wrapped, so the previous key can be deleted
// once all sessions are rewrapped. Rewrap also binds a session written by v0.1 to its
// id.
//
// The records are not encrypted again. Anyone who has an old key and an old copy of the
// database, or of a page that the database has not overwritten yet, can read the
// session and what is appended to it later. If that matters, copy the session to a new
// one with package memory/transfer.
func (s *EncryptedStore) Rewrap(ctx context.Context, id string) error {
	if err := s.rewrap(ctx, id); err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	return nil
}

func (s *EncryptedStore) rewrap(ctx context.Context, id string) error {
	setter, err := memory.Need[memory.MetaSetter](s.Store)
	if err != nil {
		return err
	}
	info, err := s.Store.Info(ctx, id)
	if err != nil {
		return err
	}
	open := Encrypted(s.Store, s.keys) // that refuses nothing
	box, _, err := open.unwrap(ctx, info)
	if err != nil {
		return err
	}
	if box.head == nil {
		old, err := s.unbound(ctx, box, info.Records)
		if err != nil {
			return err
		}
		box.head = &head{OldInbox: info.Queued}
		if old > 0 {
			box.head.Lineage = []ancestor{{Upto: old, Old: true}}
		}
	}
	name, wrapped, err := s.keys.Wrap(ctx, box.key)
	if err != nil {
		return err
	}
	value, err := box.sealHead(name, wrapped)
	if err != nil {
		return err
	}
	// A keyring may take its time. A session that was begun meanwhile would lose its key.
	if now, err := s.Store.Info(ctx, id); err != nil {
		return err
	} else if now.Incarnation != info.Incarnation {
		return memory.ErrReplaced
	}
	if err := setter.SetMeta(ctx, id, metaKey, value); err != nil {
		return err
	}
	s.forget(id, info.Incarnation)
	if info.Records == 0 {
		return nil
	}
	var w wrappedKey
	if err := json.Unmarshal([]byte(value), &w); err != nil {
		return err
	}
	return s.rewrapFirst(ctx, info, w)
}

// rewrapFirst replaces the key that old sessions have in their first record, which
// forks that were not rewrapped yet need.
func (s *EncryptedStore) rewrapFirst(ctx context.Context, info memory.Info, w wrappedKey) error {
	for r, err := range s.Store.Load(ctx, info.ID, memory.Position{Incarnation: info.Incarnation}) {
		if err != nil {
			return err
		}
		b, err := unbox(r)
		if err != nil || b.Key == nil {
			return err
		}
		replacer, err := memory.Need[replacer](s.Store)
		if err != nil {
			return fmt.Errorf("its first record still has the key as %q wrapped it: %w", b.Key.Name, err)
		}
		if b.Key.Head == nil {
			w.Nonce, w.Head = nil, nil // forks that were not rewrapped have other heads
		}
		if err := setKey(&r, &w); err != nil {
			return err
		}
		return replacer.ReplaceSealed(ctx, info.ID, 0, r)
	}
	return nil
}
