package cacheplan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/wire"
)

func block(t testing.TB, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func definition(t testing.TB, raw string) transport.ToolDefinition {
	t.Helper()
	d, err := transport.ParseToolDefinition([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// at is the time of the tests' next request; the requests before it are dated from it.
var at = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// sent makes the requests of a conversation: pairs of how long before at it was
// sent and how many messages it held. Each had 1,000 tokens a message.
func sent(pairs ...any) []memory.Request {
	var out []memory.Request
	for i := 0; i < len(pairs); i += 2 {
		n := pairs[i+1].(int)
		s := memory.Request{At: at.Add(-pairs[i].(time.Duration)), Messages: n, Prompt: int64(n) * 1000, Written5m: int64(n) * 1000}
		if len(out) > 0 {
			s.Read = out[len(out)-1].Prompt
			s.Written5m -= s.Read
		}
		out = append(out, s)
	}
	return out
}

// anchored makes so many tokens of the newest request's writing live for an hour.
func anchored(sends []memory.Request, tokens int64) []memory.Request {
	s := &sends[len(sends)-1]
	s.Written1h, s.Written5m = tokens, s.Written5m-tokens
	return sends
}

// keyed gives the requests their configurations, the rest of them the last one.
func keyed(sends []memory.Request, configs ...int32) []memory.Request {
	for i := range sends {
		sends[i].Config = configs[min(i, len(configs)-1)]
	}
	return sends
}

// keys are those of configurations: the second has the first one's tools, the third
// nothing of another one, the fourth all of the second but what counts for messages.
var keys = []wire.CacheKey{{Tools: 1, System: 1, Messages: 1}, {Tools: 1, System: 2, Messages: 2}, {Tools: 3, System: 3, Messages: 3}, {Tools: 1, System: 2, Messages: 4}}

// unread makes them read nothing.
func unread(sends []memory.Request) []memory.Request {
	for i := range sends {
		sends[i].Read, sends[i].Written5m = 0, sends[i].Prompt
	}
	return sends
}

func TestBreakpoints(t *testing.T) {
	txt := transport.Text("x")
	long := transport.Text(fmt.Sprintf("%4000d", 1))
	thought := block(t, `{"type":"thinking","thinking":"","signature":"s"}`)
	marked := block(t, `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`)
	marked1h := block(t, `{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}`)
	result := transport.ToolResult("a", txt)
	plain, deferred := definition(t, `{"name":"a","input_schema":{"type":"object"}}`), definition(t, `{"name":"b","defer_loading":true,"input_schema":{"type":"object"}}`)
	user := func(b ...transport.Block) transport.Message { return transport.Message{Role: "user", Content: b} }
	model := func(b ...transport.Block) transport.Message {
		return transport.Message{Role: "assistant", Content: b}
	}
	on := func(i, j int) transport.Breakpoint {
		return transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j}
	}
	hour := func(b transport.Breakpoint) transport.Breakpoint { b.TTL = transport.TTL1h; return b }
	system := transport.Breakpoint{Part: transport.PartSystem, Index: 0}
	loop := []transport.Message{user(txt), model(txt), user(result), model(txt), user(result)}
	strips := models.Model{Thinking: models.Thinking{Kept: models.Unsupported}}
	tests := []struct {
		name string
		p    Prompt
		c    Options
		want []transport.Breakpoint
	}{
		{"nothing", Prompt{}, Options{}, nil},
		{"first request", Prompt{System: []transport.Block{txt}, Messages: []transport.Message{user(txt)}}, Options{}, []transport.Breakpoint{on(0, 0), system}},
		{"second request marks where the first did",
			Prompt{System: []transport.Block{txt}, Messages: []transport.Message{user(txt), model(txt, txt), user(txt, txt)}, Requests: sent(time.Minute, 1)},
			Options{}, []transport.Breakpoint{on(2, 1), on(0, 0), on(1, 1), system}},
		{"the last tool stands for a missing system Prompt", Prompt{Tools: []transport.ToolDefinition{plain, deferred}, Messages: []transport.Message{user(txt)}},
			Options{}, []transport.Breakpoint{on(0, 0), {Part: transport.PartTools, Index: 0}}},
		{"a static part that is too short to be cached has none", Prompt{Model: models.Model{Limits: models.Limits{MinCacheTokens: 4096}}, System: []transport.Block{long}, Messages: []transport.Message{user(txt)}},
			Options{}, []transport.Breakpoint{on(0, 0)}},
		{"a longer one has", Prompt{Model: models.Model{Limits: models.Limits{MinCacheTokens: 1024}}, System: []transport.Block{long}, Messages: []transport.Message{user(txt)}},
			Options{}, []transport.Breakpoint{on(0, 0), system}},
		{"never on thinking", Prompt{Messages: []transport.Message{user(txt), model(txt, thought)}}, Options{}, []transport.Breakpoint{on(1, 0)}},
		{"never on an unknown type", Prompt{Messages: []transport.Message{user(txt), model(block(t, `{"type":"new"}`))}}, Options{}, []transport.Breakpoint{on(0, 0)}},
		{"own marks count", Prompt{System: []transport.Block{marked, marked, txt}, Messages: []transport.Message{user(marked), model(txt), user(txt)}, Requests: sent(time.Minute, 1)},
			Options{}, []transport.Breakpoint{on(2, 0)}},
		{"own marks stand", Prompt{Messages: []transport.Message{user(txt, marked)}}, Options{}, nil},
		{"four own marks leave none", Prompt{Messages: []transport.Message{user(marked, marked, marked, marked, txt)}}, Options{}, nil},
		{"off", Prompt{System: []transport.Block{txt}, Messages: []transport.Message{user(txt)}}, Options{Off: true}, nil},
		{"forks share what is new before the last input", Prompt{Messages: []transport.Message{user(txt), model(txt), user(result), user(txt)}, Requests: sent(time.Minute, 1)},
			Options{}, []transport.Breakpoint{on(3, 0), on(0, 0), on(2, 0)}},

		{"an hour if told so", Prompt{Messages: []transport.Message{user(txt)}}, Options{TTL: transport.TTL1h}, []transport.Breakpoint{hour(on(0, 0))}},
		{"no hour after the user's own 5 minutes", Prompt{System: []transport.Block{marked}, Messages: []transport.Message{user(txt)}}, Options{TTL: transport.TTL1h}, []transport.Breakpoint{on(0, 0)}},
		{"an hour before the user's own hour", Prompt{System: []transport.Block{txt}, Messages: []transport.Message{user(marked1h), model(txt), user(txt)}, Requests: sent(time.Minute, 1)},
			Options{}, []transport.Breakpoint{on(2, 0), on(1, 0), hour(system)}},
		{"an anchor makes all that is read safe for little", Prompt{Long: true, System: []transport.Block{txt}, Messages: loop, Requests: sent(2*time.Minute, 1, time.Minute, 3)},
			Options{}, []transport.Breakpoint{on(4, 0), hour(on(3, 0)), hour(system)}},
		{"not if it is dear", Prompt{Long: true, System: []transport.Block{txt}, Messages: []transport.Message{user(txt), model(long), user(result)}, Requests: sent(time.Minute, 1)},
			Options{}, []transport.Breakpoint{on(2, 0), on(0, 0), system}},
		{"but if a pause is likely", Prompt{Long: true, System: []transport.Block{txt}, Messages: append(slices.Clip(loop), model(long), user(result)), Requests: sent(9*time.Minute, 1, 8*time.Minute, 3, time.Minute, 5)},
			Options{}, []transport.Breakpoint{on(6, 0), hour(on(5, 0)), hour(system)}},
		{"behind much that can't be marked the place before is marked too", Prompt{Long: true, Messages: []transport.Message{user(txt), model(append(slices.Repeat([]transport.Block{thought}, 19), txt)...), user(result)}, Requests: []memory.Request{{At: at.Add(-time.Minute), Messages: 1, Prompt: 90_000, Written5m: 90_000}}},
			Options{}, []transport.Breakpoint{on(2, 0), hour(on(1, 19)), hour(on(0, 0))}},
		{"the newest anchor is kept alive", Prompt{Long: true, Messages: []transport.Message{user(txt), model(txt), user(result), model(long), user(result)}, Requests: anchored(sent(2*time.Minute, 1, time.Minute, 3), 100)},
			Options{}, []transport.Breakpoint{on(4, 0), on(2, 0), hour(on(1, 0))}},
		{"a pause to come has all that is new written for an hour", Prompt{Long: true, Messages: []transport.Message{user(txt)}},
			Options{Pause: 10 * time.Minute}, []transport.Breakpoint{hour(on(0, 0))}},
		{"not one that nothing survives", Prompt{Long: true, Messages: loop, Requests: sent(2*time.Minute, 1, time.Minute, 3)},
			Options{Pause: 2 * time.Hour}, []transport.Breakpoint{on(4, 0), on(2, 0)}},
		{"not if told 5 minutes", Prompt{Long: true, System: []transport.Block{txt}, Messages: loop, Requests: sent(2*time.Minute, 1, time.Minute, 3)},
			Options{TTL: transport.TTL5m}, []transport.Breakpoint{on(4, 0), on(2, 0), system}},
		{"not where the endpoint doesn't know it", Prompt{System: []transport.Block{txt}, Messages: loop, Requests: sent(2*time.Minute, 1, time.Minute, 3)},
			Options{}, []transport.Breakpoint{on(4, 0), on(2, 0), system}},
		{"after a pause the place that lives on is marked too", Prompt{Long: true, Messages: loop, Requests: anchored(sent(21*time.Minute, 1, 20*time.Minute, 3), 100)},
			Options{}, []transport.Breakpoint{on(4, 0), on(2, 0), on(1, 0)}},
		{"a long stream leaves little of five minutes", Prompt{Long: true, Messages: loop, Requests: anchored(sent(6*time.Minute, 1, 4*time.Minute+57*time.Second, 3), 100)},
			Options{}, []transport.Breakpoint{on(4, 0), on(2, 0), on(1, 0)}},
		{"after hours nothing lives", Prompt{Long: true, Messages: loop, Requests: sent(3*time.Hour, 1, 2*time.Hour, 3)},
			Options{}, []transport.Breakpoint{on(4, 0), on(2, 0)}},
		{"pauses at each step make an hour pay", Prompt{Long: true, Messages: loop, Requests: sent(20*time.Minute, 1, 10*time.Minute, 3)},
			Options{}, []transport.Breakpoint{hour(on(4, 0)), hour(on(2, 0))}},

		{"thinking that the next turn drops", Prompt{Model: strips, Messages: []transport.Message{user(txt), model(txt), user(result), model(txt), user(result)}, Requests: sent(2*time.Minute, 1, time.Minute, 3)},
			Options{}, []transport.Breakpoint{on(4, 0), on(2, 0), on(0, 0)}},
		{"and the next turn", Prompt{Model: strips, Long: true, Messages: []transport.Message{user(txt), model(txt), user(result), model(txt), user(txt)}, Requests: sent(2*time.Minute, 1, time.Minute, 3)},
			Options{TTL: transport.TTL5m}, []transport.Breakpoint{on(4, 0), on(2, 0), on(0, 0), on(3, 0)}},
		{"whose first request has no anchor", Prompt{Model: strips, Long: true, Messages: []transport.Message{user(txt), model(txt), user(result), model(long), user(long)}, Requests: sent(2*time.Minute, 1, time.Minute, 3)},
			Options{}, []transport.Breakpoint{on(4, 0), on(2, 0), on(0, 0), on(3, 0)}},

		{"what another configuration left is not read", Prompt{Long: true, Key: keys[2], System: []transport.Block{txt}, Messages: loop, Requests: keyed(sent(2*time.Minute, 1, time.Minute, 3), 1)},
			Options{}, []transport.Breakpoint{on(4, 0), system}},
		{"but what the same one left before", Prompt{Key: keys[2], System: []transport.Block{txt}, Messages: loop, Requests: keyed(sent(2*time.Minute, 1, time.Minute, 3), 3, 1)},
			Options{}, []transport.Breakpoint{on(4, 0), on(0, 0), system}},
		{"the tools where only the system prompt has changed", Prompt{Key: keys[1], Tools: []transport.ToolDefinition{plain}, System: []transport.Block{txt}, Messages: loop, Requests: keyed(sent(2*time.Minute, 1, time.Minute, 3), 1)},
			Options{}, []transport.Breakpoint{on(4, 0), system, {Part: transport.PartTools}}},
		{"a clock isn't written a third time", Prompt{Key: keys[2], System: []transport.Block{txt}, Messages: loop, Requests: keyed(sent(2*time.Minute, 1, time.Minute, 3), 1, 2)},
			Options{}, nil},
		{"but where a second request follows", Prompt{Key: keys[2], System: []transport.Block{txt}, Messages: append(slices.Clip(loop), model(txt), user(txt)), Requests: keyed(sent(3*time.Minute, 1, 2*time.Minute, 3, time.Minute, 5), 1, 2, 3)},
			Options{}, []transport.Breakpoint{on(6, 0), on(4, 0), on(5, 0), system}},
		{"nor what was lost twice for a reason that the log doesn't tell", Prompt{System: []transport.Block{txt}, Messages: loop, Requests: unread(sent(3*time.Minute, 1, 2*time.Minute, 2, time.Minute, 3))},
			Options{}, nil},
		{"nor where each answer comes after two hours", Prompt{System: []transport.Block{txt}, Messages: loop, Requests: unread(sent(5*time.Hour, 1, 3*time.Hour, 3))},
			Options{}, nil},
		{"but as soon as one comes in time", Prompt{System: []transport.Block{txt}, Messages: loop, Requests: append(unread(sent(5*time.Hour, 1, 3*time.Hour, 2, 90*time.Minute, 2)), memory.Request{At: at.Add(-time.Minute), Messages: 3, Prompt: 3000, Written5m: 3000})},
			Options{}, []transport.Breakpoint{on(4, 0), on(2, 0), system}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Now, tt.p.Configs = at, keys
			if got := Plan(&tt.p, tt.c); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Where a pause showed that an entry of an hour was gone sooner, no more is built
// on entries of 5 minutes. All is written for an hour from the next pause on, when all
// has to be written anyway, and as long as what is new pays for it.
func TestLearnsThatAnchorsDontHold(t *testing.T) {
	long := transport.Text(fmt.Sprintf("%4000d", 1))
	messages := []transport.Message{transport.UserText("q")}
	for range 9 {
		messages = append(messages, transport.Message{Role: "assistant", Content: []transport.Block{transport.Text("x"), long}}, transport.UserText("r"))
	}
	sends := anchored(sent(50*time.Minute, 1, 49*time.Minute, 3, 48*time.Minute, 5, 47*time.Minute, 7), 10)
	for i, ago := range []time.Duration{26, 25, 3, 2, 1} {
		n := int64(9 + 2*i)
		s := memory.Request{At: at.Add(-ago * time.Minute), Messages: int(n), Prompt: 1000 * n, Read: 1000 * (n - 2), Written5m: 1990, Written1h: 10}
		sends = append(sends, s)
	}
	plan := func() []transport.Breakpoint {
		return Plan(&Prompt{Long: true, Messages: messages, Requests: sends, Now: at}, Options{})
	}
	if got := plan(); got[0].TTL != "" || got[1] != (transport.Breakpoint{Part: transport.PartMessages, Index: 17, TTL: transport.TTL1h}) {
		t.Errorf("they held: %v", got)
	}
	sends[4].Read, sends[4].Written5m = 0, sends[4].Prompt
	for _, b := range plan() {
		if b.TTL != "" && b.Index > 15 { // up to there it is read
			t.Errorf("one did not, and %v is written for an hour", b)
		}
	}
	for i := range sends {
		sends[i].At = sends[i].At.Add(-10 * time.Minute)
	}
	for _, b := range plan() {
		if b.TTL != transport.TTL1h {
			t.Errorf("the next pause: %v is written for 5 minutes", b)
		}
	}
}

// Over random conversations: never more than 4 marks, own ones counted, never a
// place twice, never on what can't be marked, never a 1h mark after a 5m mark,
// and always the newest block where that is worth it. The request writer agrees.
func TestBreakpointsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := []string{`{"type":"text","text":"x"}`, `{"type":"thinking","thinking":"","signature":"s"}`, `{"type":"new"}`,
		`{"type":"tool_use","id":"a","name":"b","input":{}}`, `{"type":"text","text":" "}`, `{"type":"fallback"}`,
		`{"type":"tool_result","tool_use_id":"a"}`, `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`}
	own5m := `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`
	own1h := `{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"1h"}}`
	unwritten := 0
	seen := map[int]int{} // how often each number of marks was planned
	for range 10_000 {
		var p Prompt
		own, short := 0, false
		pick := func() transport.Block {
			if own < 4 && rng.IntN(24) == 0 {
				own++
				if short = short || rng.IntN(2) == 0; short {
					return block(t, own5m)
				}
				return block(t, own1h)
			}
			return block(t, kinds[rng.IntN(len(kinds))])
		}
		for range rng.IntN(3) {
			p.Tools = append(p.Tools, definition(t, fmt.Sprintf(`{"name":"t%d","defer_loading":%v,"input_schema":{"type":"object"}}`, rng.IntN(9), rng.IntN(3) == 0)))
		}
		for range rng.IntN(3) {
			p.System = append(p.System, pick())
		}
		roles := []transport.Role{"user", "assistant", "user", "assistant", "system"}
		for range rng.IntN(14) {
			m := transport.Message{Role: roles[rng.IntN(len(roles))]}
			for range 1 + rng.IntN(6) {
				m.Content = append(m.Content, pick())
			}
			if m.Role == "system" && !slices.ContainsFunc(m.Content, transport.Block.Marked) && rng.IntN(2) == 0 {
				m.ClearAt = "next_user_message"
			}
			p.Messages = append(p.Messages, m)
		}
		p.Now, p.Long, p.Configs, p.Key = at, rng.IntN(2) == 0, keys, keys[rng.IntN(4)]
		when, n := at.Add(-10*time.Hour), 0
		for n < len(p.Messages) && rng.IntN(5) > 0 {
			n = min(len(p.Messages), n+1+rng.IntN(3))
			when = when.Add([]time.Duration{time.Second, time.Minute, 7 * time.Minute, 50 * time.Minute, 3 * time.Hour}[rng.IntN(5)])
			w := rng.Int64N(2000)
			s := memory.Request{At: when, Messages: n, Prompt: int64(n * 500), Read: rng.Int64N(4000), Written5m: w}
			if rng.IntN(4) == 0 {
				s.Written1h, s.Written5m = w, 0
			}
			s.Config = rng.Int32N(5)
			p.Requests = append(p.Requests, s)
		}
		if len(p.Requests) > 0 {
			p.Now = when.Add([]time.Duration{time.Second, 7 * time.Minute, 2 * time.Hour}[rng.IntN(3)])
		}
		if rng.IntN(3) == 0 {
			p.Model.Thinking.Kept = models.Unsupported
		}
		c := Options{TTL: []transport.TTL{"", "", transport.TTL5m, transport.TTL1h}[rng.IntN(4)]}
		marks := Plan(&p, c)
		seen[len(marks)]++
		remembered := p
		remembered.Observed = new(Observed)
		for n := range len(p.Requests) + 1 {
			remembered.Requests = p.Requests[:n]
			Observe(&remembered)
		}
		if got := Plan(&remembered, c); !slices.Equal(got, marks) {
			t.Fatalf("what was found of the requests one by one plans %v, at once %v", got, marks)
		}
		h := Observe(&p)
		if !h.worthWriting(&p) {
			unwritten++
		} else if newest, ok := LastMarkable(p.Messages); ok && own < 4 && (len(marks) == 0 || !SamePlace(marks[0], newest)) {
			t.Fatalf("the newest block %v is not marked first: %v", newest, marks)
		}
		for _, m := range marks {
			if m.Part == transport.PartMessages && !wire.Markable(p.Messages[m.Index].Content[m.Block]) {
				t.Fatalf("mark on %s", p.Messages[m.Index].Content[m.Block].Raw())
			}
		}
		// The writer checks the number, the order, the places.
		r := transport.Request{Model: "m", MaxTokens: 1, Tools: p.Tools, System: p.System, Messages: p.Messages, Breakpoints: marks}
		if _, err := r.StreamBody(); err != nil {
			t.Fatalf("%v: %v", marks, err)
		}
	}
	if unwritten < 100 {
		t.Errorf("what is new was worth nothing %d times of 10,000", unwritten)
	}
	for n := range 5 {
		if seen[n] < 50 {
			t.Errorf("%d marks were planned %d times of 10,000; the test looks at too little", n, seen[n])
		}
	}
}
