package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
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
