package memory

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// Encrypted returns store with all records encrypted. Each session has a key of
// its own (AES-256-GCM), which is stored with it, wrapped by the keyring's. A
// record is bound to its position: one that is changed or moved is not read.
//
// Not hidden are ids, metadata, times, and the number and sizes of records. A
// fork shares its parent's key. That the newest records of a session were cut
// off can't be noticed.
func Encrypted(store Store, keys Keyring) *EncryptedStore {
	return &EncryptedStore{Store: store, keys: keys, sealers: make(map[string]cipher.AEAD)}
}

// An EncryptedStore is a [Store] made by [Encrypted].
type EncryptedStore struct {
	Store // the one inside, which has the encrypted records
	keys  Keyring

	mu      sync.Mutex
	sealers map[string]cipher.AEAD // of sessions in use, by id
}

// maxSealers is how many sessions' keys are remembered.
const maxSealers = 4096

// A box is the Data of a sealed record.
type box struct {
	Key    *wrappedKey `json:"key,omitempty"` // on the first record: the session's key
	Nonce  []byte      `json:"nonce"`
	Sealed []byte      `json:"sealed"`
}

type wrappedKey struct {
	Name    string `json:"name"`
	Wrapped []byte `json:"wrapped"`
}

// metaKey is the name of the metadata value that holds a session's key once it
// has been wrapped anew.
const metaKey = "whorl.key"

// Redact implements [Redactor] for a store inside that is one.
func (s *EncryptedStore) Redact(r *Record) error {
	if inner, ok := s.Store.(Redactor); ok {
		return inner.Redact(r)
	}
	return nil
}

// Append implements [Store].
func (s *EncryptedStore) Append(ctx context.Context, id string, n int, records ...Record) error {
	if len(records) == 0 {
		return s.Store.Append(ctx, id, n)
	}
	var key *wrappedKey
	var aead cipher.AEAD
	var err error
	if n > 0 || s.hasKey(ctx, id) {
		aead, err = s.sealer(ctx, id)
	} else {
		key, aead, err = s.newKey(ctx)
	}
	if err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	sealed := make([]Record, len(records))
	for i := range records {
		if sealed[i], err = seal(aead, key, int64(n+i), &records[i]); err != nil {
			return fmt.Errorf("session %q, record %d: %w", id, n+i, err)
		}
		key = nil
	}
	if err := s.Store.Append(ctx, id, n, sealed...); err != nil {
		return err
	}
	s.remember(id, aead)
	return nil
}

// hasKey reports whether an empty session has a key: that of the one it was
// forked from.
func (s *EncryptedStore) hasKey(ctx context.Context, id string) bool {
	info, err := s.Info(ctx, id)
	return err == nil && info.Records == 0 && info.Meta[metaKey] != ""
}

// seal encrypts a record for position at.
func seal(aead cipher.AEAD, key *wrappedKey, at int64, r *Record) (Record, error) {
	plain, err := r.AppendJSON(nil)
	if err != nil {
		return Record{}, err
	}
	b := box{Key: key, Nonce: make([]byte, aead.NonceSize())}
	rand.Read(b.Nonce) // never fails
	b.Sealed = aead.Seal(nil, b.Nonce, plain, position(at))
	data, err := json.Marshal(b)
	return Record{Kind: KindSealed, Time: r.Time, Data: data}, err
}

// position is what a sealed record is bound to. Positions in an inbox are negative.
func position(at int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(at)) }

func open(aead cipher.AEAD, at int64, b box) (Record, error) {
	if len(b.Nonce) != aead.NonceSize() {
		return Record{}, ErrKey
	}
	plain, err := aead.Open(nil, b.Nonce, b.Sealed, position(at))
	if err != nil {
		return Record{}, fmt.Errorf("%w: it was changed, or moved from another place", ErrKey)
	}
	return ParseRecord(plain)
}

func unbox(r Record) (box, error) {
	var b box
	if r.Kind != KindSealed {
		return b, errors.New("it is not encrypted: it was not written by this store")
	}
	return b, json.Unmarshal(r.Data, &b)
}

// Load implements [Store].
func (s *EncryptedStore) Load(ctx context.Context, id string, from int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var aead cipher.AEAD
		n := max(0, from)
		for r, err := range s.Store.Load(ctx, id, from) {
			var b box
			if err == nil {
				if b, err = unbox(r); err == nil && aead == nil {
					aead, err = s.sealer(ctx, id)
				}
				if err == nil {
					r, err = open(aead, int64(n), b)
				}
				if err != nil && n == max(0, from) && s.forget(id) {
					// Another process may have made a new session of that id.
					if aead, err = s.sealer(ctx, id); err == nil {
						r, err = open(aead, int64(n), b)
					}
				}
				if err != nil && ctx.Err() == nil {
					err = fmt.Errorf("session %q: %w", id, &RecordError{Record: n, Err: err})
				}
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
			n++
		}
	}
}

// Send implements [Store].
func (s *EncryptedStore) Send(ctx context.Context, id string, input Record) error {
	aead, err := s.sealer(ctx, id)
	if err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	sealed, err := seal(aead, nil, -1, &input)
	if err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	return s.Store.Send(ctx, id, sealed)
}

// Inbox implements [Store].
func (s *EncryptedStore) Inbox(ctx context.Context, id string, after int64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for sealed, err := range s.Store.Inbox(ctx, id, after) {
			var r Record
			if err == nil {
				if r, err = s.openInput(ctx, id, sealed); err != nil {
					err = fmt.Errorf("session %q, inbox: %w", id, err)
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (s *EncryptedStore) openInput(ctx context.Context, id string, sealed Record) (Record, error) {
	b, err := unbox(sealed)
	if err != nil {
		return Record{}, err
	}
	aead, err := s.sealer(ctx, id)
	if err != nil {
		return Record{}, err
	}
	r, err := open(aead, -1, b)
	r.Queued = sealed.Queued
	return r, err
}

// Fork implements [Store].
func (s *EncryptedStore) Fork(ctx context.Context, from string, n int, to string) error {
	s.forget(to)
	return s.Store.Fork(ctx, from, n, to)
}

// Delete implements [Store].
func (s *EncryptedStore) Delete(ctx context.Context, id string) error {
	s.forget(id)
	return s.Store.Delete(ctx, id)
}

// Rewrap wraps a session's key with the keyring's present key, so that the one
// before it can be thrown away once all sessions are rewrapped. The records stay
// as they are: whoever has an old key and an old copy of the session can read it.
func (s *EncryptedStore) Rewrap(ctx context.Context, id string) error {
	key, err := s.unwrap(ctx, id)
	if err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	w := wrappedKey{}
	if w.Name, w.Wrapped, err = s.keys.Wrap(ctx, key); err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	value, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return s.SetMeta(ctx, id, metaKey, string(value))
}

func (s *EncryptedStore) newKey(ctx context.Context) (*wrappedKey, cipher.AEAD, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	name, wrapped, err := s.keys.Wrap(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := newAEAD(key)
	return &wrappedKey{name, wrapped}, aead, err
}

// sealer is what a session's records are encrypted with.
func (s *EncryptedStore) sealer(ctx context.Context, id string) (cipher.AEAD, error) {
	s.mu.Lock()
	aead := s.sealers[id]
	s.mu.Unlock()
	if aead != nil {
		return aead, nil
	}
	key, err := s.unwrap(ctx, id)
	if err != nil {
		return nil, err
	}
	if aead, err = newAEAD(key); err == nil {
		s.remember(id, aead)
	}
	return aead, err
}

func (s *EncryptedStore) remember(id string, aead cipher.AEAD) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sealers) >= maxSealers {
		clear(s.sealers)
	}
	s.sealers[id] = aead
}

// forget reports whether there was anything to forget.
func (s *EncryptedStore) forget(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.sealers[id]
	delete(s.sealers, id)
	return known
}

// unwrap finds a session's key: in its metadata, or with its first record.
func (s *EncryptedStore) unwrap(ctx context.Context, id string) ([]byte, error) {
	info, err := s.Info(ctx, id)
	if err != nil {
		return nil, err
	}
	var w wrappedKey
	if value := info.Meta[metaKey]; value != "" {
		if err := json.Unmarshal([]byte(value), &w); err != nil {
			return nil, fmt.Errorf("metadata %s: %w", metaKey, err)
		}
		return s.keys.Unwrap(ctx, w.Name, w.Wrapped)
	}
	for r, err := range s.Store.Load(ctx, id, 0) {
		if err != nil {
			return nil, err
		}
		b, err := unbox(r)
		if err == nil && b.Key == nil {
			err = errors.New("its first record lacks the session's key")
		}
		if err != nil {
			return nil, err
		}
		return s.keys.Unwrap(ctx, b.Key.Name, b.Key.Wrapped)
	}
	return nil, errors.New("the session is empty, and has no key yet")
}
