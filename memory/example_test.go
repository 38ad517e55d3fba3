package memory_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
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

// A session is exported as JSON Lines.
func ExampleExport() {
	ctx := context.Background()
	store := new(memory.RAM)
	session, err := memory.Create(store, "ann-1", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Hello.")}); err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	if err := transfer.Export(ctx, store, "ann-1", &out); err != nil {
		log.Fatal(err)
	}
	info, err := transfer.Import(ctx, store, &out, "copy", nil)
	if err != nil {
		log.Fatal(err)
	}
	for r, err := range store.Load(ctx, info.ID, memory.Position{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Kind, r.Message.Text()+r.Note)
	}
	// Output:
	// input Hello.
	// note taint
}
