package blob_test

import (
	"encoding/base64"
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
