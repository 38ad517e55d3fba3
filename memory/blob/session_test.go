package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/transport"
)

func all[T any](t *testing.T, seq iter.Seq2[T, error]) (list []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// sessionOf is all that a store has of a session, as it lies there.
func sessionOf(t *testing.T, s *memory.RAM, id string) memory.Session {
	t.Helper()
	info, err := s.Info(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return memory.Session{Info: info, Records: all(t, s.Load(t.Context(), id, memory.Position{})), Inbox: all(t, s.Inbox(t.Context(), id, 0)), Blobs: all(t, s.Blobs(t.Context(), id))}
}

func decision(n int) memory.Record {
	return memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "c", Hash: "h", Input: picture(n).Message.Content[0].Raw()}}
}

// Restore puts the payloads back into the records and into the inbox, leaves other blobs,
// and changes nothing of what it is given.
func TestRestore(t *testing.T) {
	inside := new(memory.RAM)
	s := wrap(t, inside, nil)
	records, queued := []memory.Record{picture(1), {Kind: memory.KindInput, Message: transport.UserText("hi")}, decision(2)}, picture(3)
	err := errors.Join(s.Append(t.Context(), "s", memory.Position{}, records...), s.Enqueue(t.Context(), "s", queued))
	if err == nil {
		_, err = s.PutBlob(t.Context(), "s", memory.Blob{MediaType: "text/plain", Data: []byte("kept")})
	}
	if err != nil {
		t.Fatal(err)
	}
	in := sessionOf(t, inside, "s")
	texts1, texts2, blobs := texts(t, in.Records), texts(t, in.Inbox), len(in.Blobs)
	out, err := blob.Restore(in)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := texts(t, out.Records), texts(t, records); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%.200s\nwant %.200s", got, want)
	}
	if len(out.Inbox) != 1 || !bytes.Equal(out.Inbox[0].Message.Content[0].Raw(), queued.Message.Content[0].Raw()) || len(out.Inbox[0].Aside) > 0 {
		t.Errorf("the inbox is %.200s", texts(t, out.Inbox))
	}
	if len(out.Blobs) != 1 || string(out.Blobs[0].Data) != "kept" {
		t.Errorf("%d blobs are left", len(out.Blobs))
	}
	if strings.Join(texts(t, in.Records), "") != strings.Join(texts1, "") || strings.Join(texts(t, in.Inbox), "") != strings.Join(texts2, "") {
		t.Error("the records that were given are others")
	}
	if len(in.Blobs) != blobs || blobs != 4 {
		t.Errorf("%d blobs", blobs)
	}
	for _, b := range in.Blobs {
		if b.Name == "" || b.Check() != nil {
			t.Errorf("a blob that was given is %+v", b)
		}
	}
	for i, lacks := range in.Blobs {
		if lacks.MediaType != blob.PayloadType {
			continue
		}
		less := in
		less.Blobs = append(append([]memory.Blob(nil), in.Blobs[:i]...), in.Blobs[i+1:]...)
		var lost *blob.LostError
		if _, err := blob.Restore(less); !errors.As(err, &lost) || lost.Name != lacks.Name || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", lacks.Name, err)
		}
	}
}

// To read a session changes nothing of what the store inside has.
func TestLoadChangesNothing(t *testing.T) {
	inside := new(memory.RAM)
	s := wrap(t, inside, nil)
	if err := errors.Join(s.Append(t.Context(), "s", memory.Position{}, picture(1), decision(2)), s.Enqueue(t.Context(), "s", picture(3))); err != nil {
		t.Fatal(err)
	}
	before := sessionOf(t, inside, "s")
	want := strings.Join(append(texts(t, before.Records), texts(t, before.Inbox)...), "\n")
	for range 2 {
		all(t, s.Load(t.Context(), "s", memory.Position{}))
		all(t, s.Inbox(t.Context(), "s", 0))
	}
	after := sessionOf(t, inside, "s")
	if got := strings.Join(append(texts(t, after.Records), texts(t, after.Inbox)...), "\n"); got != want {
		t.Errorf("%.300s\nwant %.300s", got, want)
	}
}

// A record that was read past the store names payloads that the session which it goes to
// may not have: it is refused, whichever way it comes.
func TestReadPastTheStore(t *testing.T) {
	inside := new(memory.RAM)
	s := wrap(t, inside, nil)
	if err := s.Append(t.Context(), "s", memory.Position{}, picture(1)); err != nil {
		t.Fatal(err)
	}
	hollow := all(t, inside.Load(t.Context(), "s", memory.Position{}))
	for way, err := range map[string]error{
		"append":       s.Append(t.Context(), "other", memory.Position{}, hollow...),
		"enqueue":      s.Enqueue(t.Context(), "s", hollow[0]),
		"import":       s.Import(t.Context(), memory.Session{Info: memory.Info{ID: "other"}, Records: hollow}),
		"import inbox": s.Import(t.Context(), memory.Session{Info: memory.Info{ID: "other"}, Inbox: hollow}),
	} {
		if err == nil || !strings.Contains(err.Error(), "read past the store") {
			t.Errorf("%s: %v", way, err)
		}
	}
	if _, err := inside.Info(t.Context(), "other"); !errors.Is(err, memory.ErrNoSession) || len(all(t, inside.Inbox(t.Context(), "s", 0))) > 0 {
		t.Errorf("something is there: %v", err)
	}
}

// What is imported has its inbox with the payloads, and all its blobs.
func TestImportKeepsAll(t *testing.T) {
	inside := new(memory.RAM)
	s := wrap(t, inside, nil)
	queued := picture(2)
	queued.Queued = 7
	in := memory.Session{Info: memory.Info{ID: "s"}, Records: []memory.Record{picture(1)}, Inbox: []memory.Record{queued}, Blobs: []memory.Blob{
		memory.Blob{MediaType: "text/plain", Data: []byte("one")}.Named(), memory.Blob{MediaType: "text/plain", Data: []byte("two")}.Named(),
	}}
	if err := s.Import(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if got := all(t, s.Load(t.Context(), "s", memory.Position{})); len(got) != 1 || texts(t, got)[0] != texts(t, in.Records)[0] {
		t.Errorf("the records are %.200s", texts(t, got))
	}
	if got := all(t, s.Inbox(t.Context(), "s", 0)); len(got) != 1 || !bytes.Equal(got[0].Message.Content[0].Raw(), queued.Message.Content[0].Raw()) {
		t.Errorf("the inbox is %.200s", texts(t, got))
	}
	have := map[string]bool{}
	for _, b := range all(t, s.Blobs(t.Context(), "s")) {
		have[string(b.Data)] = true
	}
	if len(have) != 2 || !have["one"] || !have["two"] {
		t.Errorf("the blobs are %v", have)
	}
}

// failing is a store that can't read blobs for a while.
type failing struct {
	*memory.RAM
	err error
}

func (f *failing) Blob(ctx context.Context, id, name string) (memory.Blob, error) {
	if f.err != nil {
		return memory.Blob{}, f.err
	}
	return f.RAM.Blob(ctx, id, name)
}

// A payload that can't be read now isn't lost: Lost isn't asked for something to put in its
// place, the error doesn't say that the session is damaged, and the record is read later.
// One that is gone, or is another, is lost.
func TestNotLost(t *testing.T) {
	inside := &failing{RAM: new(memory.RAM)}
	asked := 0
	s := wrap(t, inside, &blob.Options{Lost: func(_ memory.Record, lost *blob.LostError) (memory.Record, error) {
		asked++
		if (lost.Record < 0) != (lost.Queued > 0) {
			t.Errorf("it is lost of record %d, message %d", lost.Record, lost.Queued)
		}
		return memory.Record{Kind: memory.KindInput, Message: transport.UserText("lost")}, nil
	}})
	if err := errors.Join(s.Append(t.Context(), "s", memory.Position{}, picture(1)), s.Enqueue(t.Context(), "s", picture(2))); err != nil {
		t.Fatal(err)
	}
	disk := errors.New("the disk can't be read")
	for _, c := range []struct {
		err  error
		lost bool
	}{{disk, false}, {memory.ErrUnavailable, false}, {context.DeadlineExceeded, false}, {nil, false}, {fs.ErrNotExist, true}, {memory.ErrCorrupt, true}} {
		inside.err = c.err
		for name, seq := range map[string]iter.Seq2[memory.Record, error]{"record": s.Load(t.Context(), "s", memory.Position{}), "message": s.Inbox(t.Context(), "s", 0)} {
			asked = 0
			for r, err := range seq {
				switch {
				case c.err == nil || c.lost:
					if err != nil || (r.Message.Text() == "lost") != c.lost || (asked > 0) != c.lost {
						t.Errorf("%v: a %s is %.100q, %v", c.err, name, r.Message.Text(), err)
					}
				case !errors.Is(err, c.err) || errors.Is(err, memory.ErrCorrupt) || asked > 0:
					t.Errorf("%v: a %s, asked %d times: %v", c.err, name, asked, err)
				}
			}
		}
	}
}

// A message whose payload is gone is an error that says which, and that it will stay.
func TestLostMessage(t *testing.T) {
	inside := &failing{RAM: new(memory.RAM)}
	s := wrap(t, inside, nil)
	if err := errors.Join(s.Append(t.Context(), "s", memory.Position{}), s.Enqueue(t.Context(), "s", picture(2))); err != nil {
		t.Fatal(err)
	}
	inside.err = fs.ErrNotExist
	for _, err := range s.Inbox(t.Context(), "s", 0) {
		var lost *blob.LostError
		if !errors.As(err, &lost) || lost.Record != -1 || lost.Queued < 1 || lost.Session != "s" || !errors.Is(err, memory.ErrCorrupt) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %+v", err, lost)
		}
	}
}

// A record that names a payload for which it has no place is not read as if it were whole.
func TestNoPlaceForAPayload(t *testing.T) {
	inside := new(memory.RAM)
	s := wrap(t, inside, nil)
	if err := s.Append(t.Context(), "s", memory.Position{}, picture(1)); err != nil {
		t.Fatal(err)
	}
	name := all(t, inside.Load(t.Context(), "s", memory.Position{}))[0].Aside[0]
	if err := inside.Append(t.Context(), "s", memory.Position{Records: 1}, memory.Record{Kind: memory.KindNote, Note: "n", Data: []byte(`{"a":1}`), Aside: []string{name}}); err != nil {
		t.Fatal(err)
	}
	n := 0
	var last error
	for _, last = range s.Load(t.Context(), "s", memory.Position{}) {
		if n++; last != nil {
			break
		}
	}
	var damaged *memory.RecordError
	if !errors.As(last, &damaged) || damaged.Record != 1 || !errors.Is(last, memory.ErrCorrupt) || n != 2 {
		t.Errorf("record %d: %v", n, last)
	}
}

// A store that puts payloads aside isn't put into another one, also behind a wrapper.
func TestAsideOnce(t *testing.T) {
	s := wrap(t, new(memory.RAM), nil)
	for _, inside := range []memory.Store{s, struct{ memory.Store }{s}} {
		if _, err := blob.New(inside, nil); err == nil {
			t.Errorf("%T was taken", inside)
		}
	}
}

// marking is a wrapper that changes what passes through it, and has no abilities of its own.
type marking struct {
	memory.Store
	appended, fetched int
}

func (m *marking) Unwrap() memory.Store { return m.Store }

func (m *marking) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	m.appended += len(records)
	return m.Store.Append(ctx, id, at, records...)
}

func (m *marking) PutBlob(ctx context.Context, id string, b memory.Blob) (string, error) {
	return m.Store.(memory.Blobs).PutBlob(ctx, id, b)
}

func (m *marking) Blob(ctx context.Context, id, name string) (memory.Blob, error) {
	m.fetched++
	return m.Store.(memory.Blobs).Blob(ctx, id, name)
}

func (m *marking) Blobs(ctx context.Context, id string) iter.Seq2[memory.Blob, error] {
	return m.Store.(memory.Blobs).Blobs(ctx, id)
}

// A wrapper inside sees each record and each payload: what the store in it does at once, past
// the wrapper, is not asked for.
func TestNothingPassesAWrapper(t *testing.T) {
	inside := &marking{Store: &changing{RAM: new(memory.RAM)}}
	s := wrap(t, inside, nil)
	if err := s.Append(t.Context(), "s", memory.Position{}, picture(1), picture(2), picture(3)); err != nil {
		t.Fatal(err)
	}
	if got := all(t, s.Load(t.Context(), "s", memory.Position{})); len(got) != 3 || inside.appended != 3 || inside.fetched != 3 {
		t.Errorf("%d records; %d were appended and %d payloads read through the wrapper", len(got), inside.appended, inside.fetched)
	}
}
