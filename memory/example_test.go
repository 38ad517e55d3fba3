package memory_test

import (
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A log keeps what was said; a fork goes its own way from there, and shares
// what lies before.
func Example() {
	ctx := context.Background()
	l := memory.NewLog()
	say := func(l *memory.Log, text string) {
		if err := l.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText(text)}); err != nil {
			log.Fatal(err)
		}
	}
	say(l, "Name a mollusc.")
	f := l.Fork()
	say(f, "One with a shell, please.")

	fmt.Println(len(l.Messages()), len(f.Messages()))
	fmt.Println(string(f.Messages()[1].AppendJSON(nil)))
	// Output:
	// 1 2
	// {"role":"user","content":[{"type":"text","text":"One with a shell, please."}]}
}
