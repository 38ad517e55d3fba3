package sqlite_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/transport"
)

// A session that is deleted leaves no row in any table.
func TestDeletedSessionsLeaveNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	ctx := t.Context()
	rows := func() string {
		t.Helper()
		var b strings.Builder
		for _, table := range []string{"sessions", "records", "meta", "leases", "inbox", "blobs", "blob_refs"} {
			var n int
			if err := s.DB().QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%s %d\n", table, n)
		}
		return b.String()
	}
	before := rows()
	input := memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(s.Append(ctx, "s", memory.Position{Start: &memory.Start{Meta: map[string]string{"user": "ann"}}}, input, input))
	do(s.Append(ctx, "s/1", memory.Position{Start: &memory.Start{Parent: "s"}}, input))
	do(s.Fork(ctx, "s", memory.Position{Records: 1}, "f", nil))
	for _, id := range []string{"s", "s/1", "f"} {
		do(memory.Enqueue(ctx, s, id, transport.UserText("more")))
		do(s.Wake(ctx, id, time.Now().Add(time.Hour)))
		do(s.Lease(ctx, id, "me", time.Nanosecond))
		_, err := s.PutBlob(ctx, id, memory.Blob{MediaType: "text/plain", Data: []byte(id)})
		do(err)
	}
	if between := rows(); strings.Contains(between, " 0\n") {
		t.Fatalf("nothing was written to some:\n%s", between)
	}
	do(s.Delete(ctx, "s"))
	do(s.Delete(ctx, "f"))
	if after := rows(); after != before {
		t.Errorf("left behind:\n%s\nbefore there were\n%s", after, before)
	}
}

// What is deleted can't be read in the files any more, in the journal neither, whoever
// deletes it.
func TestDeletedBytesAreGone(t *testing.T) {
	for what, remove := range map[string]func(*sqlite.Store) error{
		"Delete": func(s *sqlite.Store) error { return s.Delete(t.Context(), "s") },
		"DeleteOld": func(s *sqlite.Store) error {
			_, err := s.DeleteOld(t.Context(), "s", time.Now().Add(time.Hour), false)
			return err
		},
	} {
		path := filepath.Join(t.TempDir(), "s.db")
		s := open(t, path, nil)
		if err := s.Append(t.Context(), "s", memory.Position{}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("the secret word")}); err != nil {
			t.Fatal(err)
		}
		there := func() bool {
			t.Helper()
			var all []byte
			for _, name := range []string{path, path + "-wal"} {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, data...)
			}
			return bytes.Contains(all, []byte("secret"))
		}
		if !there() {
			t.Fatal("the files don't have what was written")
		}
		if err := remove(s); err != nil {
			t.Fatal(err)
		}
		if there() {
			t.Errorf("%s: it can still be read", what)
		}
	}
}

// What is committed outlives a loss of power: the journal is written to the disk before that.
func TestCommitsAreOnTheDisk(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "s.db"), nil)
	var level int
	if err := s.DB().QueryRow("PRAGMA synchronous").Scan(&level); err != nil || level < 2 { // FULL
		t.Errorf("synchronous is %d, %v", level, err)
	}
}
