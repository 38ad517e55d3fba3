package postgres_test

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
)

// The sessions of a user, from whichever machine they were written.
func Example() {
	ctx := context.Background()
	store, err := postgres.Open(ctx, "postgres://whorl@db.internal/sessions", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	for info, err := range store.List(ctx, memory.Query{Meta: map[string]string{"user": "ann"}, Limit: 20}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(info.ID, info.Records, info.Changed)
	}
}
