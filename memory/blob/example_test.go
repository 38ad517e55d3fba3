package blob_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/blob"
	"github.com/whorl-go/whorl/memory/sqlite"
)

// Two sessions have the same picture, which stands in the database once.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "blob")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// region open
	inside, err := sqlite.Open(filepath.Join(dir, "sessions.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer inside.Close()
	store, err := blob.New(inside, nil) // what runs and pages are given
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	for _, id := range []string{"ann", "bob"} {
		l, err := memory.Create(store, id, nil)
		if err != nil {
			log.Fatal(err)
		}
		if err := l.Append(ctx, picture(1)); err != nil {
			log.Fatal(err)
		}
	}
	l, err := memory.Open(ctx, store, "bob")
	if err != nil {
		log.Fatal(err)
	}
	size := func(r memory.Record) int {
		raw, err := r.AppendJSON(nil)
		if err != nil {
			log.Fatal(err)
		}
		return len(raw)
	}
	for _, r := range l.Records(0) {
		fmt.Println("the log has", size(r)/10_000*10, "KB")
	}
	for r, err := range inside.Load(ctx, "bob", memory.Position{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("the record in the database", size(r)/10_000*10, "KB")
	}
	// Output:
	// the log has 30 KB
	// the record in the database 0 KB
}
