package transfer_test

import (
	"bytes"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/transport"
)

// A session that is moved by itself stays the child of its parent.
func TestParentIsKept(t *testing.T) {
	ctx, from, to := t.Context(), new(memory.RAM), new(memory.RAM)
	for _, store := range []memory.Store{from, to} {
		log, err := memory.Create(store, "parent", nil)
		if err == nil {
			err = log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("x")})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	log, err := memory.Create(from, "parent/child", &memory.Start{Parent: "parent"})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("x")}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := transfer.Export(ctx, from, "parent/child", &file); err != nil {
		t.Fatal(err)
	}
	info, err := transfer.Import(ctx, to, &file, "parent/child", &transfer.Options{Trusted: true})
	if err != nil || info.Parent != "parent" {
		t.Errorf("the parent is %q: %v", info.Parent, err)
	}
}
