package transfer_test

import (
	"bytes"
	"strings"
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
	text := file.String()
	info, err := transfer.Import(ctx, to, &file, "parent/child", &transfer.Options{Trusted: true})
	if err != nil || info.Parent != "parent" {
		t.Errorf("the parent is %q: %v", info.Parent, err)
	}
	// A stranger's file puts itself below nobody's session; whoever imports it may.
	for parent, start := range map[string]*memory.Start{"": nil, "parent": {Parent: "parent"}} {
		info, err := transfer.Import(ctx, to, strings.NewReader(text), "strangers "+parent, &transfer.Options{Start: start})
		if err != nil || info.Parent != parent {
			t.Errorf("a stranger's: the parent is %q, want %q: %v", info.Parent, parent, err)
		}
	}
}

// A tree is imported under the id that is chosen: the names of its sub-agents follow,
// and each keeps its place in it.
func TestTreeIsNamedAnew(t *testing.T) {
	ctx, from := t.Context(), new(memory.RAM)
	for _, s := range []struct{ id, parent string }{{"root", ""}, {"root/a", "root"}, {"root/a/b", "root/a"}, {"other", "root"}, {"roots", "root"}} {
		log, err := memory.Create(from, s.id, &memory.Start{Parent: s.parent, Meta: map[string]string{"of": s.id}})
		if err == nil {
			err = log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("x")})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var file bytes.Buffer
	if err := transfer.Export(ctx, from, "root", &file); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		id      string
		trusted bool
		want    string
	}{
		{"new", true, "new new/a<new new/a/b<new/a new/other<new new/roots<new"},
		{"new", false, "new new/a<new new/a/b<new/a new/other<new new/roots<new"},
		{"root", true, "other<root root root/a<root root/a/b<root/a roots<root"},
		// A stranger's file makes no session beside the one that is asked for.
		{"root", false, "root root/a<root root/a/b<root/a root/other<root root/roots<root"},
		{"roo", false, "roo roo/a<roo roo/a/b<roo/a roo/other<roo roo/roots<roo"},
	} {
		to := new(memory.RAM)
		info, err := transfer.Import(ctx, to, bytes.NewReader(file.Bytes()), tt.id, &transfer.Options{Trusted: tt.trusted})
		if err != nil || info.ID != tt.id {
			t.Errorf("%s: %q, %v", tt.id, info.ID, err)
		}
		var got []string
		for info, err := range to.List(ctx, memory.Query{Sort: "id"}) {
			if err != nil {
				t.Fatal(err)
			}
			name := info.ID
			if info.Parent != "" {
				name += "<" + info.Parent
			}
			if (info.Meta["of"] != "") != tt.trusted {
				t.Errorf("%s, trusted %v: the metadata of %s are %v", tt.id, tt.trusted, name, info.Meta)
			}
			got = append(got, name)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %s", tt.id, got, tt.want)
		}
	}
}
