package cachestudy

import (
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/wire"
)

// A studyTalk is a conversation of a shape: what its next request holds, and a
// number for each block, which two blocks share only if they are the same block
// of the same conversation.
type studyTalk struct {
	study    *study
	tools    []transport.ToolDefinition
	system   []transport.Block
	messages []transport.Message
	numbers  [][]uint64
	sends    []memory.Request
	config   studyConfig
	configs  []wire.CacheKey        // that were sent with
	held     int                    // messages that the service holds in a thread
	at       time.Time              // of the thread's newest request
	sticky   []transport.Breakpoint // that the thread was begun with
	laid     laidOut
}

// laidOut is the list of the newest request, without marks, which the next one's
// mostly begins with.
type laidOut struct {
	list     []studyPosition
	config   studyConfig
	messages []transport.Message
}

// A studyConfig tells apart what a request says besides its messages: two with
// the same numbers are the same.
type studyConfig struct {
	model, tools, system, rest uint64
	hidden                     uint64 // changes the system prompt behind the planner's back
}

// key is what the log says about it.
func (c studyConfig) key() wire.CacheKey {
	tools := 1 + c.model*1000 + c.tools
	system := tools*1000 + c.system
	return wire.CacheKey{Tools: tools, System: system, Messages: system*1000 + c.rest}
}

// A shape is a kind of conversation.
type shape struct {
	name string
	play func(*studyTalk)
	// pause is how long it rests where it rests for more than 5 minutes; 0 if nowhere.
	pause time.Duration
	every int // that is after about so many requests; 0 for each
	// limit is the most that it may cost over the least; 0 means 1.02, or 1.10 with
	// pauses. told is the same where the agent is told of the pauses.
	limit, told float64
}

var (
	studyTool, _ = transport.ParseToolDefinition([]byte(`{"name":"lookup","description":"` + strings.Repeat("Looks something up. ", 40) + `","input_schema":{"type":"object"}}`))
	studyCall, _ = transport.ParseBlock([]byte(`{"type":"tool_use","id":"toolu_0123456789","name":"lookup","input":{"query":"` + strings.Repeat("what is it? ", 8) + `"}}`))
	studyWeb, _  = transport.ParseBlock([]byte(`{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"` + strings.Repeat("where? ", 10) + `"}}`))
	studyHits, _ = transport.ParseBlock([]byte(`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":"` + strings.Repeat("found it here ", 120) + `"}`))
	studyMind, _ = transport.ParseBlock([]byte(`{"type":"thinking","thinking":"` + strings.Repeat("hm, perhaps ", 60) + `","signature":"sig"}`))
)

// texts and results are the blocks that were made, by their size: blocks don't change,
// and numbers tell them apart.
var texts, results = map[int]transport.Block{}, map[int]transport.Block{}

func studyText(bytes int) transport.Block {
	if _, ok := texts[bytes]; !ok {
		texts[bytes] = transport.Text(strings.Repeat("word ", max(1, bytes/5)))
	}
	return texts[bytes]
}

func studyResult(bytes int) transport.Block {
	if _, ok := results[bytes]; !ok {
		results[bytes] = transport.ToolResult("toolu_0123456789", studyText(bytes))
	}
	return results[bytes]
}

func (t *studyTalk) add(role transport.Role, blocks ...transport.Block) {
	var numbers []uint64
	for range blocks {
		t.study.number++
		numbers = append(numbers, t.study.number)
	}
	t.messages = append(t.messages, transport.Message{Role: role, Content: blocks})
	t.numbers = append(t.numbers, numbers)
}

func (t *studyTalk) user(bytes int) { t.add(transport.RoleUser, studyText(bytes)) }

func (t *studyTalk) model(blocks ...transport.Block) { t.add(transport.RoleAssistant, blocks...) }

// call is a step: the model calls in parallel, the results come back after a while.
func (t *studyTalk) call(parallel, bytes int, after time.Duration, first ...transport.Block) {
	t.model(append(first, slices.Repeat([]transport.Block{studyCall}, parallel)...)...)
	t.wait(after)
	t.add(transport.RoleUser, slices.Repeat([]transport.Block{studyResult(bytes)}, parallel)...)
	t.ask()
}

// loop is a turn of n steps with calls, and the answer.
func (t *studyTalk) loop(n, parallel, bytes int, after time.Duration) {
	t.user(200)
	t.ask()
	for range n {
		t.call(parallel, bytes, after)
	}
	t.model(studyText(800))
}

func (t *studyTalk) wait(d time.Duration) { t.study.now = t.study.now.Add(d) }

func (t *studyTalk) fork() *studyTalk {
	f := *t
	f.held = 0 // a fork begins a thread of its own
	f.laid.list = slices.Clip(f.laid.list)
	f.messages, f.numbers, f.sends = slices.Clip(f.messages), slices.Clip(f.numbers), slices.Clip(f.sends)
	return &f
}

const sec, minute = time.Second, time.Minute

func studySystem(tokens int) []transport.Block {
	return []transport.Block{studyText(tokens*4 - 26)}
}

var shapes = []shape{
	{name: "1 step", play: func(t *studyTalk) { t.user(200); t.ask() }},
	{name: "2 steps", play: func(t *studyTalk) { t.loop(1, 1, 4000, 10*sec) }},
	{name: "10 steps, 4 KB results", play: func(t *studyTalk) { t.loop(10, 1, 4000, 10*sec) }},
	{name: "50 steps, 4 KB results", play: func(t *studyTalk) { t.loop(50, 1, 4000, 10*sec) }},
	{name: "300 steps, 4 KB results", play: func(t *studyTalk) { t.loop(300, 1, 4000, 10*sec) }},
	{name: "20 steps of 12 parallel calls", play: func(t *studyTalk) { t.loop(20, 12, 2000, 10*sec) }},
	{name: "15 steps of 30 parallel calls", play: func(t *studyTalk) { t.loop(15, 30, 2000, 10*sec) }},
	{name: "40 steps, 200 B results", play: func(t *studyTalk) { t.loop(40, 1, 200, 10*sec) }},
	{name: "12 steps, 200 KB results", play: func(t *studyTalk) { t.loop(12, 1, 200_000, 10*sec) }},
	{name: "tiny system prompt, 12 steps", play: func(t *studyTalk) {
		t.system, t.tools = studySystem(20), nil
		t.loop(12, 1, 1500, 10*sec)
	}},
	{name: "60k system prompt, 10 steps", play: func(t *studyTalk) {
		t.system = studySystem(60_000)
		t.loop(10, 1, 2000, 10*sec)
	}},
	{name: "8 turns of 100 server-tool blocks", play: func(t *studyTalk) {
		for range 8 {
			t.user(200)
			t.ask()
			turn := []transport.Block{studyText(100)}
			for range 50 {
				turn = append(turn, studyWeb, studyHits)
			}
			t.model(append(turn, studyText(800))...)
			t.wait(60 * sec)
		}
	}},
	{name: "pause chains, 5 × 4 pauses", play: func(t *studyTalk) {
		for range 5 {
			t.user(200)
			t.ask()
			open := []transport.Block{studyText(100)}
			for range 4 {
				for range 9 {
					open = append(open, studyWeb, studyHits)
				}
				t.model(append(open, studyWeb)...)
				t.wait(40 * sec)
				t.ask()
				open = []transport.Block{studyHits}
			}
			t.model(append(open, studyText(800))...)
			t.wait(30 * sec)
		}
	}},
	{name: "30 steps with thinking, interleaved", play: func(t *studyTalk) {
		t.user(200)
		t.ask()
		for range 30 {
			t.call(2, 3000, 10*sec, studyMind, studyText(200))
		}
	}},
	{name: "chat of 30 turns, 10 s apart", play: func(t *studyTalk) {
		for range 30 {
			t.loop(0, 0, 0, 0)
			t.wait(10 * sec)
		}
	}},
	{name: "long streams, 4 min 30 s each", play: func(t *studyTalk) { t.loop(20, 1, 4000, 4*minute+30*sec) }},
	{name: "fork ×8 of 20 steps", play: func(t *studyTalk) {
		t.loop(20, 1, 4000, 10*sec)
		for range 8 {
			f := t.fork()
			f.wait(2 * sec)
			f.loop(5, 1, 4000, 2*sec)
		}
	}},
	{name: "fan-out ×8 over one document of 100 KB", play: func(t *studyTalk) {
		t.user(100_000)
		for range 8 {
			f := t.fork()
			f.wait(2 * sec)
			f.loop(3, 1, 2000, 2*sec)
		}
	}},
	{name: "compaction at 150k tokens, twice", play: func(t *studyTalk) {
		for range 2 {
			t.loop(36, 1, 16_000, 10*sec)
			t.ask() // for the summary: the same prompt and a parameter
			t.messages, t.numbers, t.sends = nil, nil, nil
			t.model(studyText(8000))
		}
		t.loop(10, 1, 4000, 10*sec)
	}},

	{name: "30 steps, a tool of 6 min in the middle", pause: 6 * minute, every: 16, play: func(t *studyTalk) {
		t.loop(15, 1, 4000, 10*sec)
		t.wait(6 * minute)
		t.loop(15, 1, 4000, 10*sec)
	}},
	{name: "30 steps, 40 min for an approval in the middle", pause: 40 * minute, every: 16, play: func(t *studyTalk) {
		t.loop(15, 1, 4000, 10*sec)
		t.wait(40 * minute)
		t.loop(15, 1, 4000, 10*sec)
	}},
	{name: "40 steps, every 5th tool takes 6 min", pause: 6 * minute, every: 5, play: func(t *studyTalk) {
		t.user(200)
		t.ask()
		for i := range 40 {
			t.call(1, 4000, []time.Duration{10 * sec, 6 * minute}[i%5/4])
		}
	}},
	{name: "25 steps, every tool takes 6 min", pause: 6 * minute, play: func(t *studyTalk) { t.loop(25, 1, 4000, 6*minute) }},
	{name: "10 turns of 6 steps, 6 min apart", pause: 6 * minute, every: 7, play: func(t *studyTalk) {
		for range 10 {
			t.loop(6, 1, 4000, 10*sec)
			t.wait(6 * minute)
		}
	}},
	{name: "10 turns of 6 steps, 40 min apart", pause: 40 * minute, every: 7, play: func(t *studyTalk) {
		for range 10 {
			t.loop(6, 1, 4000, 10*sec)
			t.wait(40 * minute)
		}
	}},
	{name: "25 turns of 3 KB answers, 6 min apart", pause: 6 * minute, play: func(t *studyTalk) {
		for range 25 {
			t.user(200)
			t.ask()
			t.model(studyText(3000))
			t.wait(6 * minute)
		}
	}},
	{name: "60k system prompt, 8 turns of 5 steps, 6 min apart", pause: 6 * minute, every: 6, play: func(t *studyTalk) {
		t.system = studySystem(60_000)
		for range 8 {
			t.loop(5, 1, 4000, 10*sec)
			t.wait(6 * minute)
		}
	}},
	{name: "5 turns of 8 steps, 2 h apart", pause: 2 * time.Hour, every: 9, play: func(t *studyTalk) {
		for range 5 {
			t.loop(8, 1, 4000, 10*sec)
			t.wait(2 * time.Hour)
		}
	}},
	{name: "pauses of 10 s, 6 min and 40 min by turns", pause: 6 * minute, every: 7, play: func(t *studyTalk) {
		for i := range 12 {
			t.loop(4, 1, 4000, 10*sec)
			t.wait([]time.Duration{10 * sec, 6 * minute, 40 * minute}[i%3])
		}
	}},

	// Here nothing can be known of the first pause, nor be done about it at a small
	// part of what was spent by then: see TestFirstPauseIsUnforeseeable. In the last
	// two each turn adds a whole answer, which makes anchors dear.
	{name: "20 short turns, 6 min apart", pause: 6 * minute, limit: 1.20, play: func(t *studyTalk) {
		for range 20 {
			t.loop(0, 0, 0, 0)
			t.wait(6 * minute)
		}
	}},
	{name: "chat of 30 turns, 40 min for lunch in the middle", pause: 40 * minute, every: 16, limit: 1.45, told: 1.30, play: func(t *studyTalk) {
		for i := range 30 {
			t.loop(0, 0, 0, 0)
			if t.wait(10 * sec); i == 14 {
				t.wait(40 * minute)
			}
		}
	}},
	{name: "chat of 30 turns, 10 s apart and then 40 min", pause: 40 * minute, every: 2, limit: 2.00, told: 1.30, play: func(t *studyTalk) {
		for i := range 30 {
			t.loop(0, 0, 0, 0)
			if t.wait(10 * sec); i >= 14 {
				t.wait(40 * minute)
			}
		}
	}},
}

// positions renders the next request as a list of prefixes.
func (t *studyTalk) positions() []studyPosition {
	l := &t.laid
	n := len(l.messages)
	if goesOn := n > 0 && n <= len(t.messages) && &l.messages[0].Content[0] == &t.messages[0].Content[0] && l.config == t.config; !goesOn {
		l.list, n = layOut(nil, t.config, t.tools, t.system, nil, nil), 0
	}
	l.list = layMessages(l.list, t.config, t.messages, n, func(i, j int) uint64 { return t.numbers[i][j] })
	l.config, l.messages = t.config, t.messages
	return append(t.study.list[:0], l.list...)
}

// layOut makes the list of a request's prefixes. number tells the blocks of its
// messages apart.
func layOut(list []studyPosition, c studyConfig, tools []transport.ToolDefinition, system []transport.Block, messages []transport.Message, number func(i, j int) uint64) []studyPosition {
	for i := range tools {
		list = follow(list, 1+c.model<<32+c.tools<<8, tools[i].Raw(), studyPosition{at: transport.Breakpoint{Part: transport.PartTools, Index: i}})
	}
	for i := range system {
		list = follow(list, 2+c.system<<8+c.hidden<<32, system[i].Raw(), studyPosition{at: transport.Breakpoint{Part: transport.PartSystem, Index: i}})
	}
	return layMessages(list, c, messages, 0, number)
}

// layMessages continues the list with the messages from one on.
func layMessages(list []studyPosition, c studyConfig, messages []transport.Message, from int, number func(i, j int) uint64) []studyPosition {
	for i := from; i < len(messages); i++ {
		m := messages[i]
		for j, b := range m.Content {
			joins := j > 0 && b.Type() == m.Content[j-1].Type() && (b.Type() == transport.TypeToolUse || b.Type() == transport.TypeToolResult)
			list = follow(list, number(i, j)+1000+c.rest<<48, b.Raw(), studyPosition{
				at: transport.Breakpoint{Part: transport.PartMessages, Index: i, Block: j}, joins: joins, bare: !wire.Markable(b),
			})
		}
	}
	return list
}

func follow(list []studyPosition, number uint64, raw []byte, p studyPosition) []studyPosition {
	if n := len(list); n > 0 {
		p.prefix, p.tokens = list[n-1].prefix, list[n-1].tokens
	}
	p.prefix = (p.prefix ^ number) * 0x9e3779b97f4a7c15
	p.prefix ^= p.prefix >> 29
	p.tokens += cacheplan.EstimateTokens(len(raw))
	return append(list, p)
}
