package blob_test

import (
	"context"
	"encoding/base64"
	"errors"
	"iter"
	"path/filepath"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/transport"
)

// A fork of a session that was imported has the payloads of the records that it shares,
// and what was put by itself, but not the payloads of later records.
func TestForkOfImported(t *testing.T) {
	disk, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	picture := func(fill byte) memory.Record {
		data := make([]byte, 9000)
		for i := range data {
			data[i] = fill + byte(i)
		}
		return memory.Record{Kind: memory.KindInput, Message: transport.UserText(base64.StdEncoding.EncodeToString(data))}
	}
	for name, inside := range map[string]interface {
		memory.Store
		memory.Forker
		memory.Blobs
	}{"sqlite": disk, "RAM": new(memory.RAM)} {
		t.Run(name, func(t *testing.T) {
			s, err := blob.New(inside, nil)
			if err != nil {
				t.Fatal(err)
			}
			kept := memory.Blob{MediaType: "text/plain", Data: []byte("kept")}.Named()
			in := memory.Session{Info: memory.Info{ID: "s"}, Blobs: []memory.Blob{kept},
				Records: []memory.Record{picture(1), picture(2), picture(1), picture(3)}}
			if err := s.Import(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			for to, want := range map[string]int{"a": 0, "b": 1, "c": 2, "d": 2, "e": 3} {
				n := int(to[0] - 'a')
				if err := inside.Fork(t.Context(), "s", memory.Position{Records: n}, to, nil); err != nil {
					t.Fatal(err)
				}
				payloads, others := 0, 0
				for b, err := range inside.Blobs(t.Context(), to) {
					if err != nil {
						t.Fatal(err)
					}
					if b.MediaType == blob.PayloadType {
						payloads++
					} else {
						others++
					}
				}
				if payloads != want || others != 1 {
					t.Errorf("a fork of %d records has %d payloads, not %d, and %d of 1 other blobs", n, payloads, want, others)
				}
				loaded := 0
				for _, err := range s.Load(t.Context(), to, memory.Position{}) {
					if err != nil {
						t.Fatal(err)
					}
					loaded++
				}
				if loaded != n {
					t.Errorf("a fork of %d records has %d", n, loaded)
				}
			}
		})
	}
}

// breaking is a store whose records end in an error.
type breaking struct {
	*memory.RAM
	after int
}

var errBroken = errors.New("the disk can't be read")

func (s *breaking) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		n := 0
		for r, err := range s.RAM.Load(ctx, id, from) {
			if n++; n > s.after {
				yield(memory.Record{}, errBroken)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// The records before one that can't be read come all the same, whole, though their payloads
// are read together.
func TestRecordsBeforeAnError(t *testing.T) {
	inside := &breaking{RAM: &memory.RAM{}}
	store := wrap(t, inside, nil)
	for i := range 6 {
		if err := store.Append(t.Context(), "s", memory.Position{Records: i}, picture(i)); err != nil {
			t.Fatal(err)
		}
	}
	for inside.after = range 6 {
		n := 0
		for r, err := range store.Load(t.Context(), "s", memory.Position{}) {
			if err != nil {
				if !errors.Is(err, errBroken) || n != inside.after {
					t.Errorf("%v behind %d records of %d", err, n, inside.after)
				}
				break
			}
			if want := picture(n); string(r.Message.Content[0].Raw()) != string(want.Message.Content[0].Raw()) || len(r.Aside) > 0 {
				t.Errorf("record %d is another one", n)
			}
			n++
		}
	}
}
