package flow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A child notes what is told of a sub-agent, in a notebook that it shares.
type child struct {
	notebook
	name string
	all  *notebook
}

// copied copies what is new.
func (c *child) copied() {
	for _, line := range c.lines {
		c.all.note("%s: %s", c.name, line)
	}
	c.lines = nil
}

func (c *child) Begin(r int)                     { c.notebook.Begin(r); c.copied() }
func (c *child) Open(b Block)                    { c.notebook.Open(b); c.copied() }
func (c *child) Text(b Block, text string)       { c.notebook.Text(b, text); c.copied() }
func (c *child) Close(b Block)                   { c.notebook.Close(b); c.copied() }
func (c *child) Stands(r *transport.Response)    { c.notebook.Stands(r); c.copied() }
func (c *child) Over(err error, suspended bool)  { c.note("over %v %v", err, suspended); c.copied() }
func (c *child) Record(r memory.Record, num int) { c.lines = nil }

// What the feed no longer has of a sub-agent is told from the store, before the result of its
// call or at the end, once; what was told before is not begun again.
func TestSubAgentsOfTheStore(t *testing.T) {
	ctx, store := t.Context(), new(memory.RAM)
	hi := memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}
	calls := response(t, `{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"b","name":"g","input":{}}`).Record
	add := func(id string, at memory.Position, records ...memory.Record) {
		t.Helper()
		if err := store.Append(ctx, id, at, records...); err != nil {
			t.Fatal(err)
		}
	}
	of := func(parent string) memory.Position { return memory.Position{Start: &memory.Start{Parent: parent}} }
	add("s", memory.Position{}, hi, calls)
	for _, c := range []string{"a", "b"} {
		add("s/1-"+c, of("s"), hi, response(t, `{"type":"text","text":"`+c+`"}`).Record)
	}
	for _, tt := range []struct {
		name   string
		places map[string]Place // told before
		feed   []feed.Item      // of s/1-a
		want   string
	}{
		{"none came", nil, nil, "f: begin 1|f: open 0 text|f: text 0 a|f: close 0|f: stands|result|g: begin 1|g: open 0 text|g: text 0 b|g: close 0|g: stands|g: over <nil> false|f: over <nil> false"},
		{"one came and ended", nil, []feed.Item{
			{Session: "s/1-a", Kind: feed.Record, Record: hi, At: feed.Position{Records: 1}},
			{Session: "s/1-a", Kind: feed.Record, Record: response(t, `{"type":"text","text":"a"}`).Record, At: feed.Position{Records: 2}},
			{Session: "s/1-a", Kind: feed.End},
		}, "f: begin 1|f: open 0 text|f: text 0 a|f: close 0|f: stands|f: over <nil> false|result|g: begin 1|g: open 0 text|g: text 0 b|g: close 0|g: stands|g: over <nil> false"},
		{"one came twice", nil, []feed.Item{
			{Session: "s/1-a", Kind: feed.Record, Record: hi, At: feed.Position{Records: 1}},
			{Session: "s/1-a", Kind: feed.Record, Record: response(t, `{"type":"text","text":"a"}`).Record, At: feed.Position{Records: 2}},
			{Session: "s/1-a", Kind: feed.Record, Record: response(t, `{"type":"text","text":"a"}`).Record, At: feed.Position{Records: 2}},
			{Session: "s/1-a", Kind: feed.End},
		}, "f: begin 1|f: open 0 text|f: text 0 a|f: close 0|f: stands|f: over <nil> false|result|g: begin 1|g: open 0 text|g: text 0 b|g: close 0|g: stands|g: over <nil> false"},
		{"both were told", map[string]Place{"s/1-a": {2, 1}, "s/1-b": {2, 1}}, nil, "result"},
	} {
		n := new(notebook)
		tree := NewTree(store, func(c Child) ChildSink { return &child{name: c.Name, all: n} }, func(error) bool { return false }, tt.places)
		tree.LookAll(ctx, "s")
		tree.Calls("s", calls, 2)
		for _, it := range tt.feed {
			tree.Item(ctx, it)
		}
		tree.Result(ctx, "s", "a")
		n.note("result")
		tree.Rest(ctx)
		tree.LookAll(ctx, "s")
		tree.Rest(ctx)
		tree.End(func(string) bool { return false })
		if got := strings.Join(n.lines, "|"); got != tt.want {
			t.Errorf("%s:\n%s\nand not\n%s", tt.name, got, tt.want)
		}
	}
	if stored, err := Stored(ctx, store, "s"); err != nil || fmt.Sprint(stored) != "map[s/1-a:true s/1-b:true]" {
		t.Errorf("%v, %v", stored, err)
	}
}
