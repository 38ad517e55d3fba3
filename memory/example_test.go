package memory_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A session is exported as JSON Lines.
func ExampleExport() {
	ctx := context.Background()
	store := new(memory.RAM)
	session, err := memory.Create(store, "ann-1")
	if err != nil {
		log.Fatal(err)
	}
	if err := session.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Hello.")}); err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	if err := memory.Export(ctx, store, "ann-1", &out); err != nil {
		log.Fatal(err)
	}
	info, err := memory.Import(ctx, store, &out, "copy")
	if err != nil {
		log.Fatal(err)
	}
	for r, err := range store.Load(ctx, info.ID, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(r.Kind, r.Message.Text())
	}
	// Output: input Hello.
}

// A log gives the messages of the next request.
func ExampleLog() {
	session := memory.NewLog()
	err := session.Append(context.Background(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("Hello.")})
	if err != nil {
		log.Fatal(err)
	}
	var request strings.Builder
	for _, m := range session.Messages() {
		request.Write(m.AppendJSON(nil))
	}
	fmt.Println(request.String())
	// Output: {"role":"user","content":[{"type":"text","text":"Hello."}]}
}
