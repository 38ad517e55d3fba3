package protect_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/protect"
)

// noting is a keyring that notes the keys which it wraps.
type noting struct {
	protect.Keys
	seen *[][]byte
}

func (n noting) Wrap(ctx context.Context, key []byte) (string, []byte, error) {
	*n.seen = append(*n.seen, bytes.Clone(key))
	return n.Keys.Wrap(ctx, key)
}

// Each session has a key of its own, which nobody can guess.
func TestKeysOfSessionsAreRandom(t *testing.T) {
	var seen [][]byte
	ring := noting{keys("a", "a"), &seen}
	s := protect.Encrypted(new(memory.RAM), ring)
	for _, id := range []string{"1", "2", "3", "4"} {
		if err := s.Append(t.Context(), id, memory.Position{}, input("x")); err != nil {
			t.Fatal(err)
		}
	}
	different := map[string]bool{}
	for _, key := range seen {
		zeros := bytes.Count(key, []byte{0})
		if len(key) != 32 || zeros > 16 {
			t.Errorf("a key of %d bytes, %d of them zero", len(key), zeros)
		}
		different[string(key)] = true
	}
	if len(seen) != 4 || len(different) != 4 {
		t.Errorf("4 sessions have %d keys, of which %d are different", len(seen), len(different))
	}
}
