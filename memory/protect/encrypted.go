package protect

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/internal/redact"
	"github.com/whorl-go/whorl/memory/search"
)

// Encrypted returns store with all records, messages and blobs encrypted. Each session
// has a key of its own (AES-256-GCM), which is stored in the session's metadata,
// wrapped by a key of the keyring. A record is bound to its session, by id and
// incarnation, and to its position; a message is bound to its number in the inbox. A
// record that was changed, or moved or copied to another position or session, can't be
// read.
//
// Ids, metadata, times, and the number and sizes of records and blobs are not hidden. A
// fork shares the key of its origin. The store can't detect that the newest records of
// a session were cut off, or that a whole session was replaced by an older copy of
// itself. The records of sessions written by v0.1 are bound to their positions only,
// until [EncryptedStore.Rewrap] binds them to the session; see
// [EncryptedStore.RefuseUnbound].
func Encrypted(store memory.Store, keys Keyring) *EncryptedStore {
	return &EncryptedStore{Store: store, keys: keys, sealers: make(map[[2]string]*sealer)}
}

// An EncryptedStore is a [memory.Store] that encrypts sessions; see [Encrypted].
type EncryptedStore struct {
	memory.Store // the wrapped store, which has the encrypted records

	// RefuseUnbound refuses sessions written by v0.1 that have not been rewrapped
	// since. Set it once all of them are rewrapped: until then whoever can write to the
	// database can replace the records of such a session with those of another one.
	RefuseUnbound bool

	keys Keyring

	mu      sync.Mutex
	sealers map[[2]string]*sealer // of sessions in use, by id and incarnation
}

// maxSealers is how many sessions' keys are remembered.
const maxSealers = 4096

// metaKey is the name of the metadata value that holds a session's key.
const metaKey = "whorl.key"

// Unwrap returns the wrapped store.
func (s *EncryptedStore) Unwrap() memory.Store { return s.Store }

// check fails for records that a redaction hook inside would still change: it
// can't see them there.
func (s *EncryptedStore) check(records ...memory.Record) error {
	redactor, ok := memory.As[memory.Redactor](s.Store)
	if !ok {
		return nil
	}
	for i, r := range records {
		if err := redact.Check(redactor, r); err != nil {
			return fmt.Errorf("record %d of %d (%s): %w", i+1, len(records), r.Kind, err)
		}
	}
	return nil
}

// Append implements [memory.Store].
func (s *EncryptedStore) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	return s.AppendBlobs(ctx, id, at, nil, records...)
}

// AppendBlobs implements [blob.Appender].
func (s *EncryptedStore) AppendBlobs(ctx context.Context, id string, at memory.Position, blobs []memory.Blob, records ...memory.Record) error {
	for _, b := range blobs {
		if err := errors.Join(b.Check(), s.checkBlob(b)); err != nil {
			return fmt.Errorf("session %q: %w", id, err)
		}
	}
	sealed, box, at, made, err := s.prepare(ctx, id, at, records)
	sealedBlobs := make([]memory.Blob, len(blobs))
	for i, b := range blobs {
		if err == nil {
			sealedBlobs[i], err = box.sealBlob(b)
		}
	}
	if err != nil {
		return fmt.Errorf("session %q: %w", id, err)
	}
	if err := blob.Append(ctx, s.Store, id, at, sealedBlobs, sealed...); err != nil {
		return err
	}
	if made != nil {
		s.remember(made)
	}
	return nil
}

// prepare seals records for a position, and returns what seals. For a new session it
// is made.
func (s *EncryptedStore) prepare(ctx context.Context, id string, at memory.Position, records []memory.Record) (_ []memory.Record, box *sealer, _ memory.Position, made *sealer, err error) {
	if err := s.check(records...); err != nil {
		return nil, nil, at, nil, err
	}
	var first *wrappedKey // the key of a session that is empty and has none
	if at.Start == nil {
		box, err = s.sealer(ctx, id, at.Incarnation)
		if errors.Is(err, errNoKey) && at.Records == 0 {
			box, first, err = s.lateKey(ctx, id, at.Incarnation)
			made = box
		}
		if errors.Is(err, memory.ErrNoSession) && at.Records == 0 && at.Incarnation == "" {
			at.Start, err = &memory.Start{}, nil
		}
		if err != nil {
			return nil, nil, at, nil, err
		}
	}
	if at.Start != nil {
		start := *at.Start
		start.Incarnation = cmp.Or(start.Incarnation, rand.Text())
		var value string
		if box, value, err = s.newSealer(ctx, id, start.Incarnation); err != nil {
			return nil, nil, at, nil, err
		}
		start.Meta = setMeta(start.Meta, metaKey, value)
		at.Start, made = &start, box
	} else {
		at.Incarnation = box.incarnation
	}
	sealed, err := box.sealAll(at.Records, records)
	if err == nil && first != nil && len(sealed) > 0 {
		err = setKey(&sealed[0], first)
	}
	return sealed, box, at, made, err
}

// errNoKey is the error of [EncryptedStore.unwrap] for a session without records
// and without a key, as v0.1 and the store inside can make them.
var errNoKey = fmt.Errorf("%w: the session is empty, and has no key", ErrKey)

// lateKey makes the key of such a session. It is stored with its first record, so
// that of two writers one is refused with its key.
func (s *EncryptedStore) lateKey(ctx context.Context, id, incarnation string) (*sealer, *wrappedKey, error) {
	if incarnation == "" {
		info, err := s.Store.Info(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		incarnation = info.Incarnation
	}
	box, value, err := s.newSealer(ctx, id, incarnation)
	if err != nil {
		return nil, nil, err
	}
	w := new(wrappedKey)
	return box, w, json.Unmarshal([]byte(value), w)
}

// setKey puts a session's key into a sealed record.
func setKey(r *memory.Record, w *wrappedKey) error {
	b, err := unbox(*r)
	if err == nil {
		b.Key = w
		r.Data, err = json.Marshal(b)
	}
	return err
}

func (s *sealer) sealAll(n int, records []memory.Record) (sealed []memory.Record, err error) {
	sealed = make([]memory.Record, len(records))
	for i := range records {
		if sealed[i], err = s.seal(sealedRecord, int64(n+i), &records[i]); err != nil {
			return nil, fmt.Errorf("record %d: %w", n+i, err)
		}
	}
	return sealed, nil
}

// Load implements [memory.Store].
func (s *EncryptedStore) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		var box *sealer
		n := max(0, from.Records)
		for r, err := range s.Store.Load(ctx, id, from) {
			if err == nil && box == nil {
				if box, err = s.sealer(ctx, id, from.Incarnation); errors.Is(err, ErrKey) {
					err = fmt.Errorf("session %q: %w", id, &memory.RecordError{Record: n, Err: err})
				}
			}
			if err == nil {
				r, err = s.openRecord(box, n, r)
				if err != nil && ctx.Err() == nil {
					err = fmt.Errorf("session %q: %w", id, &memory.RecordError{Record: n, Err: err})
				}
			}
			if !yield(r, err) || err != nil {
				return
			}
			n++
		}
	}
}

func (s *EncryptedStore) openRecord(box *sealer, n int, r memory.Record) (memory.Record, error) {
	b, err := unbox(r)
	if err != nil {
		return memory.Record{}, err
	}
	return box.open(n, b)
}

// Info implements [memory.Store].
func (s *EncryptedStore) Info(ctx context.Context, id string) (memory.Info, error) {
	info, err := s.Store.Info(ctx, id)
	return withoutKey(info), err
}

func withoutKey(info memory.Info) memory.Info {
	if _, ok := info.Meta[metaKey]; ok {
		info.Meta = setMeta(info.Meta, metaKey, "")
	}
	return info
}

func withoutKeys(infos iter.Seq2[memory.Info, error]) iter.Seq2[memory.Info, error] {
	return func(yield func(memory.Info, error) bool) {
		for info, err := range infos {
			if !yield(withoutKey(info), err) {
				return
			}
		}
	}
}

// List implements [memory.Store].
func (s *EncryptedStore) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return withoutKeys(s.Store.List(ctx, q))
}

// Due implements [memory.Waker].
func (s *EncryptedStore) Due(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	waker, err := memory.Need[memory.Waker](s.Store)
	if err != nil {
		return failed[memory.Info](err)
	}
	return withoutKeys(waker.Due(ctx, q))
}

// Wake implements [memory.Waker].
func (s *EncryptedStore) Wake(ctx context.Context, id string, at time.Time) error {
	waker, err := memory.Need[memory.Waker](s.Store)
	if err != nil {
		return err
	}
	return waker.Wake(ctx, id, at)
}

// SetMeta implements [memory.MetaSetter].
func (s *EncryptedStore) SetMeta(ctx context.Context, id, key, value string) error {
	setter, err := memory.Need[memory.MetaSetter](s.Store)
	if err == nil && key == metaKey {
		err = fmt.Errorf("session %q: the metadata value %s is the session's key", id, metaKey)
	}
	if err != nil {
		return err
	}
	return setter.SetMeta(ctx, id, key, value)
}

// Search fails: encrypted sessions can't be searched.
func (s *EncryptedStore) Search(ctx context.Context, q search.Query) ([]search.Match, error) {
	return nil, &memory.AbilityError{Ability: "search.Searcher", Store: "*protect.EncryptedStore"}
}

// newSealer makes a session's key, and the metadata value that holds it.
func (s *EncryptedStore) newSealer(ctx context.Context, id, incarnation string) (*sealer, string, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	name, wrapped, err := s.keys.Wrap(ctx, key)
	if err != nil {
		return nil, "", err
	}
	box, err := newSealer(key, id, incarnation, &head{})
	if err != nil {
		return nil, "", err
	}
	value, err := box.sealHead(name, wrapped)
	return box, value, err
}

// sealer is that of a session; an empty incarnation is the present one.
func (s *EncryptedStore) sealer(ctx context.Context, id, incarnation string) (*sealer, error) {
	if box := s.remembered(id, incarnation); box != nil {
		return box, nil
	}
	info, err := s.Store.Info(ctx, id)
	if err != nil {
		return nil, err
	}
	if incarnation != "" && info.Incarnation != incarnation {
		return nil, memory.ErrReplaced
	}
	if box := s.remembered(id, info.Incarnation); box != nil {
		return box, nil
	}
	box, _, err := s.unwrap(ctx, info)
	if err == nil {
		s.remember(box)
	}
	return box, err
}

func (s *EncryptedStore) remember(box *sealer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sealers) >= maxSealers {
		clear(s.sealers)
	}
	s.sealers[[2]string{box.id, box.incarnation}] = box
}

func (s *EncryptedStore) remembered(id, incarnation string) *sealer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealers[[2]string{id, incarnation}]
}

func (s *EncryptedStore) forget(id, incarnation string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sealers, [2]string{id, incarnation})
}

// unwrap reads a session's key: from its metadata, or in old sessions from its
// first record.
func (s *EncryptedStore) unwrap(ctx context.Context, info memory.Info) (*sealer, wrappedKey, error) {
	var w wrappedKey
	if value := info.Meta[metaKey]; value != "" {
		if err := json.Unmarshal([]byte(value), &w); err != nil {
			return nil, w, fmt.Errorf("metadata %s: %w", metaKey, err)
		}
	} else {
		first, err := s.firstBox(ctx, info)
		if err == nil && first.Key == nil {
			err = fmt.Errorf("%w: the session's key is missing", ErrKey)
		}
		if err != nil {
			return nil, w, err
		}
		w = *first.Key
	}
	if w.Head == nil && s.RefuseUnbound {
		return nil, w, fmt.Errorf("%w: the session was written by v0.1; bind it with EncryptedStore.Rewrap", ErrKey)
	}
	key, err := s.keys.Unwrap(ctx, w.Name, w.Wrapped)
	if err != nil {
		return nil, w, err
	}
	box, err := newSealer(key, info.ID, info.Incarnation, nil)
	if err == nil && w.Head != nil {
		err = box.openHead(w)
	}
	return box, w, err
}

func (s *EncryptedStore) firstBox(ctx context.Context, info memory.Info) (box, error) {
	for r, err := range s.Store.Load(ctx, info.ID, memory.Position{Incarnation: info.Incarnation}) {
		if err != nil {
			return box{}, err
		}
		return unbox(r)
	}
	return box{}, errNoKey
}
