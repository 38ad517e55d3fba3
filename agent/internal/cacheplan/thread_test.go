package cacheplan

import (
	"slices"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A request goes into a thread where it costs nothing more there, and what is new goes
// alone where the mark at the top finds all that the request before left.
func TestPlanThread(t *testing.T) {
	txt := transport.Text("x")
	marked := block(t, `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`)
	thought := block(t, `{"type":"thinking","thinking":"","signature":"s"}`)
	user := func(b ...transport.Block) transport.Message {
		return transport.Message{Role: "user", Content: b}.Measured()
	}
	model := func(b ...transport.Block) transport.Message {
		return transport.Message{Role: "assistant", Content: b}.Measured()
	}
	loop := []transport.Message{user(txt), model(txt), user(txt)}
	one := sent(time.Minute, 1)
	with := func(change func(*Prompt)) Prompt {
		p := Prompt{Messages: loop, Requests: one}
		change(&p)
		return p
	}
	on := func(i int) transport.Breakpoint {
		return transport.Breakpoint{Part: transport.PartMessages, Index: i}
	}
	hour := Options{TTL: transport.TTL1h}
	paused := []memory.Request{{At: at.Add(-20 * time.Minute), Messages: 1, Prompt: 1000, Written5m: 1000}, {At: at.Add(-time.Minute), Messages: 1, Prompt: 1000, Written5m: 1000}}
	for _, tt := range []struct {
		name      string
		p         Prompt
		c         Options
		held      int
		uninsured bool
		ok, alone bool
		ttl       transport.TTL
		marks     []transport.Breakpoint
	}{
		{"the first request", Prompt{Messages: loop[:1]}, Options{}, 0, false, true, false, "", nil},
		{"the second", with(func(*Prompt) {}), Options{}, 2, false, true, true, "", []transport.Breakpoint{on(0), on(1)}},
		{"of which nothing is held", with(func(*Prompt) {}), Options{}, 0, false, true, false, "", []transport.Breakpoint{on(0), on(1)}},
		{"nothing is cached", with(func(*Prompt) {}), Options{Off: true}, 2, false, true, true, "off", nil},
		{"nothing is cached nor held", with(func(*Prompt) {}), Options{Off: true}, 0, false, true, false, "off", nil},
		{"nothing is cached but what has marks", with(func(p *Prompt) { p.System = []transport.Block{marked} }), Options{Off: true}, 2, false, false, false, "off", nil},
		{"5 minutes", with(func(*Prompt) {}), Options{TTL: transport.TTL5m}, 2, false, true, true, "", []transport.Breakpoint{on(0), on(1)}},
		{"an hour for all", with(func(*Prompt) {}), hour, 2, false, true, true, transport.TTL1h, []transport.Breakpoint{{Part: transport.PartMessages, TTL: transport.TTL1h}, {Part: transport.PartMessages, Index: 1, TTL: transport.TTL1h}}},
		{"an hour is chosen for all", with(func(p *Prompt) { p.Messages, p.Requests, p.Long = loop[:1], nil, true }), Options{Pause: 10 * time.Minute}, 0, false, false, false, "", nil},
		{"a mark of its own at the end", with(func(p *Prompt) { p.Messages = []transport.Message{loop[0], loop[1], user(marked)} }), Options{}, 2, false, false, false, "", nil},
		{"a mark of its own in what is new", with(func(p *Prompt) { p.Messages = []transport.Message{loop[0], loop[1], user(marked, txt)} }), Options{}, 2, false, true, false, "", nil},
		{"all is gone after a pause", with(func(p *Prompt) { p.Requests = sent(10*time.Minute, 1) }), Options{}, 2, false, true, false, "", nil},
		{"of another configuration", with(func(p *Prompt) { p.Key, p.Requests = keys[2], keyed(sent(time.Minute, 1), 1) }), Options{}, 2, false, true, false, "", nil},
		{"the first picture", with(func(p *Prompt) { p.Messages = []transport.Message{loop[0], loop[1], user(block(t, picture))} }), Options{}, 2, false, true, false, "", nil},
		{"nothing new takes a mark", with(func(p *Prompt) { p.Messages = []transport.Message{loop[0], loop[1], user(block(t, `{"type":"new"}`))} }), Options{}, 2, false, true, false, "", nil},
		{"which is taken as it comes", with(func(p *Prompt) { p.Messages = []transport.Message{loop[0], loop[1], user(block(t, `{"type":"new"}`))} }), Options{}, 2, true, true, true, "", nil},
		{"19 blocks behind", with(func(p *Prompt) {
			p.Messages = []transport.Message{loop[0], model(append(slices.Repeat([]transport.Block{thought}, 17), txt)...), loop[2]}
		}), Options{}, 2, false, true, true, "", nil},
		{"20 blocks behind", with(func(p *Prompt) {
			p.Messages = []transport.Message{loop[0], model(append(slices.Repeat([]transport.Block{thought}, 18), txt)...), loop[2]}
		}), Options{}, 2, false, true, false, "", nil},
		{"an anchor insures", with(func(p *Prompt) {
			p.Long, p.Requests = true, []memory.Request{{At: at.Add(-time.Minute), Messages: 1, Prompt: 90_000, Written5m: 90_000}}
		}), Options{}, 2, false, false, false, "", nil},
		{"which is given up", with(func(p *Prompt) {
			p.Long, p.Requests = true, []memory.Request{{At: at.Add(-time.Minute), Messages: 1, Prompt: 90_000, Written5m: 90_000}}
		}), Options{}, 2, true, true, true, "", nil},
		{"but not where a pause is told of", with(func(p *Prompt) {
			p.Long, p.Requests = true, []memory.Request{{At: at.Add(-time.Minute), Messages: 1, Prompt: 90_000, Written5m: 90_000}}
		}), Options{Pause: 10 * time.Minute}, 2, true, false, false, "", nil},
		{"or one was seen", with(func(p *Prompt) {
			p.Long, p.Requests = true, slices.Clone(paused)
			for i := range p.Requests {
				p.Requests[i].Prompt, p.Requests[i].Written5m = 90_000, 90_000
			}
		}), Options{}, 2, true, false, false, "", nil},
	} {
		tt.p.Now, tt.p.Configs = at, keys
		got, ok := PlanThread(&tt.p, tt.c, tt.held, tt.uninsured)
		if ok != tt.ok || got.Alone != tt.alone && ok {
			t.Errorf("%s: %v, alone %v", tt.name, ok, got.Alone)
			continue
		}
		if !ok {
			continue
		}
		if (got.Control == nil) != (tt.ttl == "off") || got.Control != nil && got.Control.TTL != tt.ttl {
			t.Errorf("%s: control %+v", tt.name, got.Control)
		}
		if tt.marks != nil && !slices.Equal(got.Marks, tt.marks) {
			t.Errorf("%s: %v", tt.name, got.Marks)
		}
	}
	p := Prompt{Messages: []transport.Message{user(txt, txt, txt), model(txt, txt), user(txt, txt, txt)}}
	for _, tt := range []struct{ ai, aj, bi, bj, want int }{{0, 0, 0, 0, 0}, {0, 0, 0, 2, 2}, {0, 2, 1, 0, 1}, {0, 1, 2, 2, 6}, {1, 1, 2, 0, 1}} {
		a, b := transport.Breakpoint{Index: tt.ai, Block: tt.aj}, transport.Breakpoint{Index: tt.bi, Block: tt.bj}
		if got := p.blocksBetween(a, b); got != tt.want {
			t.Errorf("%+v: %d blocks", tt, got)
		}
	}
}
