package agent

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/whorl-go/whorl/transport"
)

func block(t testing.TB, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBreakpoints(t *testing.T) {
	def := func(raw string) transport.ToolDefinition {
		d, err := transport.ParseToolDefinition([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	txt := transport.Text("x")
	thought := block(t, `{"type":"thinking","thinking":"","signature":"s"}`)
	marked := block(t, `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`)
	plain, deferred := def(`{"name":"a","input_schema":{"type":"object"}}`), def(`{"name":"b","defer_loading":true,"input_schema":{"type":"object"}}`)
	user := func(b ...transport.Block) transport.Message { return transport.Message{Role: "user", Content: b} }
	model := func(b ...transport.Block) transport.Message {
		return transport.Message{Role: "assistant", Content: b}
	}
	at := func(i, j int) transport.Breakpoint {
		return transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j}
	}
	system := transport.Breakpoint{Part: transport.PartSystem, Index: 0}
	tests := []struct {
		name string
		p    prompt
		c    Cache
		want []transport.Breakpoint
	}{
		{"nothing", prompt{}, Cache{}, nil},
		{"first request", prompt{system: []transport.Block{txt}, messages: []transport.Message{user(txt)}}, Cache{}, []transport.Breakpoint{at(0, 0), system}},
		{"second request marks where the first did",
			prompt{system: []transport.Block{txt}, messages: []transport.Message{user(txt), model(txt, txt), user(txt, txt)}, sent: 1},
			Cache{}, []transport.Breakpoint{at(2, 1), at(0, 0), system}},
		{"the last tool stands for a missing system prompt", prompt{tools: []transport.ToolDefinition{plain, deferred}, messages: []transport.Message{user(txt)}},
			Cache{}, []transport.Breakpoint{at(0, 0), {Part: transport.PartTools, Index: 0}}},
		{"never on thinking", prompt{messages: []transport.Message{user(txt), model(txt, thought)}}, Cache{}, []transport.Breakpoint{at(1, 0)}},
		{"never on an unknown type", prompt{messages: []transport.Message{user(txt), model(block(t, `{"type":"new"}`))}}, Cache{}, []transport.Breakpoint{at(0, 0)}},
		{"own marks count", prompt{system: []transport.Block{marked, marked, txt}, messages: []transport.Message{user(marked), model(txt), user(txt)}, sent: 1},
			Cache{}, []transport.Breakpoint{at(2, 0)}},
		{"own marks stand", prompt{messages: []transport.Message{user(txt, marked)}}, Cache{}, nil},
		{"four own marks leave none", prompt{messages: []transport.Message{user(marked, marked, marked, marked, txt)}}, Cache{}, nil},
		{"off", prompt{system: []transport.Block{txt}, messages: []transport.Message{user(txt)}}, Cache{Off: true}, nil},
		{"lifetime", prompt{messages: []transport.Message{user(txt)}}, Cache{TTL: transport.TTL1h},
			[]transport.Breakpoint{{Part: transport.PartMessages, TTL: transport.TTL1h}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := breakpoints(tt.p, tt.c); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Over random conversations: never more than 4 marks, own ones counted, never a
// place twice, never on what can't be marked, and always the newest block.
func TestBreakpointsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := []string{`{"type":"text","text":"x"}`, `{"type":"thinking","thinking":"","signature":"s"}`, `{"type":"new"}`,
		`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`, `{"type":"tool_use","id":"a","name":"b","input":{}}`}
	for range 10_000 {
		var p prompt
		for range rng.IntN(3) {
			p.system = append(p.system, transport.Text("s"))
		}
		own := 0
		for range rng.IntN(12) {
			var m transport.Message
			for range rng.IntN(6) {
				k := rng.IntN(len(kinds))
				if k == 3 {
					if own == 4 || rng.IntN(4) > 0 {
						k = 0
					} else {
						own++
					}
				}
				m.Content = append(m.Content, block(t, kinds[k]))
			}
			p.messages = append(p.messages, m)
		}
		p.sent = rng.IntN(len(p.messages) + 1)
		marks := breakpoints(p, Cache{})
		if len(marks)+own > 4 {
			t.Fatalf("%d marks and %d own ones", len(marks), own)
		}
		seen := map[transport.Breakpoint]bool{}
		for _, b := range marks {
			if seen[b] {
				t.Fatalf("%v marked twice in %v", b, marks)
			}
			seen[b] = true
			if b.Part == transport.PartMessages {
				if c := p.messages[b.Index].Content[b.Block]; !c.Markable() || c.Marked() {
					t.Fatalf("mark on %s", c.Raw())
				}
			}
		}
		if newest, ok := lastMarkable(p.messages); ok && own < 4 && !seen[newest] {
			t.Fatalf("the newest block %v is not marked: %v", newest, marks)
		}
	}
}
