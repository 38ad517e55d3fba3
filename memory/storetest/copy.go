package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

// testCopyOut copies what the core has, for stores that are nothing else.
func testCopyOut(t *testing.T, s under) {
	tree(t, s)
	to := new(memory.RAM)
	got, err := transfer.Copy(ctx, s.Store, "p", to, "", nil)
	must(t, err)
	if had := info(t, s, "p"); !got.Created.Equal(had.Created) || !got.Changed.Equal(had.Changed) || got.Records != 1 {
		t.Errorf("copied as %+v, was %+v", got, had)
	}
	if ids := list(t, under{to, t}, memory.Query{Sort: "id"}); ids != "c d e p" {
		t.Errorf("copied: %q", ids)
	}
}

// full makes a session tree with all that a store can hold.
func full(t *testing.T, s under) {
	t.Helper()
	must(t, s.Append(ctx, "top", 0, note("top")))
	start := &memory.Start{Parent: "top", Meta: map[string]string{"user": "ann"}}
	must(t, s.Store.Append(ctx, "s", memory.Position{Start: start}, input("hi"), note("n")))
	must(t, s.Store.Append(ctx, "s/child", memory.Position{Start: &memory.Start{Parent: "s"}}, note("c")))
	if _, ok := memory.As[memory.Inbox](s.Store); ok {
		must(t, memory.Enqueue(ctx, s.Store, "s", transport.UserText("later")))
	}
	if w, ok := memory.As[memory.Waker](s.Store); ok {
		must(t, w.Wake(ctx, "s", time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
	if bs, ok := memory.As[memory.Blobs](s.Store); ok {
		_, err := bs.PutBlob(ctx, "s", memory.Blob{MediaType: "image/png", Data: []byte("\x89PNG")})
		must(t, err)
	}
	tick()
}

// same compares what two stores hold of a session.
func same(t *testing.T, a under, idA string, b under, idB string) {
	t.Helper()
	i, j := info(t, a, idA), info(t, b, idB)
	if !i.Created.Equal(j.Created) || !i.Changed.Equal(j.Changed) || !i.Wake.Equal(j.Wake) || i.Records != j.Records || !reflect.DeepEqual(i.Meta, j.Meta) || i.Origin != j.Origin {
		t.Errorf("%+v became\n%+v", i, j)
	}
	if got, want := load(t, b, idB, 0), load(t, a, idA, 0); got != want {
		t.Errorf("records %q became %q", want, got)
	}
	inbox := func(s under, id string) (list []string) {
		if in, ok := memory.As[memory.Inbox](s.Store); ok {
			for r, err := range in.Inbox(ctx, id, 0) {
				must(t, err)
				list = append(list, fmt.Sprint(r.Queued, r.Message.Text()))
			}
		}
		return list
	}
	if got, want := inbox(b, idB), inbox(a, idA); !reflect.DeepEqual(got, want) {
		t.Errorf("inbox %q became %q", want, got)
	}
	blobs := func(s under, id string) (list []memory.Blob) {
		if bs, ok := memory.As[memory.Blobs](s.Store); ok {
			for b, err := range bs.Blobs(ctx, id) {
				must(t, err)
				list = append(list, b)
			}
		}
		return list
	}
	if got, want := blobs(b, idB), blobs(a, idA); !reflect.DeepEqual(got, want) {
		t.Errorf("blobs %+v became %+v", want, got)
	}
}

func testCopy(t *testing.T, s under) {
	full(t, s)
	ram := under{new(memory.RAM), t}
	must(t, ram.Append(ctx, "top", 0, note("top")))
	_, err := transfer.Copy(ctx, s.Store, "s", ram.Store, "", nil)
	must(t, err)
	if p := info(t, ram, "s").Parent; p != "top" {
		t.Errorf("the copy's parent is %q", p)
	}
	same(t, s, "s", ram, "s")
	same(t, s, "s/child", ram, "s/child")
	got, err := transfer.Copy(ctx, ram.Store, "s", s.Store, "back", &memory.Start{Parent: "top"})
	must(t, err)
	if got.ID != "back" || got.Parent != "top" {
		t.Errorf("copied as %+v", got)
	}
	same(t, ram, "s", s, "back")
	same(t, ram, "s/child", s, "back/child")
	if got := list(t, s, memory.Query{Tree: "back", Sort: "id"}); got != "back back/child" {
		t.Errorf("copied: %q", got)
	}
	// A copy is a session of its own.
	log, err := memory.Open(ctx, s.Store, "back")
	must(t, err)
	must(t, log.Append(ctx, note("more")))
	must(t, s.Delete(ctx, "s"))
	if got := load(t, s, "back", 0); got != " n more" {
		t.Errorf("the copy holds %q", got)
	}
}

func testExport(t *testing.T, s under) {
	full(t, s)
	var out bytes.Buffer
	must(t, transfer.Export(ctx, s.Store, "s", &out))
	must(t, s.Append(ctx, "other", 0, note("x")))
	got, err := transfer.Import(ctx, s.Store, bytes.NewReader(out.Bytes()), "i", &transfer.Options{Trusted: true})
	must(t, err)
	if got.Parent != "top" {
		t.Errorf("imported as %+v", got)
	}
	same(t, s, "s", s, "i")
	same(t, s, "s/child", s, "i/child")
	_, err = transfer.Import(ctx, s.Store, bytes.NewReader(out.Bytes()), "i", &transfer.Options{Trusted: true})
	wantError(t, err, memory.ErrConflict, "i")
	want(t, s, "i/child", "c") // it was there, and is
}

// A file may not say which numbers its messages have taken: they count all the same.
func testImportNumbers(t *testing.T, s under) {
	numbered := func(n int64) memory.Record {
		m := input("x")
		m.Queued = n
		return m
	}
	importer := need[memory.Importer](s)
	for id, in := range map[string]memory.Session{
		"log":   {Records: []memory.Record{note("a"), numbered(7)}},
		"inbox": {Records: []memory.Record{note("a")}, Inbox: []memory.Record{numbered(7), numbered(3)}},
		"info":  {Info: memory.Info{Queued: 7}, Records: []memory.Record{note("a"), numbered(3)}},
	} {
		in.Info.ID, in.Info.Incarnation, in.Info.Created, in.Info.Changed = id, id, time.Unix(1, 0), time.Unix(2, 0)
		must(t, importer.Import(ctx, in))
		if got := info(t, s, id).Queued; got != 7 {
			t.Errorf("%s: the newest number is %d", id, got)
		}
		wantError(t, s.Enqueue(ctx, id, numbered(7)), memory.ErrConflict, id)
		must(t, s.Enqueue(ctx, id, numbered(8)))
	}
	var numbers []int64 // in order, whatever that of the import was
	for r, err := range s.Inbox(ctx, "inbox", 0) {
		must(t, err)
		numbers = append(numbers, r.Queued)
	}
	if !slices.Equal(numbers, []int64{3, 7, 8}) {
		t.Errorf("the inbox has the numbers %d", numbers)
	}
}

func testImportRefused(t *testing.T, s under) {
	im := need[memory.Importer](s)
	must(t, s.Append(ctx, "s", 0, note("a")))
	wantError(t, im.Import(ctx, memory.Session{Info: memory.Info{ID: "s"}}), memory.ErrConflict, "s")
	wantError(t, im.Import(ctx, memory.Session{Info: memory.Info{ID: "t", Parent: "none"}}), memory.ErrNoSession, "none")
	bad := note("bad")
	bad.Time = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := im.Import(ctx, memory.Session{Info: memory.Info{ID: "t"}, Records: []memory.Record{note("a"), bad}}); err != nil {
		if _, err := s.Info(ctx, "t"); !errors.Is(err, memory.ErrNoSession) {
			t.Errorf("a part was imported: %v", err)
		}
	}
	err := im.Import(ctx, memory.Session{Info: memory.Info{ID: "u"}, Blobs: []memory.Blob{{Name: "sha256:wrong", Data: []byte("x")}}})
	wantError(t, err, memory.ErrCorrupt, "wrong")
	if _, err := s.Info(context.Background(), "u"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a part was imported: %v", err)
	}
}
