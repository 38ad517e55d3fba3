package storetest

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
)

func testBlobs(t *testing.T, s under) {
	bs := need[memory.Blobs](s)
	must(t, s.Append(ctx, "s", 0, note("a")))
	picture := memory.Blob{MediaType: "image/png", Data: []byte("\x89PNG\x00\xff")}
	name, err := bs.PutBlob(ctx, "s", picture)
	must(t, err)
	if name != picture.Sum() {
		t.Errorf("the blob's name is %q", name)
	}
	again, err := bs.PutBlob(ctx, "s", picture)
	must(t, err)
	got, err := bs.Blob(ctx, "s", name)
	must(t, err)
	if again != name || got.Name != name || got.MediaType != "image/png" || !bytes.Equal(got.Data, picture.Data) {
		t.Errorf("put as %q, again as %q, came back as %+v", name, again, got)
	}
	empty, err := bs.PutBlob(ctx, "s", memory.Blob{})
	must(t, err)
	n := 0
	for b, err := range bs.Blobs(ctx, "s") {
		must(t, err)
		if n++; b.Name != name && b.Name != empty {
			t.Errorf("blob %q", b.Name)
		}
	}
	if n != 2 {
		t.Errorf("%d blobs", n)
	}
	_, err = bs.Blob(ctx, "s", "sha256:none")
	wantError(t, err, fs.ErrNotExist, "none")
	_, err = bs.Blob(ctx, "none", name)
	wantError(t, err, memory.ErrNoSession, "none")
	_, err = bs.PutBlob(ctx, "none", picture)
	wantError(t, err, memory.ErrNoSession, "none")
	picture.Name = name
	picture.Data = []byte("other")
	if _, err := bs.PutBlob(ctx, "s", picture); !errors.Is(err, memory.ErrCorrupt) {
		t.Errorf("a blob under another's name: %v", err)
	}
}

func testBlobsShared(t *testing.T, s under) {
	bs := need[memory.Blobs](s)
	tree(t, s)
	b := memory.Blob{MediaType: "text/plain", Data: []byte("shared")}
	name, err := bs.PutBlob(ctx, "p", b)
	must(t, err)
	has := func(id string, want bool) {
		t.Helper()
		got, err := bs.Blob(ctx, id, name)
		if want && (err != nil || string(got.Data) != "shared") || !want && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q has it: %v, want %v", id, err, want)
		}
	}
	has("p", true)
	has("e", true) // of its parent's parent
	has("alone", false)
	if f, ok := s.Store.(blob.Fetcher); ok {
		for b, err := range f.FetchBlobs(ctx, "alone", []string{name}) {
			t.Errorf("another session's blob is fetched: %v, %v", b.Name, err)
		}
	}
	_, err = bs.PutBlob(ctx, "alone", b)
	must(t, err)
	if f, ok := memory.As[memory.Forker](s.Store); ok {
		must(t, f.Fork(ctx, "p", memory.Position{Records: 1}, "f", nil))
		has("f", true)
	}
	must(t, s.Delete(ctx, "p"))
	has("alone", true)
	if _, err := s.Info(ctx, "f"); err == nil {
		has("f", true)
		must(t, s.Delete(ctx, "f"))
	}
	must(t, s.Delete(ctx, "alone"))
	must(t, s.Append(ctx, "alone", 0, note("x")))
	has("alone", false)
}
