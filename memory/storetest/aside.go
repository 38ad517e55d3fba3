package storetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

// photo is bytes that differ with n, and are no picture that anybody reads.
func photo(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "photo %d\x00\xff", n), 3000) }

// shot is a record with two blocks, of which one is a picture.
func shot(n int) memory.Record {
	source := fmt.Appendf(nil, `{"type":"image", "source":{"media_type":"image/png","data":"%s","type":"base64"}}`, base64.StdEncoding.EncodeToString(photo(n)))
	picture, err := transport.ParseBlock(source)
	if err != nil {
		panic(err)
	}
	m := transport.Message{Role: transport.RoleUser, Content: []transport.Block{transport.Text(fmt.Sprint("shot ", n)), picture}}
	return memory.Record{Kind: memory.KindInput, Time: time.Unix(3, 4).UTC(), Message: m}
}

func shots(ns ...int) (list []memory.Record) {
	for _, n := range ns {
		list = append(list, shot(n))
	}
	return list
}

// wantRecords checks that a session's records are these, byte for byte.
func wantRecords(t *testing.T, s memory.Store, id string, want ...memory.Record) {
	t.Helper()
	wantSeq(t, id, s.Load(ctx, id, memory.Position{}), want...)
}

func wantSeq(t *testing.T, id string, got iter.Seq2[memory.Record, error], want ...memory.Record) {
	t.Helper()
	n := 0
	for r, err := range got {
		if err != nil {
			t.Errorf("%q, record %d: %v", id, n, err)
			return
		}
		a, err := r.AppendJSON(nil)
		must(t, err)
		if n >= len(want) {
			t.Errorf("%q: %d records are too many: %.100s", id, n+1, a)
			return
		}
		want[n].Queued = r.Queued
		b, err := want[n].AppendJSON(nil)
		must(t, err)
		if !bytes.Equal(a, b) {
			t.Errorf("%q, record %d: %d bytes %.200s, want %d bytes %.200s", id, n, len(a), a, len(b), b)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%q: %d records, want %d", id, n, len(want))
	}
}

func aside(t *testing.T, s under) *blob.Store {
	t.Helper()
	need[memory.Blobs](s)
	if _, ok := memory.As[*blob.Store](s.Store); ok {
		t.Skip("the store puts payloads aside itself")
	}
	b, err := blob.New(s.Store, nil)
	must(t, err)
	return b
}

// names are the names of a session's blobs, payloads among them, as the store
// inside tells them.
func names(t *testing.T, s under, id string) (list []string) {
	t.Helper()
	for b, err := range need[memory.Blobs](s).Blobs(ctx, id) {
		must(t, err)
		list = append(list, b.Name)
	}
	return list
}

func testBlobsAppended(t *testing.T, s under) {
	bs := need[memory.Blobs](s)
	b := func(text string) memory.Blob {
		b := memory.Blob{MediaType: "text/plain", Data: []byte(text)}
		b.Name = b.Sum()
		return b
	}
	one, two := b("one"), b("two")
	has := func(id string, b memory.Blob, want error) {
		t.Helper()
		if got, err := bs.Blob(ctx, id, b.Name); !errors.Is(err, want) || err == nil && (!bytes.Equal(got.Data, b.Data) || got.MediaType != b.MediaType) {
			t.Errorf("%q has %s: %v, %+v", id, b.Data, err, got)
		}
	}
	// It makes the session as Append does, in each of the ways.
	must(t, blob.Append(ctx, s.Store, "s", memory.Position{}, []memory.Blob{two, one, two}, notes("a", "b")...))
	want(t, s, "s", "a b")
	has("s", one, nil)
	has("s", two, nil)
	start := &memory.Start{Incarnation: "first", Parent: "s", Meta: map[string]string{"user": "ann"}}
	must(t, blob.Append(ctx, s.Store, "c", memory.Position{Start: start}, []memory.Blob{one}, note("c")))
	if i := info(t, s, "c"); i.Incarnation != "first" || i.Parent != "s" || i.Meta["user"] != "ann" || i.Records != 1 {
		t.Errorf("begun with blobs: %+v", i)
	}
	must(t, blob.Append(ctx, s.Store, "c", memory.Position{Incarnation: "first", Records: 1}, []memory.Blob{two}, note("d")))
	want(t, s, "c", "c d")
	// What is refused leaves nothing.
	three := b("three")
	wantError(t, blob.Append(ctx, s.Store, "s", memory.Position{Records: 1}, []memory.Blob{three}, note("x")), memory.ErrConflict, "s")
	wantError(t, blob.Append(ctx, s.Store, "s", memory.Position{Start: &memory.Start{}}, []memory.Blob{three}, note("x")), memory.ErrConflict, "s")
	wantError(t, blob.Append(ctx, s.Store, "c", memory.Position{Incarnation: "other", Records: 2}, []memory.Blob{three}, note("x")), memory.ErrReplaced, "c")
	wantError(t, blob.Append(ctx, s.Store, "none", memory.Position{Incarnation: "x", Records: 2}, []memory.Blob{three}, note("x")), memory.ErrNoSession, "none")
	wantError(t, blob.Append(ctx, s.Store, "n", memory.Position{Start: &memory.Start{Parent: "none"}}, []memory.Blob{three}, note("x")), memory.ErrNoSession, "none")
	has("s", three, fs.ErrNotExist)
	has("c", three, fs.ErrNotExist)
	three.Data = []byte("changed")
	if err := blob.Append(ctx, s.Store, "s", memory.Position{Records: 2}, []memory.Blob{one, three}, note("x")); !errors.Is(err, memory.ErrCorrupt) {
		t.Errorf("a blob under another's name: %v", err)
	}
	want(t, s, "s", "a b")
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := blob.Append(over, s.Store, "s", memory.Position{Records: 2}, []memory.Blob{one}, note("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	want(t, s, "s", "a b")
	// Many at once, which have blobs in common.
	parallel(8, func(w int) {
		id := fmt.Sprint("w", w)
		for n := range 5 {
			blobs := []memory.Blob{b(fmt.Sprint((n + w) % 3)), b(fmt.Sprint((n + w + 1) % 3)), b(id)}
			if err := blob.Append(ctx, s.Store, id, memory.Position{Records: n}, blobs, note(fmt.Sprint(n))); err != nil {
				t.Errorf("%s, record %d: %v", id, n, err)
				return
			}
			if n == 4 && w%2 == 0 {
				if err := s.Delete(ctx, id); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
		}
	})
	for w := 1; w < 8; w += 2 {
		for n := range 3 {
			has(fmt.Sprint("w", w), b(fmt.Sprint(n)), nil)
		}
	}
}

func testAside(t *testing.T, s under) {
	b := aside(t, s)
	must(t, b.Append(ctx, "s", memory.Position{}, shots(1, 2, 1)...))
	must(t, b.Append(ctx, "s", memory.Position{Records: 3}, shot(2), note("n")))
	all := append(shots(1, 2, 1, 2), note("n"))
	wantRecords(t, b, "s", all...)
	wantSeq(t, "s from 2", b.Load(ctx, "s", memory.Position{Records: 2}), all[2:]...)
	if got := names(t, s, "s"); len(got) != 2 {
		t.Errorf("two pictures, four times, are %d blobs", len(got))
	}
	for b, err := range b.Blobs(ctx, "s") {
		t.Errorf("a payload is listed: %q %s, %v", b.Name, b.MediaType, err)
	}
	size := 0
	for r, err := range s.Store.Load(ctx, "s", memory.Position{}) {
		must(t, err)
		raw, err := r.AppendJSON(nil)
		must(t, err)
		size += len(raw)
	}
	if size > 8000 {
		t.Errorf("the records inside have %d bytes", size)
	}
	// A log that goes past it is refused, and nothing is lost by that.
	if _, err := memory.Open(ctx, s.Store, "s"); !errors.Is(err, memory.ErrCorrupt) || !strings.Contains(err.Error(), "memory/blob") {
		t.Errorf("opened without: %v", err)
	}
	// What is refused leaves no payload.
	wantError(t, b.Append(ctx, "s", memory.Position{Records: 1}, shot(3)), memory.ErrConflict, "s")
	if got := names(t, s, "s"); len(got) != 2 {
		t.Errorf("refused: %d blobs", len(got))
	}
	wantRecords(t, b, "s", all...)
}

func testAsideShared(t *testing.T, s under) {
	b := aside(t, s)
	must(t, b.Append(ctx, "p", memory.Position{}, shots(1, 2)...))
	must(t, b.Append(ctx, "p/c", memory.Position{Start: &memory.Start{Parent: "p"}}, shots(2, 3)...))
	must(t, b.Append(ctx, "other", memory.Position{}, shots(1)...))
	if f, ok := memory.As[memory.Forker](s.Store); ok {
		must(t, f.Fork(ctx, "p", memory.Position{Records: 2}, "f", nil))
		must(t, b.Append(ctx, "f", memory.Position{Records: 2}, shot(4)))
		must(t, f.Fork(ctx, "f", memory.Position{Records: 3}, "ff", nil))
		must(t, s.Delete(ctx, "f"))
	}
	must(t, s.Delete(ctx, "p"))
	wantRecords(t, b, "other", shots(1)...)
	if _, err := s.Info(ctx, "ff"); err == nil {
		wantRecords(t, b, "ff", shots(1, 2, 4)...)
		must(t, s.Delete(ctx, "ff"))
	}
	if f, ok := memory.As[memory.Forker](s.Store); ok { // a fork has what its records need, and no more
		if _, together := s.Store.(blob.Appender); together {
			must(t, b.Append(ctx, "long", memory.Position{}, shots(1, 2)...))
			must(t, b.Append(ctx, "long", memory.Position{Records: 2}, shots(2, 5)...))
			kept, err := b.PutBlob(ctx, "long", memory.Blob{Data: []byte("kept")})
			must(t, err)
			must(t, f.Fork(ctx, "long", memory.Position{Records: 2}, "short", nil))
			if got := names(t, s, "short"); len(got) != 3 || len(names(t, s, "long")) != 4 {
				t.Errorf("a fork of two pictures has %d blobs, the whole %d", len(got), len(names(t, s, "long")))
			}
			must(t, s.Delete(ctx, "long"))
			wantRecords(t, b, "short", shots(1, 2)...)
			_, err = b.Blob(ctx, "short", kept)
			must(t, err)
			must(t, b.Append(ctx, "short", memory.Position{Records: 2}, shot(5)))
			wantRecords(t, b, "short", shots(1, 2, 5)...)
			must(t, s.Delete(ctx, "short"))
		}
	}
	name := names(t, s, "other")[0]
	must(t, s.Delete(ctx, "other"))
	must(t, s.Append(ctx, "other", 0, note("x")))
	if _, err := b.Blob(ctx, "other", name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a payload is there still: %v", err)
	}
}

func testAsideMoved(t *testing.T, s under) {
	b := aside(t, s)
	if _, ok := memory.As[memory.Importer](s.Store); !ok {
		t.Skip("the store is no memory.Importer")
	}
	must(t, b.Append(ctx, "s", memory.Position{}, shots(1, 2)...))
	kept, err := b.PutBlob(ctx, "s", memory.Blob{MediaType: "image/png", Data: photo(1)})
	must(t, err)
	must(t, b.Append(ctx, "s/c", memory.Position{Start: &memory.Start{Parent: "s"}}, shots(1)...))
	check := func(to memory.Store, id string) {
		t.Helper()
		wantRecords(t, to, id, shots(1, 2)...)
		wantRecords(t, to, id+"/c", shots(1)...)
		n := 0
		for b, err := range need[memory.Blobs](under{to, t}).Blobs(ctx, id) {
			must(t, err)
			if n++; b.Name != kept || b.MediaType != "image/png" || !bytes.Equal(b.Data, photo(1)) {
				t.Errorf("%q has the blob %q, %s", id, b.Name, b.MediaType)
			}
		}
		if n != 1 {
			t.Errorf("%q has %d blobs", id, n)
		}
	}
	check(b, "s")
	// To a store without and back, by copy and by file.
	plain := new(memory.RAM)
	_, err = transfer.Copy(ctx, b, "s", plain, "", nil)
	must(t, err)
	check(plain, "s")
	_, err = transfer.Copy(ctx, plain, "s", b, "back", nil)
	must(t, err)
	check(b, "back")
	if got := names(t, s, "back"); len(got) != 3 {
		t.Errorf("copied back, it has %d blobs inside", len(got))
	}
	var file bytes.Buffer
	must(t, transfer.Export(ctx, b, "s", &file))
	if strings.Contains(file.String(), `"aside"`) {
		t.Error("an export needs this package to be read")
	}
	_, err = transfer.Import(ctx, b, &file, "i", &transfer.Options{Trusted: true})
	must(t, err)
	check(b, "i")
	if got := names(t, s, "i"); len(got) != 3 {
		t.Errorf("imported, it has %d blobs inside", len(got))
	}
}

func testAsideInbox(t *testing.T, s under) {
	b := aside(t, s)
	inbox := need[memory.Inbox](under{b, t})
	must(t, b.Append(ctx, "s", memory.Position{}, note("a")))
	must(t, inbox.Enqueue(ctx, "s", shot(1)))
	if got := names(t, s, "s"); len(got) != 1 {
		t.Errorf("%d blobs", len(got))
	}
	wantSeq(t, "inbox", inbox.Inbox(ctx, "s", 0), shot(1))
	for r, err := range inbox.Inbox(ctx, "s", 0) {
		must(t, err)
		must(t, b.Append(ctx, "s", memory.Position{Records: 1}, r))
	}
	wantRecords(t, b, "s", note("a"), shot(1))
	if got := names(t, s, "s"); len(got) != 1 {
		t.Errorf("once in the log: %d blobs", len(got))
	}
}

// losing is a store that has lost a blob, or gives other bytes for it.
type losing struct {
	memory.Store
	lost string
	err  error
}

func (s *losing) Unwrap() memory.Store { return s.Store }

func (s *losing) PutBlob(ctx context.Context, id string, b memory.Blob) (string, error) {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err != nil {
		return "", err
	}
	return blobs.PutBlob(ctx, id, b)
}

func (s *losing) Blob(ctx context.Context, id, name string) (memory.Blob, error) {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err == nil && name == s.lost {
		err = fmt.Errorf("session %q: blob %q: %w", id, name, s.err)
	}
	if err != nil {
		return memory.Blob{}, err
	}
	return blobs.Blob(ctx, id, name)
}

func (s *losing) Blobs(ctx context.Context, id string) iter.Seq2[memory.Blob, error] {
	blobs, err := memory.Need[memory.Blobs](s.Store)
	if err != nil {
		return func(yield func(memory.Blob, error) bool) { yield(memory.Blob{}, err) }
	}
	return blobs.Blobs(ctx, id)
}

func testAsideLost(t *testing.T, s under) {
	b := aside(t, s)
	must(t, b.Append(ctx, "s", memory.Position{}, shots(1, 2, 3)...))
	var second string
	for r, err := range s.Store.Load(ctx, "s", memory.Position{Records: 1}) {
		must(t, err)
		second = r.Aside[0]
		break
	}
	for _, cause := range []error{fs.ErrNotExist, memory.ErrCorrupt} {
		hurt, err := blob.New(&losing{s.Store, second, cause}, nil)
		must(t, err)
		n := 0
		for _, err = range hurt.Load(ctx, "s", memory.Position{}) {
			if err == nil {
				n++
			}
		}
		var record *memory.RecordError
		var lost *blob.LostError
		if !errors.As(err, &record) || record.Record != 1 || !errors.As(err, &lost) || lost.Name != second || lost.Session != "s" || lost.Record != 1 ||
			!errors.Is(err, cause) || !strings.Contains(err.Error(), second) || n != 1 {
			t.Errorf("%d records, then %v", n, err)
		}
		wantSeq(t, "behind it", hurt.Load(ctx, "s", memory.Position{Records: 2}), shot(3))
		// With Lost the session goes on without the picture.
		mended, err := blob.New(&losing{s.Store, second, cause}, &blob.Options{Lost: func(r memory.Record, lost *blob.LostError) (memory.Record, error) {
			r.Message.Content = []transport.Block{r.Message.Content[0], transport.Text("[" + lost.Name + "]")}
			r.Aside = nil
			return r, nil
		}})
		must(t, err)
		without := shot(2)
		without.Message.Content[1] = transport.Text("[" + second + "]")
		wantRecords(t, mended, "s", shot(1), without, shot(3))
		if f, ok := memory.As[memory.Forker](s.Store); ok {
			to := "f" + cause.Error()
			must(t, f.Fork(ctx, "s", memory.Position{Records: 1}, to, nil))
			wantRecords(t, hurt, to, shot(1))
		}
	}
	// What may pass is not called lost: nothing takes the place of the payload.
	for _, cause := range []error{memory.ErrUnavailable, fs.ErrPermission, errors.New("input/output error")} {
		away, err := blob.New(&losing{s.Store, second, cause}, &blob.Options{Lost: func(r memory.Record, _ *blob.LostError) (memory.Record, error) {
			t.Errorf("called lost: %v", cause)
			r.Aside = nil
			return r, nil
		}})
		must(t, err)
		for _, err = range away.Load(ctx, "s", memory.Position{}) {
		}
		if !errors.Is(err, cause) || errors.Is(err, memory.ErrCorrupt) || !strings.Contains(err.Error(), second) {
			t.Errorf("while the store is away: %v", err)
		}
	}
}
