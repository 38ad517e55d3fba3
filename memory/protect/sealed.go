package protect

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/whorl-go/whorl/memory"
)

// A box is the Data of a sealed record.
type box struct {
	V      int         `json:"v,omitempty"`   // sealedVersion, or 0: bound to its position only
	Key    *wrappedKey `json:"key,omitempty"` // on the first record of old sessions: the session's key
	Nonce  []byte      `json:"nonce"`
	Sealed []byte      `json:"sealed"`
}

// sealedVersion is the version of boxes and heads that are bound to a session.
const sealedVersion = 2

// A wrappedKey is a session's key as a keyring wrapped it.
type wrappedKey struct {
	Name    string `json:"name"`
	Wrapped []byte `json:"wrapped"`
	// Nonce and Head are a sealed head; both are missing in old sessions.
	Nonce []byte `json:"nonce,omitempty"`
	Head  []byte `json:"head,omitempty"`
}

// A head says which records of a session were sealed under the identity of
// another. It is sealed with the session's key, so that nobody without it can give
// a session the key or the records of another.
type head struct {
	Lineage []ancestor `json:"lineage,omitempty"`
	// OldInbox is the newest number of messages that may be bound to nothing.
	OldInbox int64 `json:"old_inbox,omitempty"`
}

// An ancestor is where the records up to a position come from.
type ancestor struct {
	ID          string `json:"id"`
	Incarnation string `json:"incarnation"`
	Upto        int    `json:"upto"`
	Old         bool   `json:"old,omitempty"` // they are bound to their position only
}

// A sealer seals and opens what belongs to one session.
type sealer struct {
	aead            cipher.AEAD
	key             []byte
	id, incarnation string
	head            *head // nil in old sessions
}

func newSealer(key []byte, id, incarnation string, h *head) (*sealer, error) {
	aead, err := newAEAD(key)
	return &sealer{aead, key, id, incarnation, h}, err
}

// What is sealed, in its authenticated data.
const (
	sealedRecord = 'r'
	sealedInput  = 'i' // of an inbox
	sealedHead   = 'h'
	sealedBytes  = 'b' // of a blob
)

// bound is authenticated data: what the sealed bytes are, whose, and where.
func bound(what byte, id, incarnation string, n int64) []byte {
	b := make([]byte, 0, 32+len(id)+len(incarnation))
	b = append(b, "whorl\x02"...)
	b = append(b, what)
	for _, s := range []string{id, incarnation} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

// oldBound is the authenticated data of boxes of version 0.
func oldBound(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// oldInput is the position that messages in an inbox had in version 0.
const oldInput = -1

// seal encrypts a record, for a position or a number in the inbox.
func (s *sealer) seal(what byte, n int64, r *memory.Record) (memory.Record, error) {
	plain, err := r.AppendJSON(nil)
	if err != nil {
		return memory.Record{}, err
	}
	b := box{V: sealedVersion, Nonce: s.nonce()}
	b.Sealed = s.aead.Seal(nil, b.Nonce, plain, bound(what, s.id, s.incarnation, n))
	data, err := json.Marshal(b)
	return memory.Record{Kind: memory.KindSealed, Time: r.Time, Queued: r.Queued, Data: data}, err
}

func (s *sealer) nonce() []byte {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce) // never fails
	return nonce
}

// open decrypts the record at position n.
func (s *sealer) open(n int, b box) (memory.Record, error) {
	id, incarnation, old := s.id, s.incarnation, s.head == nil && b.V == 0
	if s.head != nil {
		for _, a := range s.head.Lineage {
			if n < a.Upto {
				id, incarnation, old = a.ID, a.Incarnation, a.Old
				break
			}
		}
	}
	if old {
		return s.decrypt(b, oldBound(int64(n)))
	}
	return s.decrypt(b, bound(sealedRecord, id, incarnation, int64(n)))
}

// openInput decrypts the message of number n of the inbox.
func (s *sealer) openInput(n int64, b box) (memory.Record, error) {
	with := bound(sealedInput, s.id, s.incarnation, n)
	if b.V == 0 && (s.head == nil || n <= s.head.OldInbox) {
		with = oldBound(oldInput)
	}
	r, err := s.decrypt(b, with)
	r.Queued = n
	return r, err
}

func (s *sealer) decrypt(b box, with []byte) (memory.Record, error) {
	if len(b.Nonce) != s.aead.NonceSize() {
		return memory.Record{}, ErrKey
	}
	plain, err := s.aead.Open(nil, b.Nonce, b.Sealed, with)
	if err != nil {
		return memory.Record{}, fmt.Errorf("%w: it was changed, or moved from another place or session", ErrKey)
	}
	return memory.ParseRecord(plain)
}

func unbox(r memory.Record) (box, error) {
	var b box
	if r.Kind != memory.KindSealed {
		return b, errors.New("it is not encrypted: it was not written by this store")
	}
	return b, json.Unmarshal(r.Data, &b)
}

// sealHead writes a session's metadata value: its wrapped key and its head.
func (s *sealer) sealHead(name string, wrapped []byte) (string, error) {
	plain, err := json.Marshal(s.head)
	if err != nil {
		return "", err
	}
	w := wrappedKey{Name: name, Wrapped: wrapped, Nonce: s.nonce()}
	w.Head = s.aead.Seal(nil, w.Nonce, plain, bound(sealedHead, s.id, s.incarnation, 0))
	value, err := json.Marshal(w)
	return string(value), err
}

// openHead reads the head that came with the session's key.
func (s *sealer) openHead(w wrappedKey) error {
	if len(w.Nonce) != s.aead.NonceSize() {
		return ErrKey
	}
	plain, err := s.aead.Open(nil, w.Nonce, w.Head, bound(sealedHead, s.id, s.incarnation, 0))
	if err != nil {
		return fmt.Errorf("%w: its key is that of another session", ErrKey)
	}
	s.head = new(head)
	return json.Unmarshal(plain, s.head)
}

// blobName is the name under which a blob is kept, which tells nobody what it is.
func (s *sealer) blobName(name string) string { return sealedBlob + hex.EncodeToString(s.mac(name)) }

func (s *sealer) mac(name string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("whorl blob\x00" + name))
	return h.Sum(nil)
}

// sealBlob encrypts a blob. The same blob becomes the same bytes, so that a
// session and its forks keep it once; the nonce is of its content.
func (s *sealer) sealBlob(b memory.Blob) (memory.Blob, error) {
	plain, err := json.Marshal(b.MediaType)
	if err != nil {
		return memory.Blob{}, err
	}
	plain = append(append(plain, 0), b.Data...)
	nonce := s.mac(fmt.Sprintf("%x %s", sha256.Sum256(plain), b.Sum()))[:s.aead.NonceSize()]
	name := s.blobName(b.Sum())
	return memory.Blob{Name: name, Data: s.aead.Seal(nonce, nonce, plain, []byte(name))}, nil
}

var errBlob = fmt.Errorf("blob: %w: it was changed, or is another session's: %w", ErrKey, memory.ErrCorrupt)

func (s *sealer) openBlob(b memory.Blob) (memory.Blob, error) {
	n := s.aead.NonceSize()
	if len(b.Data) < n {
		return memory.Blob{}, errBlob
	}
	plain, err := s.aead.Open(nil, b.Data[:n], b.Data[n:], []byte(b.Name))
	if err != nil {
		return memory.Blob{}, errBlob
	}
	out := memory.Blob{}
	for i, c := range plain {
		if c == 0 {
			err = json.Unmarshal(plain[:i], &out.MediaType)
			out.Data = plain[i+1:]
			break
		}
	}
	out.Name = out.Sum()
	return out, err
}

// sealedBlob begins the names of encrypted blobs.
const sealedBlob = "sealed:"
