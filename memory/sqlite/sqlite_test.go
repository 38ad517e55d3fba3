package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/memory/storetest"
)

func open(t testing.TB, path string, opts *sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) memory.Store {
		return open(t, filepath.Join(t.TempDir(), "odd #?% name.db"), nil)
	})
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) memory.Store { return open(b, filepath.Join(b.TempDir(), "s.db"), nil) })
}

// A reader that stops early leaves nothing behind, whatever was being read.
func TestLoadStoppedEarly(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	storetest.Fill(t, s, "s", 1000)
	stops := 200
	if raceEnabled { // it is the reading that takes long
		stops = 20
	}
	for stop := range stops {
		n := 0
		for _, err := range s.Load(t.Context(), "s", memory.Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n > stop*10 {
				break
			}
		}
	}
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1000*storetest.RecordsPerStep + 1}, input("more")); err != nil {
		t.Error(err)
	}
}

// A store stays where it was opened when the working folder changes.
func TestWorkingFolderChanges(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, "s.db", nil)
	if err := s.Append(t.Context(), "s", memory.Position{}, input("one")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var wg sync.WaitGroup
	for range 8 { // which are more connections than there are
		wg.Go(func() {
			for range s.Load(t.Context(), "s", memory.Position{}) {
				if _, err := s.Info(t.Context(), "s"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1}, input("two")); err != nil {
		t.Error(err)
	}
}
