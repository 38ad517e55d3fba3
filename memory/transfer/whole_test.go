package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/protect"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

func hello(text string) memory.Record {
	return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
}

// An import that is refused leaves what was there.
func TestImportOverASession(t *testing.T) {
	ctx, store := t.Context(), new(memory.RAM)
	if err := store.Append(ctx, "s", memory.Position{}, hello("mine")); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := transfer.Export(ctx, store, "s", &file); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	if _, err := transfer.Import(ctx, store, &file, "s", &transfer.Options{Trusted: true}); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("imported over it: %v", err)
	}
	if _, err := transfer.Import(ctx, store, strings.NewReader("no export"), "s", nil); err == nil {
		t.Error("imported nothing")
	}
	if _, err := transfer.Copy(ctx, store, "s", store, "s", nil); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("copied over itself: %v", err)
	}
	log, err := memory.Open(ctx, store, "s")
	if err != nil || log.Len() != 1 || log.Messages()[0].Text() != "mine" {
		t.Errorf("what was there: %v", err)
	}
	// A file that has more than it announces is not taken for whole.
	_, records, err := transfer.Read(strings.NewReader(strings.Replace(text, `"records":1`, `"records":0`, 1)))
	n := 0
	if err == nil {
		for _, err = range records {
			n++
		}
	}
	if bad := (*memory.RecordError)(nil); !errors.As(err, &bad) || bad.Record != 0 || n != 1 {
		t.Errorf("announced none: %v", err)
	}
	again := text + text[strings.Index(text, "\n")+1:] // its record twice
	if _, records, err = transfer.Read(strings.NewReader(again)); err == nil {
		for _, err = range records {
		}
	}
	if bad := (*memory.RecordError)(nil); !errors.As(err, &bad) || bad.Record != 1 {
		t.Errorf("announced one of two: %v", err)
	}
}

// What there is of a session besides its records comes back as it was, in a file that
// people can read.
func TestAllOfASessionComesBack(t *testing.T) {
	ctx, from, to := t.Context(), new(memory.RAM), new(memory.RAM)
	if err := from.Append(ctx, "origin", memory.Position{Start: &memory.Start{Meta: map[string]string{"k": "<b> & more"}}}, hello("one"), hello("two")); err != nil {
		t.Fatal(err)
	}
	if _, err := memory.ForkSession(ctx, from, "origin", 1, "s", nil); err != nil {
		t.Fatal(err)
	}
	name, err := from.PutBlob(ctx, "s", memory.Blob{MediaType: "image/png", Data: []byte("picture")})
	if err == nil {
		err = memory.Enqueue(ctx, from, "s", transport.UserText("waits"))
	}
	if err != nil {
		t.Fatal(err)
	}
	was, err := from.Info(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := transfer.Export(ctx, from, "s", &file); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(file.String(), "<b> & more") {
		t.Errorf("written as %.300s", file.String())
	}
	is, err := transfer.Import(ctx, to, &file, "s", &transfer.Options{Trusted: true})
	if err != nil || is.Origin != "origin" || is.Queued != was.Queued || !is.Created.Equal(was.Created) || !is.Changed.Equal(was.Changed) || is.Meta["k"] != "<b> & more" || is.Incarnation != was.Incarnation {
		t.Errorf("%+v, was %+v: %v", is, was, err)
	}
	if b, err := to.Blob(ctx, "s", name); err != nil || b.MediaType != "image/png" || string(b.Data) != "picture" {
		t.Errorf("the blob is %+v, %v", b, err)
	}
	n := 0
	for r, err := range to.Inbox(ctx, "s", 0) {
		if n++; err != nil || r.Message.Text() != "waits" || r.Queued != was.Queued {
			t.Errorf("the inbox has %+v, %v", r, err)
		}
	}
	if n != 1 {
		t.Errorf("%d messages in the inbox", n)
	}
}

// simple is a store that can do no more than a store has to.
type simple struct {
	inside  *memory.RAM
	loading func()
}

func (s simple) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	return s.inside.Append(ctx, id, at, records...)
}

func (s simple) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	if s.loading != nil {
		s.loading()
	}
	return s.inside.Load(ctx, id, from)
}

func (s simple) Info(ctx context.Context, id string) (memory.Info, error) {
	return s.inside.Info(ctx, id)
}

func (s simple) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return s.inside.List(ctx, q)
}

func (s simple) Delete(ctx context.Context, id string) error { return s.inside.Delete(ctx, id) }

// A store without an inbox and blobs is exported too, also through wrappers that have
// them; a session that is replaced meanwhile isn't taken for the one that was asked for.
func TestExportOfSimpleStores(t *testing.T) {
	ctx := t.Context()
	s := simple{inside: new(memory.RAM)}
	keys := protect.Keys{Current: "a", Keys: map[string][]byte{"a": bytes.Repeat([]byte("a"), 32)}}
	for name, store := range map[string]memory.Store{"plain": s, "encrypted": protect.Encrypted(s, keys)} {
		if err := store.Append(ctx, name, memory.Position{}, hello("hi")); err != nil {
			t.Fatal(err)
		}
		to := new(memory.RAM)
		if info, err := transfer.Copy(ctx, store, name, to, "copy", nil); err != nil || info.Records != 1 {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	s.loading = func() {
		if err := errors.Join(s.inside.Delete(ctx, "plain"), s.inside.Append(ctx, "plain", memory.Position{}, hello("another"))); err != nil {
			t.Error(err)
		}
	}
	if err := transfer.Export(ctx, s, "plain", io.Discard); !errors.Is(err, memory.ErrReplaced) {
		t.Errorf("replaced meanwhile: %v", err)
	}
}
