package cacheplan

import (
	"fmt"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/wire"
)

func TestPlaces(t *testing.T) {
	txt, thought := transport.Text("x"), block(t, `{"type":"thinking","thinking":"","signature":"s"}`)
	marked := block(t, `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`)
	user := func(b ...transport.Block) transport.Message { return transport.Message{Role: "user", Content: b} }
	passing := transport.Message{Role: "system", Content: []transport.Block{txt}, ClearAt: "next_user_message"}
	list := []transport.Message{user(txt), {Role: "assistant", Content: []transport.Block{thought}}, passing, user(thought, txt, txt), user(transport.ToolResult("a", txt)), user()}
	for n, want := range map[int]bool{0: false, 1: true, 2: false, 3: false, 4: true, 5: false, 6: false, 7: false} {
		if IsInput(list, n) != want {
			t.Errorf("message %d is an input: %v", n, !want)
		}
	}
	for n, want := range map[int]string{0: "0.0 false", 1: "0.0 true", 2: "0.0 true", 3: "0.0 true", 4: "3.2 true", 5: "4.0 true", 6: "4.0 true"} {
		b, ok := LastMarkable(list[:n])
		if got := fmt.Sprintf("%d.%d %v", b.Index, b.Block, ok); got != want {
			t.Errorf("the last of %d: %s, want %s", n, got, want)
		}
	}
	if _, ok := LastMarkable([]transport.Message{user(txt), user(txt, marked, thought)}); ok {
		t.Error("the last one has a mark already")
	}
	for from, want := range map[int]string{0: "0.0 1 block true", 1: "3.1 4 block true", 2: "3.1 3 block true", 4: "4.0 1 block true", 5: "0.0 0 block false", 9: "0.0 0 block false"} {
		a, ok := firstMarkable(list, from)
		if got := fmt.Sprintf("%d.%d %d block %v", a.at.Index, a.at.Block, a.blocks, ok); got != want {
			t.Errorf("the first from %d on: %s, want %s", from, got, want)
		}
	}
	a, ok := firstMarkable([]transport.Message{user(thought, marked)}, 0)
	if tokens := EstimateTokens(len(thought.Raw())) + EstimateTokens(len(marked.Raw())); ok || a.tokens != tokens {
		t.Errorf("%+v, %v; want %d tokens, and a mark that is there already", a, ok, tokens)
	}
}

func TestEndOfStatic(t *testing.T) {
	txt, long := transport.Text("x"), transport.Text(fmt.Sprintf("%4000d", 1))
	marked := block(t, `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`)
	blank := block(t, `{"type":"text","text":" "}`)
	tool, deferred := definition(t, `{"name":"a","input_schema":{"type":"object"}}`), definition(t, `{"name":"b","defer_loading":true,"input_schema":{"type":"object"}}`)
	custom := definition(t, `{"type":"custom","name":"a","input_schema":{"type":"object"}}`)
	server := definition(t, `{"type":"web_search_20250305","name":"web_search"}`)
	markedTool := definition(t, `{"name":"a","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}`)
	system := func(b ...transport.Block) Prompt { return Prompt{System: b} }
	withTools := func(d ...transport.ToolDefinition) Prompt { return Prompt{Tools: d} }
	const least = 1024
	for _, tt := range []struct {
		name  string
		p     Prompt
		least int
		want  string
	}{
		{"nothing", Prompt{}, 0, "none"},
		{"the last block of the system prompt", system(txt, txt), 0, "system.1"},
		{"the last that takes a mark", system(txt, blank), 0, "system.0"},
		{"it has one", system(txt, marked), 0, "none"},
		{"too short", system(txt), least, "none"},
		{"long enough", system(long), least, "system.0"},
		{"a tool", withTools(tool), 0, "tools.0"},
		{"a tool that is not deferred", withTools(tool, deferred), 0, "tools.0"},
		{"none but deferred ones", withTools(deferred), 0, "none"},
		{"it has a mark", withTools(tool, markedTool), 0, "none"},
		{"a short tool", withTools(tool), least, "none"},
		{"a short custom tool", withTools(custom), least, "none"},
		{"a tool of the service, which adds a text", withTools(server), least, "tools.0"},
		{"with a long system prompt", Prompt{Tools: []transport.ToolDefinition{tool}, System: []transport.Block{long}}, least, "system.0"},
	} {
		tt.p.Model.Limits.MinCacheTokens = tt.least
		got := "none"
		if b, ok := endOfStatic(&tt.p); ok {
			got = fmt.Sprintf("%s.%d", map[transport.Part]string{transport.PartTools: "tools", transport.PartSystem: "system"}[b.Part], b.Index)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	p := Prompt{Tools: []transport.ToolDefinition{tool, deferred}, System: []transport.Block{txt, txt}}
	if got, want := p.StaticTokens(), EstimateTokens(len(tool.Raw()))+2*EstimateTokens(len(txt.Raw())); got != want {
		t.Errorf("%d tokens, want %d: deferred tools are no part of the prompt", got, want)
	}
}

// The prompt is the one before, as the service counted it, and what is new.
func TestSize(t *testing.T) {
	m := transport.UserText("12345")
	raw := EstimateTokens(len(m.Content[0].Raw()))
	p := Prompt{System: []transport.Block{transport.Text("x")}, Messages: []transport.Message{m, m, m}, Now: at}
	static := EstimateTokens(len(p.System[0].Raw()))
	for _, tt := range []struct {
		name  string
		sends []memory.Request
		want  int64
	}{
		{"nothing was sent", nil, 3 * raw},
		{"one was", []memory.Request{{At: at, Messages: 1, Prompt: 1000}}, 1000 + 2*raw},
		{"an endpoint that counts nothing", []memory.Request{{At: at, Messages: 1}}, static + 3*raw},
		{"more were sent than there are", []memory.Request{{At: at, Messages: 7, Prompt: 1000}}, 1000},
	} {
		p.Requests = tt.sends
		h := Observe(&p)
		if got := h.Size(&p); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	for bytes, want := range map[int]int64{0: 0, 1: 1, 4: 1, 5: 2, 8: 2} {
		if got := EstimateTokens(bytes); got != want {
			t.Errorf("%d bytes are %d tokens, want %d", bytes, got, want)
		}
	}
	if got := PriceOf(models.Model{}); got != (models.Price{Input: 1, CacheWrite5m: 1.25, CacheWrite1h: 2, CacheRead: 0.1}) {
		t.Errorf("%+v", got)
	}
}

// Nothing of the messages is found behind the first picture of a conversation.
func TestFirstPicture(t *testing.T) {
	shows := transport.Message{Role: "user", Content: []transport.Block{transport.Text("x"), block(t, picture)}}
	result := transport.Message{Role: "user", Content: []transport.Block{transport.ToolResult("a", block(t, picture))}}
	plain, words := transport.UserText("image"), transport.Message{Role: "user", Content: []transport.Block{transport.ToolResult("a", transport.Text("an image"))}}
	for _, tt := range []struct {
		name     string
		messages []transport.Message
		sent     int // -1: no request
		want     int
	}{
		{"none", []transport.Message{plain, words}, -1, -1},
		{"in the first request", []transport.Message{plain, shows}, -1, 1},
		{"the first of two", []transport.Message{plain, shows, shows}, 1, 1},
		{"in a result", []transport.Message{plain, result}, 1, 1},
		{"one was sent", []transport.Message{shows, shows}, 1, -1},
		{"one was sent in a result", []transport.Message{result, shows}, 1, -1},
		{"all were sent", []transport.Message{plain, shows}, 2, -1},
		{"a log that is shorter now", []transport.Message{plain}, 5, -1},
	} {
		p := Prompt{Messages: tt.messages}
		if tt.sent >= 0 {
			p.Requests = []memory.Request{{Messages: tt.sent}}
		}
		if got := p.firstPicture(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// What another configuration left in the cache counts as far as its parts agree.
func TestStaticParts(t *testing.T) {
	cached, bare := memory.Request{At: at, Read: 1}, memory.Request{At: at}
	for _, tt := range []struct {
		name                   string
		s                      memory.Request
		config                 int32
		tools, system, changed bool
	}{
		{"the same", cached, 2, true, true, false},
		{"the same, and nothing was cached", bare, 2, false, false, false},
		{"the same system prompt", cached, 4, true, true, false},
		{"another system prompt", cached, 1, true, false, true},
		{"another system prompt, and nothing was cached", bare, 1, false, false, true},
		{"other tools", cached, 3, false, false, false},
		{"one that isn't known", cached, 0, true, true, false},
		{"one that isn't known by a log that is longer", cached, 9, true, true, false},
	} {
		var sp staticParts
		tt.s.Config = tt.config
		sp.add(&Prompt{Configs: keys, Key: keys[1]}, &tt.s)
		if !sp.tools.IsZero() != tt.tools || !sp.system.IsZero() != tt.system || sp.systemChanged != tt.changed {
			t.Errorf("%s: %+v", tt.name, sp)
		}
	}
	p := Prompt{Configs: keys}
	for config, want := range map[int32]wire.CacheKey{0: {}, 1: keys[0], 4: keys[3], 5: {}} {
		if got := p.key(&memory.Request{Config: config}); got != want {
			t.Errorf("configuration %d: %+v", config, got)
		}
	}
}

// What is written is trusted to be found until it was not, and tried again rarely.
func TestTrusted(t *testing.T) {
	lost := tally{times: 8, recentTimes: 3}
	for n, want := range map[int]bool{8: false, 15: false, 16: true, 17: true, 18: false, 32: false, 63: false, 64: true, 65: true, 66: false, 256: true} {
		if r := (reads{requests: n, warm: lost}); r.trusted() != want {
			t.Errorf("request %d: trusted is %v", n, !want)
		}
	}
	once := reads{requests: 3}
	if once.warm.add(false); !once.trusted() || once.missed() != 1 {
		t.Error("one loss is no habit")
	}
	if once.warm.add(false); once.trusted() {
		t.Error("two are")
	}
	if r := (reads{}); r.missed() != 0 {
		t.Error("nothing was missed of nothing")
	}
}

// What became of what a request wrote is told by the next one.
func TestReadsAreCounted(t *testing.T) {
	for _, tt := range []struct {
		name         string
		before, s    memory.Request
		d            time.Duration
		all, hits    float64
		warm, warmed float64
	}{
		{"read", memory.Request{Written5m: 100}, memory.Request{Read: 100}, time.Minute, 1, 1, 1, 1},
		{"half of it", memory.Request{Written5m: 60, Written1h: 40}, memory.Request{Read: 50}, time.Minute, 1, 1, 1, 1},
		{"less", memory.Request{Written5m: 60, Written1h: 40}, memory.Request{Read: 49}, time.Minute, 1, 0, 1, 0},
		{"too late", memory.Request{Written5m: 100}, memory.Request{}, 5*time.Minute - 5*time.Second, 1, 0, 0, 0},
		{"sums before", memory.Request{Written5m: 100, Sums: true}, memory.Request{Read: 100}, time.Minute, 0, 0, 0, 0},
		{"sums now", memory.Request{Written5m: 100}, memory.Request{Read: 100, Sums: true}, time.Minute, 0, 0, 0, 0},
		{"nothing was written, in time", memory.Request{}, memory.Request{}, time.Minute, 1, 1, 0, 0},
		{"nothing was written, too late", memory.Request{}, memory.Request{}, time.Hour, 0, 0, 0, 0},
	} {
		var r reads
		r.add(&tt.before, &tt.s, tt.d)
		if r.all.times != tt.all || r.all.hits != tt.hits || r.warm.times != tt.warm || r.warm.hits != tt.warmed {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
	seq := func(gap time.Duration, configs ...int32) float64 {
		var p Prompt
		for i, c := range configs {
			p.Requests = append(p.Requests, memory.Request{At: at.Add(time.Duration(i) * gap), Config: c})
		}
		return followed(&p)
	}
	for _, tt := range []struct {
		got, want float64
	}{
		{seq(time.Minute), 0.5}, {seq(time.Minute, 1), 0.25}, {seq(time.Minute, 1, 1), 0.75},
		{seq(5*time.Minute, 1, 1), 0.25}, {seq(5*time.Minute-1, 1, 1), 0.75}, {seq(time.Minute, 1, 2, 3), 0.125},
	} {
		if tt.got < tt.want-0.1 || tt.got > tt.want+0.1 {
			t.Errorf("%v, want about %v", tt.got, tt.want)
		}
	}
}
