package sqlite_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/storetest"
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
	if raceEnabled {
		t.Skip("compares sizes")
	}
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

// A disk that is full at any page of an append with a payload has stored nothing of it:
// neither the record, nor the payload, nor that the session has it.
func TestFullAtEachPage(t *testing.T) {
	inside := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	s, err := blob.New(inside, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), "s", memory.Position{}, screenshot(t, 0)); err != nil {
		t.Fatal(err)
	}
	count := func() (list [4]int) {
		t.Helper()
		row := inside.DB().QueryRow("SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM blobs), (SELECT count(*) FROM blob_refs), (SELECT n FROM sessions WHERE id = 's')")
		if err := row.Scan(&list[0], &list[1], &list[2], &list[3]); err != nil {
			t.Fatal(err)
		}
		return list
	}
	var pages int
	if err := inside.DB().QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	before, refused := count(), 0
	for room := 0; ; room++ {
		exec(t, inside, fmt.Sprintf("PRAGMA max_page_count = %d", pages+room))
		err := s.Append(t.Context(), "s", memory.Position{Records: 1}, screenshot(t, 1), input("and"), screenshot(t, 2))
		if err == nil {
			break
		}
		refused++
		if !errors.Is(err, memory.ErrFull) || count() != before {
			t.Fatalf("with room for %d pages: %v, %v, want %v", room, err, count(), before)
		}
		if room > 200 {
			t.Fatal("it is never stored")
		}
	}
	if got := count(); refused < 30 || got != [4]int{4, 3, 3, 4} {
		t.Errorf("refused %d times, then %v", refused, got)
	}
}

// Whichever statement of an append, a fork or a deletion fails, nothing of it is done.
func TestEachStatementFails(t *testing.T) {
	failed := 0
	for _, table := range []string{"sessions", "records", "blobs", "blob_refs"} {
		for _, does := range []string{"INSERT", "UPDATE", "DELETE"} {
			inside := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
			s, err := blob.New(inside, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"a", "b"} {
				if err := s.Append(t.Context(), id, memory.Position{}, screenshot(t, 0), screenshot(t, 1)); err != nil {
					t.Fatal(err)
				}
			}
			forker, err := memory.Need[memory.Forker](s)
			if err != nil {
				t.Fatal(err)
			}
			dump := func() (text string) {
				t.Helper()
				if err := inside.DB().QueryRow(`SELECT (SELECT group_concat(id || ' ' || n) FROM sessions) || (SELECT group_concat(id) FROM records) || (SELECT group_concat(name) FROM blobs) || (SELECT group_concat(session || ' ' || blob) FROM blob_refs)`).Scan(&text); err != nil {
					t.Fatal(err)
				}
				return text
			}
			exec(t, inside, "CREATE TRIGGER fails BEFORE "+does+" ON "+table+" BEGIN SELECT RAISE(ABORT, 'of the test'); END")
			for _, op := range []struct {
				name string
				do   func() error
			}{
				{"append", func() error { return s.Append(t.Context(), "a", memory.Position{Records: 2}, screenshot(t, 2)) }},
				{"begin", func() error { return s.Append(t.Context(), "c", memory.Position{}, screenshot(t, 0)) }},
				{"fork", func() error { return forker.Fork(t.Context(), "b", memory.Position{Records: 2}, "f", nil) }},
				{"delete", func() error { return s.Delete(t.Context(), "a") }},
			} {
				before := dump()
				if err := op.do(); err == nil {
					continue // it doesn't do that
				} else if after := dump(); after != before || !strings.Contains(err.Error(), "of the test") {
					t.Errorf("%s %s, %s: %v; stored %s, before %s", does, table, op.name, err, after, before)
				}
				failed++
			}
		}
	}
	if failed < 15 {
		t.Errorf("%d operations failed: the test tests little", failed)
	}
}

// Two processes that append, fork and delete the same payloads leave none behind.
func TestTwoProcessesWithPayloads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	one, two := open(t, path, nil), open(t, path, nil)
	storetest.RaceBlobs(t, one, two)
	for _, table := range []string{"blobs", "blob_refs", "records", "sessions"} {
		var n int
		if err := one.DB().QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows are left in %s: %v", n, table, err)
		}
	}
}
