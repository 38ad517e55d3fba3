package protect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/transport"
)

func ring(current string) Keys {
	k := Keys{Current: current, Keys: map[string][]byte{}}
	for _, name := range []string{"a", "b"} {
		k.Keys[name] = bytes.Repeat([]byte(name), 32)
	}
	return k
}

func said(text string) memory.Record {
	return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
}

// texts are what a session says, and the error that ends it.
func texts(t *testing.T, s memory.Store, id string) (string, error) {
	t.Helper()
	var list []string
	for r, err := range s.Load(t.Context(), id, memory.Position{}) {
		if err != nil {
			return strings.Join(list, " "), err
		}
		list = append(list, r.Message.Text())
	}
	return strings.Join(list, " "), nil
}

func inboxTexts(t *testing.T, s *EncryptedStore, id string) (string, error) {
	t.Helper()
	var list []string
	for r, err := range s.Inbox(t.Context(), id, 0) {
		if err != nil {
			return strings.Join(list, " "), err
		}
		list = append(list, fmt.Sprintf("%d:%s", r.Queued, r.Message.Text()))
	}
	return strings.Join(list, " "), nil
}

// oldSession writes a session as v0.1 did: its key is in the first record, and all is
// bound to its place only.
func oldSession(t *testing.T, inside *memory.RAM, id string, records, inbox []string) *sealer {
	t.Helper()
	key := bytes.Repeat([]byte{7}, 32)
	s, err := newSealer(key, id, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	name, wrapped, err := ring("a").Wrap(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	in := memory.Session{Info: memory.Info{ID: id}}
	put := func(text string, with []byte, first bool) memory.Record {
		r := said(text)
		plain, err := r.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		b := box{Nonce: s.nonce()}
		b.Sealed = s.aead.Seal(nil, b.Nonce, plain, with)
		if first {
			b.Key = &wrappedKey{Name: name, Wrapped: wrapped}
		}
		data, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return memory.Record{Kind: memory.KindSealed, Data: data}
	}
	for i, text := range records {
		in.Records = append(in.Records, put(text, oldBound(int64(i)), i == 0))
	}
	for i, text := range inbox {
		r := put(text, oldBound(oldInput), false)
		r.Queued = int64(i + 1)
		in.Inbox = append(in.Inbox, r)
	}
	if err := inside.Import(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return s
}

// Sessions of v0.1 are read, continued and forked, unless they are to be refused; once
// one is rewrapped, it is bound as new ones are, and has no copy of its key under the
// old name.
func TestOldSessions(t *testing.T) {
	ctx, inside := t.Context(), new(memory.RAM)
	oldSession(t, inside, "s", []string{"one", "two"}, []string{"hi", "ho"})
	s := Encrypted(inside, ring("a"))
	if got, err := texts(t, s, "s"); got != "one two" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := s.Append(ctx, "s", memory.Position{Records: 2}, said("three")); err != nil {
		t.Fatal(err)
	}
	strict := Encrypted(inside, ring("a"))
	strict.RefuseUnbound = true
	refused := func(id string) {
		t.Helper()
		if got, err := texts(t, strict, id); got != "" || !errors.Is(err, ErrKey) {
			t.Errorf("%s is not bound, and read as %q: %v", id, got, err)
		}
		if got, err := inboxTexts(t, strict, id); got != "" || !errors.Is(err, ErrKey) {
			t.Errorf("%s is not bound, and its inbox read as %q: %v", id, got, err)
		}
		if err := strict.Append(ctx, id, memory.Position{Records: 3}, said("x")); !errors.Is(err, ErrKey) {
			t.Errorf("%s is not bound, and continued: %v", id, err)
		}
	}
	refused("s")
	for n, want := range []string{"fork", "one fork", "one two fork", "one two three fork"} {
		id := fmt.Sprint("f", n)
		if err := s.Fork(ctx, "s", memory.Position{Records: n}, id, nil); err != nil {
			t.Fatal(err)
		}
		if err := s.Append(ctx, id, memory.Position{Records: n}, said("fork")); err != nil {
			t.Fatal(err)
		}
		for _, store := range []*EncryptedStore{Encrypted(inside, ring("a")), strict} { // it is bound
			if got, err := texts(t, store, id); got != want || err != nil {
				t.Errorf("%s: %q, %v, want %q", id, got, err, want)
			}
		}
	}
	if err := strict.Rewrap(ctx, "s"); err != nil { // which it has to do, to be of use
		t.Fatal(err)
	}
	for name, store := range map[string]*EncryptedStore{"the same": s, "strict": strict, "new": Encrypted(inside, ring("b"))} {
		if got, err := texts(t, store, "s"); got != "one two three" || err != nil {
			t.Errorf("%s, rewrapped: %q, %v", name, got, err)
		}
		if got, err := inboxTexts(t, store, "s"); got != "1:hi 2:ho" || err != nil {
			t.Errorf("%s, its inbox: %q, %v", name, got, err)
		}
	}
	// Its key under another name.
	for store, want := range map[*EncryptedStore]string{Encrypted(inside, ring("b")): "b", s: "a"} {
		if err := store.Rewrap(ctx, "s"); err != nil {
			t.Fatal(err)
		}
		info, err := inside.Info(ctx, "s")
		if err != nil {
			t.Fatal(err)
		}
		var w wrappedKey
		if err := json.Unmarshal([]byte(info.Meta[metaKey]), &w); err != nil || w.Name != want || w.Head == nil {
			t.Errorf("in the metadata %+v, want under %q: %v", w, want, err)
		}
		first, err := s.firstBox(ctx, info)
		if err != nil || first.Key == nil || first.Key.Name != want || first.Key.Head != nil || first.Key.Nonce != nil {
			t.Errorf("in the first record %+v, want under %q alone: %v", first.Key, want, err)
		}
	}
	if info, err := inside.Info(ctx, "s"); err != nil || s.sealers[[2]string{"s", info.Incarnation}] != nil {
		t.Errorf("who has rewrapped it goes on with what there was before: %v", err)
	}
	// What comes after is bound: a message as v0.1 wrote it isn't taken, nor a record.
	for r, err := range inside.Inbox(ctx, "s", 1) {
		if r.Queued = 3; err == nil {
			err = inside.Enqueue(ctx, "s", r)
		}
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if got, err := inboxTexts(t, s, "s"); got != "2:ho" || !errors.Is(err, ErrKey) {
		t.Errorf("a message that is bound to nothing: %q, %v", got, err)
	}
}

// A head that was changed is no head of old times: nothing of the session is read.
func TestChangedHeads(t *testing.T) {
	ctx, inside := t.Context(), new(memory.RAM)
	s := Encrypted(inside, ring("a"))
	for _, id := range []string{"s", "other"} {
		if err := s.Append(ctx, id, memory.Position{}, said("one")); err != nil {
			t.Fatal(err)
		}
	}
	var w, other wrappedKey
	for id, to := range map[string]*wrappedKey{"s": &w, "other": &other} {
		info, err := inside.Info(ctx, id)
		if err == nil {
			err = json.Unmarshal([]byte(info.Meta[metaKey]), to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	flipped := slices.Clone(w.Head)
	flipped[3] ^= 1
	for name, bad := range map[string]wrappedKey{
		"a bit":       {Name: w.Name, Wrapped: w.Wrapped, Nonce: w.Nonce, Head: flipped},
		"no nonce":    {Name: w.Name, Wrapped: w.Wrapped, Head: w.Head},
		"long nonce":  {Name: w.Name, Wrapped: w.Wrapped, Nonce: append(w.Nonce[:len(w.Nonce):len(w.Nonce)], 0), Head: w.Head},
		"other head":  {Name: w.Name, Wrapped: w.Wrapped, Nonce: other.Nonce, Head: other.Head},
		"other key":   {Name: w.Name, Wrapped: other.Wrapped, Nonce: w.Nonce, Head: w.Head},
		"short key":   {Name: w.Name, Wrapped: w.Wrapped[:4], Nonce: w.Nonce, Head: w.Head},
		"of nobody's": {Name: "c", Wrapped: w.Wrapped, Nonce: w.Nonce, Head: w.Head},
	} {
		value, err := json.Marshal(bad)
		if err == nil {
			err = inside.SetMeta(ctx, "s", metaKey, string(value))
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := texts(t, Encrypted(inside, ring("a")), "s"); got != "" || !errors.Is(err, ErrKey) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A session that is empty, and was made without a key, gets it with its first record.
func TestLateKeys(t *testing.T) {
	ctx, inside := t.Context(), new(memory.RAM)
	if err := inside.Append(ctx, "s", memory.Position{Start: &memory.Start{Incarnation: "1"}}); err != nil {
		t.Fatal(err)
	}
	s, late := Encrypted(inside, ring("a")), Encrypted(inside, ring("a"))
	if got, err := texts(t, s, "s"); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, at := range []memory.Position{{Records: 1}, {Incarnation: "2"}} {
		if err := s.Append(ctx, "s", at, said("x")); err == nil {
			t.Errorf("appended at %+v", at)
		}
	}
	if err := s.Append(ctx, "s", memory.Position{}, said("one")); err != nil {
		t.Fatal(err)
	}
	if err := late.Append(ctx, "s", memory.Position{}, said("mine")); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("of two writers the later: %v", err)
	}
	for _, store := range []*EncryptedStore{s, late, Encrypted(inside, ring("a"))} {
		if got, err := texts(t, store, "s"); got != "one" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// acting does something at a step of the store inside.
type acting struct {
	*memory.RAM
	appending func()
	loaded    func()
}

func (s *acting) AppendBlobs(ctx context.Context, id string, at memory.Position, blobs []memory.Blob, records ...memory.Record) error {
	if do := s.appending; do != nil {
		s.appending = nil
		do()
	}
	return s.RAM.AppendBlobs(ctx, id, at, blobs, records...)
}

func (s *acting) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	return s.AppendBlobs(ctx, id, at, nil, records...)
}

func (s *acting) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	list := s.RAM.Load(ctx, id, from)
	return func(yield func(memory.Record, error) bool) {
		for r, err := range list {
			if do := s.loaded; do != nil {
				s.loaded = nil
				do()
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// A session that is replaced while something is sealed or opened is none of damage: the
// key and the place go together.
func TestReplacedMeanwhile(t *testing.T) {
	ctx, inside := t.Context(), &acting{RAM: new(memory.RAM)}
	s := Encrypted(inside, ring("a"))
	begin := func(incarnation string) {
		t.Helper()
		if err := s.Append(ctx, "s", memory.Position{Start: &memory.Start{Incarnation: incarnation}}, said("in "+incarnation)); err != nil {
			t.Fatal(err)
		}
	}
	replace := func() {
		if err := inside.Delete(ctx, "s"); err != nil {
			t.Fatal(err)
		}
		begin("2")
	}
	begin("1")
	inside.appending = replace
	if err := s.Append(ctx, "s", memory.Position{Records: 1}, said("for the first")); !errors.Is(err, memory.ErrReplaced) {
		t.Errorf("appended to another: %v", err)
	}
	if got, err := texts(t, Encrypted(inside, ring("a")), "s"); got != "in 2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := inside.Delete(ctx, "s"); err != nil {
		t.Fatal(err)
	}
	begin("1")
	fresh := Encrypted(inside, ring("a"))
	inside.loaded = replace
	for r, err := range fresh.Load(ctx, "s", memory.Position{Incarnation: "1"}) {
		if !errors.Is(err, memory.ErrReplaced) || errors.Is(err, memory.ErrCorrupt) {
			t.Errorf("%q, %v", r.Message.Text(), err)
		}
	}
	if err := s.Append(ctx, "gone", memory.Position{Incarnation: "1"}, said("x")); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("appended to what is gone: %v", err)
	}
	if _, err := inside.Info(ctx, "gone"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("the append has made it: %v", err)
	}
	if err := s.Fork(ctx, "s", memory.Position{Incarnation: "1", Records: 1}, "f", nil); !errors.Is(err, memory.ErrReplaced) {
		t.Errorf("forked another: %v", err)
	}
}

// Who tries again to begin a session, or is beaten to it by one who begins it as the
// same incarnation, doesn't take the key that was not stored for the session's.
func TestKeysThatWereNotStored(t *testing.T) {
	ctx, inside := t.Context(), new(memory.RAM)
	one, two := Encrypted(inside, ring("a")), Encrypted(inside, ring("a"))
	start := memory.Start{Incarnation: "1", Meta: map[string]string{"k": "v"}}
	if err := one.Append(ctx, "s", memory.Position{Start: &start}, said("mine")); err != nil {
		t.Fatal(err)
	}
	if err := two.Append(ctx, "s", memory.Position{Start: &start}, said("no, mine")); !errors.Is(err, memory.ErrConflict) {
		t.Fatal(err)
	}
	for r, err := range two.Load(ctx, "s", memory.Position{Incarnation: "1"}) {
		if r.Message.Text() != "mine" || err != nil {
			t.Errorf("%q, %v", r.Message.Text(), err)
		}
	}
	if len(start.Meta) != 1 || start.Incarnation != "1" {
		t.Errorf("the caller's start is %+v", start)
	}
}

// Each way by which a blob comes in is checked, and a blob whose bytes were changed is
// refused.
func TestBlobsAreChecked(t *testing.T) {
	ctx := t.Context()
	bad := errors.New("no such pictures")
	inside := Redacted(new(memory.RAM), func(r *memory.Record) error {
		if r.Note == "blob" && strings.Contains(string(r.Data), "image/secret") {
			return bad
		}
		return nil
	})
	s := Encrypted(inside, ring("a"))
	if err := s.Append(ctx, "s", memory.Position{}, said("hi")); err != nil {
		t.Fatal(err)
	}
	secret := memory.Blob{MediaType: "image/secret", Data: []byte("x")}.Named()
	changed := memory.Blob{MediaType: "image/png", Name: secret.Name, Data: []byte("y")}
	for _, tt := range []struct {
		b    memory.Blob
		want error
	}{{secret, bad}, {changed, memory.ErrCorrupt}} {
		if err := blob.Append(ctx, s, "s", memory.Position{Records: 1}, []memory.Blob{tt.b}, said("a")); !errors.Is(err, tt.want) {
			t.Errorf("appended: %v, want %v", err, tt.want)
		}
		if _, err := s.PutBlob(ctx, "s", tt.b); !errors.Is(err, tt.want) {
			t.Errorf("put: %v, want %v", err, tt.want)
		}
		if err := s.Import(ctx, memory.Session{Info: memory.Info{ID: "i"}, Blobs: []memory.Blob{tt.b}}); !errors.Is(err, tt.want) {
			t.Errorf("imported: %v, want %v", err, tt.want)
		}
	}
	if err := Redacted(inside, func(*memory.Record) error { return nil }).(*redacted).Import(ctx,
		memory.Session{Info: memory.Info{ID: "i"}, Blobs: []memory.Blob{secret}}); !errors.Is(err, bad) {
		t.Errorf("imported through an outer hook: %v", err)
	}
}

// An import leaves the caller's lists as they are: they may be those of another store.
func TestImportLeavesTheCallersLists(t *testing.T) {
	in := memory.Session{
		Info:    memory.Info{ID: "s", Meta: map[string]string{"k": "v"}},
		Records: []memory.Record{said("one")},
		Inbox:   []memory.Record{{Kind: memory.KindInput, Message: transport.UserText("two"), Queued: 7}},
		Blobs:   []memory.Blob{memory.Blob{MediaType: "text/plain", Data: []byte("three")}.Named()},
	}
	records, inbox, blobs := slices.Clone(in.Records), slices.Clone(in.Inbox), slices.Clone(in.Blobs)
	s := Encrypted(new(memory.RAM), ring("a"))
	if err := s.Import(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if in.Records[0].Kind != records[0].Kind || in.Inbox[0].Kind != inbox[0].Kind || in.Blobs[0].Name != blobs[0].Name || len(in.Info.Meta) != 1 {
		t.Errorf("the caller has %+v", in)
	}
	if got, err := inboxTexts(t, s, "s"); got != "7:two" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// counting is a keyring of a service that is far away.
type counting struct {
	Keys
	unwrapped *int
}

func (k counting) Unwrap(ctx context.Context, name string, wrapped []byte) ([]byte, error) {
	*k.unwrapped++
	return k.Keys.Unwrap(ctx, name, wrapped)
}

// The keyring is asked once for a session that a process opens, and not at all for one
// that it has begun.
func TestKeysAreUnwrappedOnce(t *testing.T) {
	ctx, inside, n := t.Context(), new(memory.RAM), 0
	begun, err := memory.Create(Encrypted(inside, counting{ring("a"), &n}), "s", nil)
	if err == nil {
		err = errors.Join(begun.Append(ctx, said("1")), begun.Append(ctx, said("2")), begun.Refresh(ctx))
	}
	if err != nil || n != 0 {
		t.Errorf("begun: asked %d times, %v", n, err)
	}
	opened, err := memory.Open(ctx, Encrypted(inside, counting{ring("a"), &n}), "s")
	if err == nil {
		err = errors.Join(opened.Append(ctx, said("3")), opened.Append(ctx, said("4")), opened.Refresh(ctx))
	}
	if err != nil || n != 1 || opened.Len() != 4 {
		t.Errorf("opened: asked %d times, %v", n, err)
	}
	// Messages and blobs don't say of which incarnation they are.
	n = 0
	other := Encrypted(inside, counting{ring("a"), &n})
	for range 3 {
		err = errors.Join(err, other.Enqueue(ctx, "s", said("5")))
		_, put := other.PutBlob(ctx, "s", memory.Blob{Data: []byte("x")})
		for _, blob := range other.Blobs(ctx, "s") {
			put = errors.Join(put, blob)
		}
		for _, read := range other.Inbox(ctx, "s", 0) {
			put = errors.Join(put, read)
		}
		err = errors.Join(err, put)
	}
	if err != nil || n != 1 {
		t.Errorf("messages and blobs: asked %d times, %v", n, err)
	}
}

// Of two hooks the one inside comes first, and each record has been through both.
func TestTwoHooks(t *testing.T) {
	adds := func(word string) func(*memory.Record) error {
		return func(r *memory.Record) error {
			if text := r.Message.Text(); !strings.Contains(text, word) {
				r.Message = transport.UserText(text + word)
			}
			return nil
		}
	}
	s := Redacted(Redacted(new(memory.RAM), adds(" inside")), adds(" outside"))
	log, err := memory.Create(s, "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}); err != nil {
		t.Fatal(err)
	}
	for r, err := range s.Load(t.Context(), "s", memory.Position{}) {
		if err != nil || r.Message.Text() != "hi inside outside" {
			t.Errorf("%q, %v", r.Message.Text(), err)
		}
	}
	refusing := Redacted(Redacted(new(memory.RAM), func(*memory.Record) error { return io.ErrNoProgress }), adds("!"))
	if log, err = memory.Create(refusing, "s", nil); err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("the inner hook refuses: %v", err)
	}
}

// slow is a keyring during whose work something happens.
type slow struct {
	Keys
	meanwhile func()
}

func (k slow) Wrap(ctx context.Context, key []byte) (string, []byte, error) {
	k.meanwhile()
	return k.Keys.Wrap(ctx, key)
}

// A session that took the place of another while that one's key was wrapped keeps its own.
func TestRewrapOfAReplaced(t *testing.T) {
	ctx, inside := t.Context(), new(memory.RAM)
	s := Encrypted(inside, ring("a"))
	if err := s.Append(ctx, "s", memory.Position{}, said("old")); err != nil {
		t.Fatal(err)
	}
	err := Encrypted(inside, slow{ring("b"), func() {
		if err := errors.Join(s.Delete(ctx, "s"), s.Append(ctx, "s", memory.Position{}, said("new"))); err != nil {
			t.Error(err)
		}
	}}).Rewrap(ctx, "s")
	if !errors.Is(err, memory.ErrReplaced) {
		t.Errorf("rewrapped: %v", err)
	}
	if got, err := texts(t, Encrypted(inside, ring("a")), "s"); err != nil || got != "new" {
		t.Errorf("it has %q, %v", got, err)
	}
}
