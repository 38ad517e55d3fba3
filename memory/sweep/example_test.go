package sweep_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sweep"
	"github.com/whorl-go/whorl/transport"
)

func Example() {
	ctx := context.Background()
	store := new(memory.RAM) // or sqlite.Open, postgres.Open
	conversation, err := memory.Create(store, "ann-1", nil)
	if err == nil {
		err = conversation.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Hello.")})
	}
	if err != nil {
		log.Fatal(err)
	}
	for _, days := range []int{90, -1} {
		res, err := sweep.Old(ctx, store, sweep.Options{
			Before: time.Now().AddDate(0, 0, -days),
			Each:   func(s memory.Info, fate sweep.Fate, _ error) { fmt.Println(s.ID, fate) },
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(days, "days:", res.Deleted, "deleted")
	}
	// Output:
	// 90 days: 0 deleted
	// ann-1 deleted
	// -1 days: 1 deleted
}
