package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
	"github.com/whorl-go/whorl/memory/search"
	"github.com/whorl-go/whorl/transport"
)

// Deleting a fork doesn't go through the words of what it shares with a session that is
// gone: it took as long as that session is.
func TestDeletingForksOfTheDeleted(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	says := func(text string) memory.Record {
		return memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}
	}
	must(s.Append(t.Context(), "s", memory.Position{}, says("apples"), says("pears")))
	for n := range 3 {
		id := fmt.Sprint("fork", n)
		must(s.Fork(t.Context(), "s", memory.Position{Records: 2}, id, nil))
		must(s.Append(t.Context(), id, memory.Position{Records: 2}, says("plums")))
	}
	find := func(words string) int {
		t.Helper()
		matches, err := s.Search(t.Context(), search.Query{Words: words})
		must(err)
		return len(matches)
	}
	if apples, plums := find("apples"), find("plums"); apples != 1 || plums != 3 {
		t.Fatalf("found %d and %d", apples, plums)
	}
	var looked []int64
	remove := s.db.Index.Remove
	s.db.Index.Remove = func(ctx context.Context, tx sqlstore.Tx, first, before int64) error {
		looked = append(looked, first>>32)
		return remove(ctx, tx, first, before)
	}
	for n, id := range []string{"s", "fork0", "fork1", "fork2"} {
		must(s.Delete(t.Context(), id))
		if want := int64(1 + n); len(looked) != n+1 || looked[n] != want {
			t.Errorf("deleting %q looked for the words of the sessions %d, want %d last", id, looked, want)
		}
		if apples, plums := find("apples"), find("plums"); apples != 0 || plums != 3-n {
			t.Errorf("without %q found %d and %d", id, apples, plums)
		}
	}
	var rows int
	must(s.db.Read.QueryRow("SELECT (SELECT count(*) FROM search) + (SELECT count(*) FROM records) + (SELECT count(*) FROM sessions)").Scan(&rows))
	if rows != 0 {
		t.Errorf("%d rows are left", rows)
	}
}
