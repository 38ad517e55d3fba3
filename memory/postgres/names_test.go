package postgres_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
)

// A session whose id the server can't keep isn't there, and an attempt to keep it says
// why it can't be. Neither is a fault of the server's that is reported as it comes.
func TestNamesThatCantBeKept(t *testing.T) {
	s := open(t, postgres.Options{})
	if err := s.Append(t.Context(), "s", memory.Position{}, input("one")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a\x00b", "\x00", "a\xff", "\xed\xa0\x80"} {
		for what, err := range map[string]error{
			"info":   func() error { _, err := s.Info(t.Context(), id); return err }(),
			"append": s.Append(t.Context(), id, memory.Position{Records: 1}, input("two")),
			"delete": s.Delete(t.Context(), id),
			"load": func() (err error) {
				for _, err = range s.Load(t.Context(), id, memory.Position{}) {
				}
				return err
			}(),
			"enqueue": s.Enqueue(t.Context(), id, input("two")),
			"wake":    s.Wake(t.Context(), id, time.Now()),
			"meta":    s.SetMeta(t.Context(), id, "k", "v"),
			"fork":    s.Fork(t.Context(), id, memory.Position{Records: 1}, "t", nil),
		} {
			if !errors.Is(err, memory.ErrNoSession) {
				t.Errorf("%s of %q: %v", what, id, err)
			}
		}
		for what, err := range map[string]error{
			"begin": s.Append(t.Context(), id, memory.Position{}, input("one")),
			"start": s.Append(t.Context(), id, memory.Position{Start: &memory.Start{}}, input("one")),
			"lease": s.Lease(t.Context(), id, "me", time.Minute),
			"fork":  s.Fork(t.Context(), "s", memory.Position{Records: 1}, id, nil),
			"key":   s.SetMeta(t.Context(), "s", id, "v"),
			"value": s.SetMeta(t.Context(), "s", "k", id),
			"query": func() (err error) {
				for _, err = range s.List(t.Context(), memory.Query{Meta: map[string]string{"k": id}}) {
				}
				return err
			}(),
		} {
			if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "use another name") {
				t.Errorf("%s with %q: %v", what, id, err)
			}
		}
	}
	letters := make([]byte, 10_000) // that can't be compressed
	for i := range letters {
		letters[i] = 'a' + byte(rand.N(26))
	}
	long := string(letters)
	if err := s.Append(t.Context(), long, memory.Position{}, input("one")); !errors.Is(err, errors.ErrUnsupported) || errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a long id: %v", err)
	}
	if _, err := s.Info(t.Context(), long); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a long id: %v", err)
	}
	if err := s.SetMeta(t.Context(), "s", "k", long); err != nil {
		t.Errorf("a long value: %v", err)
	}
}

// The server would cut the names of two schemas to one.
func TestLongSchema(t *testing.T) {
	srv, err := server()
	if err != nil {
		t.Skip(err)
	}
	for size, fits := range map[int]bool{63: true, 64: false} {
		s, err := postgres.Open(t.Context(), srv.URL, &postgres.Options{Schema: strings.Repeat("s", size)})
		if err == nil {
			s.Close()
		}
		if fits != (err == nil) || err != nil && !strings.Contains(err.Error(), "choose a shorter one") {
			t.Errorf("a name of %d bytes: %v", size, err)
		}
	}
}
