package sqlite_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/memory/storetest"
	"github.com/whorl-go/whorl/transport"
)

func input(text string) memory.Record {
	return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
}

func load(t *testing.T, s memory.Store, id string) (texts []string, err error) {
	t.Helper()
	for r, err := range s.Load(context.Background(), id, memory.Position{}) {
		if err != nil {
			return texts, err
		}
		texts = append(texts, r.Message.Text())
	}
	return texts, nil
}

// What fails gives an error that says what to do, loses nothing, and passes
// once its cause does.
func TestFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, path string, s *sqlite.Store) (mend func())
		want  error
	}{
		"full": {func(t *testing.T, _ string, s *sqlite.Store) func() {
			exec(t, s, "PRAGMA max_page_count = 1") // it is set to the present size
			return func() { exec(t, s, "PRAGMA max_page_count = 100000") }
		}, memory.ErrFull},
		"locked": {func(t *testing.T, path string, s *sqlite.Store) func() {
			other := open(t, path, nil)
			exec(t, other, "BEGIN IMMEDIATE") // the other program writes, and goes on writing
			return func() { exec(t, other, "ROLLBACK") }
		}, memory.ErrLocked},
		"read-only": {func(t *testing.T, _ string, s *sqlite.Store) func() {
			exec(t, s, "PRAGMA query_only = 1")
			return func() { exec(t, s, "PRAGMA query_only = 0") }
		}, memory.ErrReadOnly},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s.db")
			s := open(t, path, &sqlite.Options{Wait: 50 * time.Millisecond})
			log, err := memory.Create(s, "s", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := log.Append(t.Context(), input("one")); err != nil {
				t.Fatal(err)
			}
			big := input(strings.Repeat("x", 100_000))
			mend := tt.spoil(t, path, s)
			if err := log.Append(t.Context(), input("two"), big); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), `"s"`) {
				t.Errorf("append: %v; want one that matches %q and names the session", err, tt.want)
			}
			if texts, err := load(t, s, "s"); err != nil || len(texts) != 1 || log.Len() != 1 {
				t.Errorf("after the fault: %d records stored, %d in the log (%v)", len(texts), log.Len(), err)
			}
			mend()
			if err := log.Append(t.Context(), input("two"), big); err != nil {
				t.Errorf("once it had passed: %v", err)
			}
			if texts, err := load(t, s, "s"); err != nil || len(texts) != 3 {
				t.Errorf("at the end: %d records, %v", len(texts), err)
			}
		})
	}
}

// A disk that fills up while a picture is stored has stored nothing of its record.
// A picture whose row is gone or was changed is named, and all else is readable.
func TestPayloadFaults(t *testing.T) {
	inside := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	s, err := blob.New(inside, nil)
	if err != nil {
		t.Fatal(err)
	}
	picture := func(n int) memory.Record {
		data := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fmt.Sprint("picture ", n), 5000)))
		b, err := transport.ParseBlock([]byte(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}}`))
		if err != nil {
			t.Fatal(err)
		}
		return memory.Record{Kind: memory.KindResult, Block: transport.ToolResult("c", b)}
	}
	count := func() (n int, err error) {
		for _, err := range s.Load(t.Context(), "s", memory.Position{}) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	if err := s.Append(t.Context(), "s", memory.Position{}, picture(1)); err != nil {
		t.Fatal(err)
	}
	exec(t, inside, "PRAGMA max_page_count = 1")
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1}, input("hi"), picture(2)); !errors.Is(err, memory.ErrFull) || !strings.Contains(err.Error(), `"s"`) {
		t.Errorf("the disk is full: %v", err)
	}
	if n, err := count(); n != 1 || err != nil {
		t.Errorf("after that %d records, %v", n, err)
	}
	exec(t, inside, "PRAGMA max_page_count = 100000")
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1}, input("hi"), picture(2)); err != nil {
		t.Error(err)
	}
	if n, err := count(); n != 3 || err != nil {
		t.Errorf("once there is room %d records, %v", n, err)
	}
	for _, spoil := range []string{
		"UPDATE blobs SET data = x'6261' WHERE name = (SELECT max(name) FROM blobs)",
		"DELETE FROM blobs WHERE name = (SELECT max(name) FROM blobs)",
	} {
		var name string
		if err := inside.DB().QueryRow("SELECT max(name) FROM blobs").Scan(&name); err != nil {
			t.Fatal(err)
		}
		exec(t, inside, spoil)
		_, err := count()
		var lost *blob.LostError
		if !errors.As(err, &lost) || lost.Name != name || !errors.Is(err, memory.ErrCorrupt) {
			t.Errorf("%s: %v", spoil, err)
		}
		readable := 0
		for n := range 3 {
			for _, err := range s.Load(t.Context(), "s", memory.Position{Records: n}) {
				if err == nil {
					readable++
				}
				break
			}
		}
		if readable != 2 {
			t.Errorf("%s: %d records of 3 are readable by themselves", spoil, readable)
		}
	}
}

func exec(t *testing.T, s *sqlite.Store, stmt string) {
	t.Helper()
	if _, err := s.DB().Exec(stmt); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	if _, err := sqlite.Open(path, &sqlite.Options{ReadOnly: true}); !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("a file that isn't there: %v", err)
	}
	if err := open(t, path, nil).Append(t.Context(), "s", memory.Position{}, input("one")); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, &sqlite.Options{ReadOnly: true})
	if texts, err := load(t, s, "s"); err != nil || len(texts) != 1 {
		t.Errorf("%q, %v", texts, err)
	}
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1}, input("two")); !errors.Is(err, memory.ErrReadOnly) {
		t.Errorf("append: %v", err)
	}
}

// What is not in the index of a file that can't be written to is found all the same, by
// the same rules.
func TestSearchReadOnly(t *testing.T) {
	ctx, path := t.Context(), filepath.Join(t.TempDir(), "s.db")
	w := open(t, path, nil)
	find := func(s *sqlite.Store, q search.Query) (list string) {
		t.Helper()
		matches, err := s.Search(ctx, q)
		if err != nil {
			t.Errorf("%+v: %v", q, err)
		}
		for _, m := range matches {
			list += fmt.Sprintf("%s/%d ", m.Session, m.Record)
		}
		return list
	}
	add := func(id string, n int, texts ...string) {
		t.Helper()
		var records []memory.Record
		for _, text := range texts {
			records = append(records, input(text))
		}
		if err := w.Append(ctx, id, memory.Position{Records: n}, records...); err != nil {
			t.Fatal(err)
		}
	}
	add("a", 0, "a walrus", "nothing")
	if got := find(w, search.Query{Words: "walrus"}); got != "a/0 " {
		t.Fatalf("found %q", got)
	}
	add("a", 2, "more", "Walrüs and PENGUIN")
	add("b", 0, "pear", "")
	if err := errors.Join(w.SetMeta(ctx, "b", "user", "ann"), w.Fork(ctx, "a", memory.Position{Records: 4}, "fork", nil)); err != nil {
		t.Fatal(err)
	}
	add("fork", 4, "a penguin of its own")
	add("many", 0, strings.Split(strings.Repeat("one of many,", 300)+"the last one", ",")...)
	s := open(t, path, &sqlite.Options{ReadOnly: true})
	for range 2 {
		for _, tt := range []struct {
			q    search.Query
			want string
		}{
			{search.Query{Words: "walrus"}, "a/0 a/3 "},
			{search.Query{Words: "penguin walrus"}, "a/3 a/0 fork/4 "},
			{search.Query{Words: "penguin walrus", Limit: 1}, "a/3 "},
			{search.Query{Words: "pear walrus", Meta: map[string]string{"user": "ann"}}, "b/0 "},
			{search.Query{Words: "last"}, "many/300 "},
			{search.Query{Words: "of many last", Limit: 1}, "many/0 "},
			{search.Query{Words: "giraffe"}, ""},
		} {
			if got := find(s, tt.q); got != tt.want {
				t.Errorf("%+v: found %q, want %q", tt.q, got, tt.want)
			}
		}
	}
	// A damaged record hides no other, whether it was in the index by then or not.
	for _, tt := range []struct{ damage, want string }{
		{"UPDATE records SET data = CAST('{}' AS BLOB) WHERE CAST(data AS TEXT) GLOB '*PENGUIN*'", "a/0 fork/4 "},
		{"UPDATE records SET data = CAST('{}' AS BLOB) WHERE CAST(data AS TEXT) GLOB '*penguin*'", "a/0 "},
		{"DELETE FROM records WHERE CAST(data AS TEXT) = '{}'", "a/0 "},
	} {
		exec(t, w, tt.damage)
		for name, s := range map[string]*sqlite.Store{"read-only": s, "writing": w} {
			if got := find(s, search.Query{Words: "penguin walrus"}); got != tt.want {
				t.Errorf("%s, %s: found %q, want %q", tt.damage, name, got, tt.want)
			}
		}
	}
}

// A search ends where records are missing that it has yet to put into the index, and finds
// those behind them.
func TestSearchBehindMissingRecords(t *testing.T) {
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, id := range []string{"a", "b"} {
		if err := s.Append(t.Context(), id, memory.Position{}, input("walrus"), input("penguin"), input("giraffe")); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, s, "DELETE FROM records WHERE id & 4294967295 = 0 OR id >> 32 = 2")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range 2 {
		if got, err := s.Search(ctx, search.Query{Words: "walrus penguin giraffe"}); err != nil {
			t.Errorf("found %v, %v", got, err)
		}
	}
	if err := s.Append(ctx, "b", memory.Position{Records: 3}, input("ocelot")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Search(ctx, search.Query{Words: "ocelot"}); err != nil || len(got) != 1 || got[0].Record != 3 {
		t.Errorf("found %v, %v", got, err)
	}
}

// A call to a store that was closed says so.
func TestClosed(t *testing.T) {
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := s.Append(ctx, "s", memory.Position{}, input("one")); err != nil {
		t.Fatal(err)
	}
	loading := s.Load(ctx, "s", memory.Position{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, info := s.Info(ctx, "s")
	_, found := s.Search(ctx, search.Query{Words: "one"})
	_, blob := s.Blob(ctx, "s", "x")
	_, deleted := s.DeleteOld(ctx, "s", time.Now(), true)
	errs := map[string]error{
		"append": s.Append(ctx, "s", memory.Position{Records: 1}, input("two")), "info": info, "search": found, "blob": blob, "delete old": deleted,
		"fork": s.Fork(ctx, "s", memory.Position{}, "f", nil), "delete": s.Delete(ctx, "s"), "lease": s.Lease(ctx, "s", "me", time.Minute),
		"enqueue": s.Enqueue(ctx, "s", input("x")), "reserve": s.Reserve(ctx, budget.Budget{Name: "b", USD: 1}, "id", 1),
	}
	for _, errs["load"] = range loading {
	}
	for _, errs["list"] = range s.List(ctx, memory.Query{}) {
	}
	for _, errs["due"] = range s.Due(ctx, memory.Query{}) {
	}
	for _, errs["inbox"] = range s.Inbox(ctx, "s", 0) {
	}
	for call, err := range errs {
		if !errors.Is(err, fs.ErrClosed) || !errors.Is(err, memory.ErrUnavailable) || errors.Is(err, memory.ErrCorrupt) {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// A blob that can't be looked for is neither missing nor of a session that is gone.
func TestBlobOfADamagedFile(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	if err := s.Append(t.Context(), "s", memory.Position{}, input("one")); err != nil {
		t.Fatal(err)
	}
	exec(t, s, "ALTER TABLE meta RENAME TO away")
	if _, err := s.Blob(t.Context(), "s", "none"); err == nil || errors.Is(err, memory.ErrNoSession) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestOtherFiles(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		content string
		want    error
	}{
		"text":   {strings.Repeat("this is no database\n", 100), memory.ErrCorrupt},
		"header": {"SQLite format 3\x00" + strings.Repeat("\x00\x01", 1000), memory.ErrCorrupt},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlite.Open(path, nil); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sqlite.Open(filepath.Join(dir, "no", "such", "folder"), nil); !errors.Is(err, memory.ErrUnavailable) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := sqlite.Open("", nil); err == nil {
		t.Error("opened nothing")
	}
	newer := open(t, filepath.Join(dir, "newer"), nil)
	exec(t, newer, "PRAGMA user_version = 99")
	if _, err := sqlite.Open(filepath.Join(dir, "newer"), nil); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("a newer file: %v", err)
	}
}

func TestDamagedRecords(t *testing.T) {
	for name, stmt := range map[string]string{
		"changed": "UPDATE records SET data = CAST(replace(CAST(data AS TEXT), 'three', 'THREE') AS BLOB)",
		"cut off": "UPDATE records SET data = substr(data, 1, 30) WHERE id & 4294967295 = 2",
		"gone":    "DELETE FROM records WHERE id & 4294967295 = 2",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
			if err := s.Append(t.Context(), "s", memory.Position{}, input("one"), input("two"), input("three"), input("four")); err != nil {
				t.Fatal(err)
			}
			exec(t, s, stmt)
			texts, err := load(t, s, "s")
			var re *memory.RecordError
			if !errors.As(err, &re) || re.Record != 2 || !errors.Is(err, memory.ErrCorrupt) || strings.Join(texts, " ") != "one two" {
				t.Errorf("%q, then %v", texts, err)
			}
			if _, err := memory.Open(t.Context(), s, "s"); !errors.Is(err, memory.ErrCorrupt) {
				t.Errorf("open: %v", err)
			}
			// As the error says, those before it make a session.
			log, err := memory.ForkSession(t.Context(), s, "s", re.Record, "saved", nil)
			if err != nil || log.Len() != 2 {
				t.Errorf("saved: %v", err)
			}
		})
	}
}

// A step costs the same in a long session as in a short one: in bytes written
// to the disk, and in allocations.
func TestAppendCostsWhatIsNew(t *testing.T) {
	const window = 100
	cost := func(steps int) (bytes int64, allocs float64) {
		path := filepath.Join(t.TempDir(), "s.db")
		s := open(t, path, nil)
		exec(t, s, "PRAGMA wal_autocheckpoint = 0") // so that the journal shows all that is written
		storetest.Fill(t, s, "s", steps)
		before := size(t, path+"-wal")
		n := steps
		allocs = testing.AllocsPerRun(window-1, func() {
			storetest.AppendStep(t, s, "s", n)
			n++
		})
		return (size(t, path+"-wal") - before) / window, allocs
	}
	shortBytes, shortAllocs := cost(20)
	longBytes, longAllocs := cost(2000)
	t.Logf("a step at 20: %d bytes, %.0f allocations; at 2,000: %d bytes, %.0f allocations", shortBytes, shortAllocs, longBytes, longAllocs)
	const most = 182                       // allocations of a step at 2,000; before sessions had incarnations it made 182
	if longAllocs > most && !raceEnabled { // the race detector allocates, too
		t.Errorf("a step costs %.0f allocations, at most %d is fine", longAllocs, most)
	}
	if float64(longBytes) > 1.2*float64(shortBytes) || longAllocs > 1.2*shortAllocs {
		t.Errorf("a step at 2,000 steps costs %d bytes and %.0f allocations, at 20 steps %d and %.0f; at most 1.2 times as much is fine",
			longBytes, longAllocs, shortBytes, shortAllocs)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// Two processes have the file open: what one appends the other sees, and of two
// that append at the same time one is told.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	one, two := open(t, path, nil), open(t, path, nil)
	done := make(chan int)
	for _, s := range []*sqlite.Store{one, two} {
		go func() {
			won := 0
			for won < 50 {
				info, err := s.Info(context.Background(), "s")
				if err != nil && !errors.Is(err, memory.ErrNoSession) {
					t.Error(err)
					break
				}
				err = s.Append(context.Background(), "s", memory.Position{Records: info.Records}, input(fmt.Sprint(info.Records)))
				if err == nil {
					won++
				} else if !errors.Is(err, memory.ErrConflict) {
					t.Error(err)
					break
				}
			}
			done <- won
		}()
	}
	total := <-done + <-done
	texts, err := load(t, one, "s")
	if err != nil || len(texts) != total {
		t.Errorf("%d records for %d appends: %v", len(texts), total, err)
	}
	for i, text := range texts {
		if text != fmt.Sprint(i) {
			t.Fatalf("record %d is %q", i, text)
		}
	}
}

// Wherever the disk damages the file, what is read is what was written, up to an
// error that says so.
func TestDamagedPages(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	s, err := sqlite.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	const records = 600
	for n := 0; n < records; n += 20 {
		var list []memory.Record
		for i := range 20 {
			list = append(list, input(fmt.Sprintf("%d %s", n+i, strings.Repeat("x", (n+i)*17%3000))))
		}
		if err := s.Append(t.Context(), "s", memory.Position{Records: n}, list...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil { // what is in the journal goes into the file
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	found := 0
	for p := 1; p < len(whole)/page; p += 1 + len(whole)/page/60 {
		bad := append([]byte(nil), whole...)
		for i := range page / 2 {
			bad[p*page+i] ^= 0xa5
		}
		path := filepath.Join(dir, fmt.Sprint(p))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := sqlite.Open(path, nil)
		if err != nil {
			if !errors.Is(err, memory.ErrCorrupt) {
				t.Errorf("page %d: open: %v", p, err)
			}
			continue
		}
		texts, err := load(t, s, "s")
		if err != nil {
			found++
			if !errors.Is(err, memory.ErrCorrupt) {
				t.Errorf("page %d: %v", p, err)
			}
		}
		if err == nil && len(texts) != records {
			t.Errorf("page %d: %d records and no error", p, len(texts))
		}
		for n, text := range texts {
			if !strings.HasPrefix(text, fmt.Sprintf("%d x", n)) && text != fmt.Sprintf("%d ", n) {
				t.Fatalf("page %d: record %d is %.40q", p, n, text)
			}
		}
		s.Close()
	}
	if found < 10 {
		t.Errorf("only %d damages were found: the test tests nothing", found)
	}
}

// What is written together with an append that fails is written all the same.
func TestAppendsFailAlone(t *testing.T) {
	for name, bad := range map[string]sqlite.Change{
		"refused": {ID: "b", At: memory.Position{Records: 7}, Input: input("x")},
		"failed":  {ID: "b", Input: input("x"), Spoil: true},
	} {
		s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
		errs, err := s.Together([]sqlite.Change{{ID: "a", Input: input("x")}, bad, {ID: "c", Input: input("x")}})
		if err != nil {
			t.Fatal(err)
		}
		if errs[0] != nil || errs[1] == nil || errs[2] != nil {
			t.Errorf("%s: %v", name, errs)
		}
		for _, id := range []string{"a", "c"} {
			if texts, err := load(t, s, id); err != nil || len(texts) != 1 {
				t.Errorf("%s: session %s holds %q: %v", name, id, texts, err)
			}
		}
	}
}

// A file that somebody else writes to, such as a tool that makes a backup, can be opened
// and read; only what writes has to wait.
func TestOpenWhileLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	other := open(t, path, nil)
	if err := other.Append(t.Context(), "s", memory.Position{}, input("one")); err != nil {
		t.Fatal(err)
	}
	exec(t, other, "BEGIN IMMEDIATE")
	s := open(t, path, &sqlite.Options{Wait: 50 * time.Millisecond})
	if info, err := s.Info(t.Context(), "s"); err != nil || info.Records != 1 {
		t.Errorf("%d records, %v", info.Records, err)
	}
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1}, input("two")); !errors.Is(err, memory.ErrLocked) {
		t.Errorf("append: %v", err)
	}
	exec(t, other, "ROLLBACK")
	if err := s.Append(t.Context(), "s", memory.Position{Records: 1}, input("two")); err != nil {
		t.Error(err)
	}
	// One that has no tables yet, or old ones, can't be used.
	fresh := filepath.Join(t.TempDir(), "s.db")
	db := open(t, fresh, nil)
	exec(t, db, "PRAGMA user_version = 2")
	exec(t, db, "BEGIN IMMEDIATE")
	if _, err := sqlite.Open(fresh, &sqlite.Options{Wait: 50 * time.Millisecond}); !errors.Is(err, memory.ErrLocked) {
		t.Errorf("a file of an old version: %v", err)
	}
	exec(t, db, "ROLLBACK")
}
