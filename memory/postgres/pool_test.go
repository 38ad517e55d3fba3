package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/search"
)

// What has a connection never waits for a second one: with few of them, or many calls at
// once, nobody would ever give one back.
func TestFewConnections(t *testing.T) {
	for conns := 1; conns <= 2; conns++ {
		s := open(t, postgres.Options{MaxConns: conns})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for n := range 4 {
			id := fmt.Sprint("s", n)
			wg.Go(func() {
				step := func(what string, err error) {
					if err != nil {
						t.Errorf("%d connections, %s: %v", conns, what, err)
					}
				}
				step("append", s.Append(ctx, id, memory.Position{}, input("apples")))
				if err := s.Fork(ctx, id, memory.Position{Records: 9}, id+" fork", nil); err == nil { // in a transaction
					t.Error("a fork behind the end was made")
				}
				_, err := s.Search(ctx, search.Query{Words: "apples"})
				step("search", err)
				name, err := s.PutBlob(ctx, id, memory.Blob{Data: []byte(id)})
				step("put a blob", err)
				_, err = s.Blob(ctx, id, name)
				step("a blob", err)
				for _, err := range s.Blobs(ctx, id) {
					step("blobs", err)
					_, err := s.Info(ctx, id)
					step("info", err)
				}
				for _, err := range s.Load(ctx, id, memory.Position{}) {
					step("load", err)
					step("append while loading", s.Append(ctx, id, memory.Position{Records: 1}, input("pears")))
				}
				step("fork", s.Fork(ctx, id, memory.Position{Records: 1}, id+"/fork", nil))
				step("enqueue", s.Enqueue(ctx, id, input("plums")))
				for _, err := range s.Inbox(ctx, id, 0) {
					step("inbox", err)
				}
				for _, err := range s.List(ctx, memory.Query{Tree: id}) {
					step("list", err)
				}
				for _, err := range s.Due(ctx, memory.Query{}) {
					step("due", err)
				}
				step("lease", s.Lease(ctx, id, "me", time.Minute))
				step("give it back", s.Lease(ctx, id, "me", 0))
				step("delete", s.Delete(ctx, id))
			})
		}
		wg.Wait()
	}
}

// Programs that start at once make the tables once.
func TestOpenAtOnce(t *testing.T) {
	srv, err := server()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		schema := fmt.Sprint("at once ", schemas.Add(1))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s, err := postgres.Open(t.Context(), srv.URL, &postgres.Options{Schema: schema})
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}
