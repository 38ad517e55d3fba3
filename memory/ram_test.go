package memory_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/storetest"
	"github.com/whorl-go/whorl/transport"
)

func TestRAM(t *testing.T) {
	storetest.Run(t, func(*testing.T) memory.Store { return new(memory.RAM) })
}

func BenchmarkRAM(b *testing.B) {
	storetest.Bench(b, func(*testing.B) memory.Store { return new(memory.RAM) })
}

// Sessions without a parent are not below one whose id is empty: they neither go with it,
// nor have its blobs.
func TestRAMEmptyID(t *testing.T) {
	s := new(memory.RAM)
	for _, id := range []string{"", "a"} {
		if err := s.Append(t.Context(), id, memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("x")}); err != nil {
			t.Fatal(err)
		}
	}
	name, err := s.PutBlob(t.Context(), "", memory.Blob{Data: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := s.Blob(t.Context(), "a", name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a blob of the other session: %q, %v", b.Data, err)
	}
	if err := s.Delete(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if _, err := s.Info(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}
