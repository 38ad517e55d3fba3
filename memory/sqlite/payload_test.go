package sqlite_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/transport"
)

// screenshot is the result of a call with a picture of 64 KB, different for each n.
func screenshot(t *testing.T, n int) memory.Record {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), 0))
	data := make([]byte, 64<<10)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	b, err := transport.ParseBlock([]byte(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + base64.StdEncoding.EncodeToString(data) + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	return memory.Record{Kind: memory.KindResult, Block: transport.ToolResult(fmt.Sprint("c", n), b)}
}

// A picture beside the records costs no more than one in them: of what is written to
// the disk, and in a fork too.
func TestPayloadsWriteLess(t *testing.T) {
	const sessions, shots = 20, 10
	cost := func(wrap func(memory.Store) memory.Store) (appends, forks int64) {
		path := filepath.Join(t.TempDir(), "s.db")
		inside := open(t, path, nil)
		exec(t, inside, "PRAGMA wal_autocheckpoint = 0") // so that the journal shows all that is written
		s := wrap(inside)
		for n := range sessions {
			id := fmt.Sprint("s", n)
			if err := s.Append(t.Context(), id, memory.Position{}, input("go")); err != nil {
				t.Fatal(err)
			}
			before := size(t, path+"-wal")
			for i := range shots {
				if err := s.Append(t.Context(), id, memory.Position{Records: 1 + i}, screenshot(t, n*shots+i)); err != nil {
					t.Fatal(err)
				}
			}
			appends += size(t, path+"-wal") - before
			before = size(t, path+"-wal")
			forker, err := memory.Need[memory.Forker](s)
			if err == nil {
				err = forker.Fork(t.Context(), id, memory.Position{Records: 1 + shots}, id+"/fork", nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			forks += size(t, path+"-wal") - before
		}
		return appends / sessions / shots, forks / sessions
	}
	plainAppend, plainFork := cost(func(s memory.Store) memory.Store { return s })
	append, fork := cost(func(s memory.Store) memory.Store {
		b, err := blob.New(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
	t.Logf("in the records: %d bytes an append, %d a fork; beside them: %d, %d", plainAppend, plainFork, append, fork)
	if append > plainAppend {
		t.Errorf("a picture beside the records writes %d bytes, one in them %d", append, plainAppend)
	}
	const page = 4096
	if fork > plainFork+4*page { // which says that it has the ten, too
		t.Errorf("a fork of a session with pictures beside its records writes %d bytes, of one with pictures in them %d", fork, plainFork)
	}
}

// Appending and loading pictures beside the records takes allocations for their rows,
// and none of the pictures' size more than they have in the records: a picture is not
// parsed again.
func TestPayloadsAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates, too")
	}
	const shots = 10
	cost := func(s memory.Store) (appends, loads float64, bytes uint64) {
		n := 0
		for range shots {
			if err := s.Append(t.Context(), "s", memory.Position{Records: n}, screenshot(t, n)); err != nil {
				t.Fatal(err)
			}
			n++
		}
		load := func() {
			for _, err := range s.Load(t.Context(), "s", memory.Position{}) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		const runs = 20
		loads = testing.AllocsPerRun(runs, load)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			load()
		}
		runtime.ReadMemStats(&after)
		more := make([]memory.Record, runs+1)
		for i := range more {
			more[i] = screenshot(t, n+i)
		}
		appends = testing.AllocsPerRun(runs, func() {
			if err := s.Append(t.Context(), "s", memory.Position{Records: n}, more[n-shots]); err != nil {
				t.Fatal(err)
			}
			n++
		})
		return appends, loads, (after.TotalAlloc - before.TotalAlloc) / runs
	}
	plain := open(t, filepath.Join(t.TempDir(), "plain.db"), nil)
	aside, err := blob.New(open(t, filepath.Join(t.TempDir(), "aside.db"), nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	plainAppends, plainLoads, plainBytes := cost(plain)
	appends, loads, bytes := cost(aside)
	t.Logf("in the records: %.0f allocations an append, %.0f a load of ten (%d bytes); beside them: %.0f, %.0f (%d bytes)",
		plainAppends, plainLoads, plainBytes, appends, loads, bytes)
	if appends > plainAppends+60 || loads > plainLoads+shots*35 {
		t.Errorf("beside the records: %.0f allocations an append, %.0f a load; in them %.0f, %.0f", appends, loads, plainAppends, plainLoads)
	}
	if most := plainBytes + shots*72<<10; bytes > most { // the bytes beside the base64 that is made of them
		t.Errorf("beside the records a load allocates %d bytes, at most %d are fine", bytes, most)
	}
}
