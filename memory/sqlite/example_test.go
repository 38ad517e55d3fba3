package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/transport"
)

// A session in a file, and a fork of it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := sqlite.Open(filepath.Join(dir, "sessions.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	session, err := memory.Create(store, "ann-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Hello.")}); err != nil {
		log.Fatal(err)
	}
	if _, err := memory.ForkSession(ctx, store, "ann-1", 1, "ann-2", nil); err != nil {
		log.Fatal(err)
	}
	for info, err := range store.List(ctx, memory.Query{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(info.ID, info.Records, info.Origin)
	}
	// Output:
	// ann-2 1 ann-1
	// ann-1 1
}
