package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/whorl-go/whorl/transport/internal/limits"
	"github.com/whorl-go/whorl/transport/rawjson"
)

func mustBlock(t testing.TB, raw string) Block {
	t.Helper()
	b, err := ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustTool(t testing.TB, raw string) ToolDefinition {
	t.Helper()
	d, err := ParseToolDefinition([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// conversation is a request of n messages, each of one or two blocks.
func conversation(t testing.TB, n int) *Request {
	r := &Request{
		Model:     "claude-opus-5-5",
		MaxTokens: 1000,
		Tools: []ToolDefinition{
			mustTool(t, `{"name":"a","input_schema":{"type":"object"}}`),
			mustTool(t, `{"name":"b","description":"<b> & c","input_schema":{"type":"object"} }`),
		},
		System: []Block{Text("first"), Text("second")},
	}
	for i := range n {
		if i%2 == 0 {
			r.Messages = append(r.Messages, UserText(fmt.Sprintf("question %d", i)))
			continue
		}
		r.Messages = append(r.Messages, Message{Role: RoleAssistant, Content: []Block{
			mustBlock(t, `{"type":"thinking","thinking":"","signature":"c2ln"}`), Text("answer"),
		}})
	}
	return r
}

func TestBodyGolden(t *testing.T) {
	temperature := 0.0
	r := &Request{
		Model:     "m",
		MaxTokens: 64,
		Tools:     []ToolDefinition{mustTool(t, `{"name":"f","input_schema":{"type":"object"}}`)},
		System:    []Block{Text("be <brief>")},
		Messages: []Message{
			UserText("hi"),
			{Role: RoleAssistant, Content: []Block{mustBlock(t, `{"type":"new_thing","n":9223372036854775807, "z":1,"a":null}`)}},
			{Role: RoleSystem, ClearAt: "next_user_message", Content: []Block{Text("soon")}},
			{Role: RoleSystem, OutputConfig: json.RawMessage(`{"effort":"low"}`)},
		},
		Breakpoints: []Breakpoint{
			{Part: PartMessages, Index: 1, Block: 0},
			{Part: PartTools, Index: 0, TTL: TTL1h},
			{Part: PartSystem, Index: 0, TTL: TTL5m},
		},
		ToolChoice:    &ToolChoice{Type: "auto"},
		Thinking:      &Thinking{Type: "adaptive"},
		OutputConfig:  &OutputConfig{Effort: "high"},
		StopSequences: []string{"<END>"},
		UserID:        "u",
		Temperature:   &temperature,
		Container:     json.RawMessage(`"container_1"`),
		Diagnostics:   &Diagnostics{},
		Extra:         map[string]json.RawMessage{"z": json.RawMessage(`1`), "b": json.RawMessage(`{"c":2}`)},
	}
	want := `{"model":"m","max_tokens":64,"stream":true,"tool_choice":{"type":"auto"},"thinking":{"type":"adaptive"},` +
		`"output_config":{"effort":"high"},"stop_sequences":["<END>"],"metadata":{"user_id":"u"},"temperature":0,` +
		`"container":"container_1","diagnostics":{"previous_message_id":null},"b":{"c":2},"z":1,` +
		`"tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral","ttl":"1h"}}],` +
		`"system":[{"type":"text","text":"be <brief>","cache_control":{"type":"ephemeral","ttl":"5m"}}],` +
		`"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},` +
		`{"role":"assistant","content":[{"type":"new_thing","n":9223372036854775807, "z":1,"a":null,"cache_control":{"type":"ephemeral"}}]},` +
		`{"role":"system","content":[{"type":"text","text":"soon"}],"clear_at":"next_user_message"},` +
		`{"role":"system","content":[],"output_config":{"effort":"low"}}]}`
	b, err := r.StreamBody()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if b.Len() != int64(len(want)) {
		t.Errorf("Len is %d, want %d", b.Len(), len(want))
	}
	if err := iotest.TestReader(b.NewReader(), []byte(want)); err != nil {
		t.Error(err)
	}
	var w bytes.Buffer
	if n, err := b.WriteTo(&w); err != nil || n != b.Len() || w.String() != want {
		t.Errorf("WriteTo wrote %d bytes, %v: %s", n, err, w.String())
	}
}

func TestBodyReplacesNullCacheControl(t *testing.T) {
	r := conversation(t, 0)
	r.Messages = []Message{{Role: RoleUser, Content: []Block{mustBlock(t, `{"type":"text","cache_control":null,"text":"x"}`)}}}
	r.Breakpoints = []Breakpoint{{Part: PartMessages}}
	b, err := r.Body()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"type":"text","cache_control":{"type":"ephemeral"},"text":"x"}`; !strings.Contains(string(b.Bytes()), want) {
		t.Errorf("got %s\nwant it to hold %s", b.Bytes(), want)
	}
}

var markPattern = regexp.MustCompile(`,"cache_control":\{"type":"ephemeral"(,"ttl":"..")?\}`)

// The property that the cache rests on: marks change nothing but themselves,
// and each body starts with the tools, system and messages of the one before.
func TestBodyPrefixProperty(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	r := conversation(t, 40)
	all := r.Messages
	var before string
	for n := 1; n <= len(all); n++ {
		r.Messages = all[:n]
		r.Breakpoints = nil
		plain := bodyString(t, r)
		r.Breakpoints = randomMarks(rng, r)
		if got := markPattern.ReplaceAllString(bodyString(t, r), ""); got != plain {
			t.Fatalf("without marks: %s\nwant %s", got, plain)
		}
		_, tail, _ := strings.Cut(plain, `"tools":`)
		if before != "" && !strings.HasPrefix(tail, strings.TrimSuffix(before, "]}")) {
			t.Fatalf("with %d messages the prefix changed", n)
		}
		before = tail
	}
}

func randomMarks(rng *rand.Rand, r *Request) []Breakpoint {
	var marks []Breakpoint
	if rng.IntN(2) == 0 {
		marks = append(marks, Breakpoint{Part: PartTools, Index: rng.IntN(len(r.Tools)), TTL: TTL1h})
	}
	if rng.IntN(2) == 0 {
		marks = append(marks, Breakpoint{Part: PartSystem, Index: rng.IntN(len(r.System)), TTL: TTL5m})
	}
	for i := 0; i < len(r.Messages) && len(marks) < limits.Breakpoints; i += 1 + rng.IntN(20) {
		marks = append(marks, Breakpoint{Part: PartMessages, Index: i, Block: len(r.Messages[i].Content) - 1})
	}
	rng.Shuffle(len(marks), func(i, j int) { marks[i], marks[j] = marks[j], marks[i] })
	return marks
}

func bodyString(t testing.TB, r *Request) string {
	t.Helper()
	b, err := r.StreamBody()
	if err != nil {
		t.Fatal(err)
	}
	s := string(b.Bytes())
	if !json.Valid([]byte(s)) {
		t.Fatalf("not JSON: %s", s)
	}
	return s
}

func TestBodyErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Request)
		want   string
	}{
		{"no model", func(r *Request) { r.Model = "" }, "model: none is given"},
		{"negative max_tokens", func(r *Request) { r.MaxTokens = -1 }, "max_tokens: it is -1"},
		{"no such tool", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartTools, Index: 2}} }, "tools.2: no such tool; there are 2"},
		{"no such system block", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartSystem, Index: -1}} }, "no such system block"},
		{"no such message", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartMessages, Index: 4}} }, "messages.4.content.0: no such message"},
		{"no such block", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartMessages, Block: 1}} }, "no such block; the message has 1"},
		{"a tool before the first", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartTools, Index: -1}} }, "breakpoint at tools.-1: no such tool"},
		{"a system block behind the last", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartSystem, Index: 2}} }, "breakpoint at system.2: no such system block; there are 2"},
		{"a message before the first", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartMessages, Index: -1}} }, "messages.-1.content.0: no such message; there are 4"},
		{"a block before the first", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartMessages, Block: -1}} }, "messages.0.content.-1: no such block"},
		{"a block of a tool", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartTools, Block: 1}} }, "has no Block"},
		{"a block of a system block", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartSystem, Block: 1}} }, "has no Block"},
		{"no such part", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: 9}} }, "there is no Part 9"},
		{"strange ttl of the automatic mark", func(r *Request) { r.CacheControl = &CacheControl{TTL: "5min"} }, `cache_control: ttl "5min"`},
		{"a mark on the zero block", func(r *Request) {
			r.System = append(r.System, Block{})
			r.Breakpoints = []Breakpoint{{Part: PartSystem, Index: 2}}
		}, "system.2"},
		{"zero system block", func(r *Request) { r.System = append(r.System, Block{}) }, "system.2: the zero Block"},
		{"five marks, those of tools and results among them", func(r *Request) {
			r.Tools = append(r.Tools, mustTool(t, `{"name":"c","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}`))
			r.Messages = append(r.Messages, Message{Role: RoleUser, Content: []Block{mustBlock(t, `{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"cache_control":{"type":"ephemeral"}}`)}})
			r.Breakpoints = []Breakpoint{{Part: PartTools}, {Part: PartSystem}}
		}, "5 cache_control marks"},
		{"a tool's 1h after 5m", func(r *Request) {
			r.Tools = append(r.Tools, mustTool(t, `{"name":"c","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral","ttl":"1h"}}`))
			r.Breakpoints = []Breakpoint{{Part: PartTools}}
		}, "breakpoint at tools.2: a 1h mark after a 5m mark"},
		{"the first of two 1h after 5m", func(r *Request) {
			r.Breakpoints = []Breakpoint{{Part: PartTools}, {Part: PartSystem, TTL: TTL1h}, {Part: PartMessages, TTL: TTL1h}}
		}, "breakpoint at system.0: a 1h mark after a 5m mark"},
		{"an own 1h after 5m in a message", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleUser, Content: []Block{mustBlock(t, `{"type":"text","text":"a","cache_control":{"type":"ephemeral","ttl":"1h"}}`)}})
			r.Breakpoints = []Breakpoint{{Part: PartMessages, TTL: TTL5m}}
		}, "messages.4.content.0: a 1h mark after a 5m mark"},
		{"a message's output_config", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem, OutputConfig: json.RawMessage(`{`)})
		}, "messages.4.output_config: not JSON"},
		{"a message's extra that is no JSON", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem, Extra: map[string]json.RawMessage{"x": json.RawMessage(`{`)}})
		}, "messages.4.x: not JSON"},
		{"a message's extra that has a field", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem, Extra: map[string]json.RawMessage{"clear_at": json.RawMessage(`1`)}})
		}, "messages.4.clear_at: it is in Extra"},
		{"extra of a parameter that is no object", func(r *Request) { r.Extra = map[string]json.RawMessage{"thinking": json.RawMessage(`[]`)} }, "thinking: not a JSON object in Extra"},
		{"extra of a parameter that has a field", func(r *Request) {
			r.Extra = map[string]json.RawMessage{"thinking": json.RawMessage(`{"block_binding":{"prefix_mismatch_behavior":"x"}}`)}
		}, "thinking.block_binding.prefix_mismatch_behavior: it is in Extra"},
		{"extra that is no JSON", func(r *Request) { r.Extra = map[string]json.RawMessage{"x": json.RawMessage(`{`)} }, "x: not JSON"},
		{"no number", func(r *Request) { nan := math.NaN(); r.Temperature = &nan }, "temperature: "},
		{"no number for top_p", func(r *Request) { inf := math.Inf(1); r.TopP = &inf }, "top_p: "},
		{"a budget that is no JSON", func(r *Request) { r.OutputConfig = &OutputConfig{TaskBudget: json.RawMessage(`{`)} }, "output_config: "},
		{"the first mistake", func(r *Request) { r.Container, r.Fallbacks = json.RawMessage(`{`), json.RawMessage(`{`) }, "container: not JSON"},
		{"a thread that holds more than there is", func(r *Request) { r.Thread = &Thread{PreviousMessageID: "msg_1", Held: 5} }, "thread: Held is 5, and there are 4 messages"},
		{"a thread that holds less than nothing", func(r *Request) { r.Thread = &Thread{PreviousMessageID: "msg_1", Held: -1} }, "thread: Held is -1"},
		{"a zero block behind what a thread holds", func(r *Request) {
			r.Thread = &Thread{PreviousMessageID: "msg_1", Held: 4}
			r.Messages = append(r.Messages, Message{Role: RoleUser, OutputConfig: json.RawMessage(`{`)})
		}, "messages.4.output_config"},
		{"thinking", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartMessages, Index: 1}} }, `type "thinking" takes no cache_control`},
		{"empty text", func(r *Request) {
			r.System = append(r.System, Text(""))
			r.Breakpoints = []Breakpoint{{Part: PartSystem, Index: 2}}
		}, `type "text" takes no cache_control`},
		{"deferred tool", func(r *Request) {
			r.Tools = append(r.Tools, mustTool(t, `{"name":"c","defer_loading":true,"input_schema":{}}`))
			r.Breakpoints = []Breakpoint{{Part: PartTools, Index: 2}}
		}, "defer_loading"},
		{"passing system message", func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem, ClearAt: "next_user_message", Content: []Block{Text("x")}})
			r.Breakpoints = []Breakpoint{{Part: PartMessages, Index: 4}}
		}, "clear_at"},
		{"twice", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartSystem}, {Part: PartSystem}} }, "two breakpoints at one place"},
		{"strange ttl", func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartSystem, TTL: "2h"}} }, `ttl "2h"`},
		{"five marks", func(r *Request) {
			r.System = append(r.System, mustBlock(t, `{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}`))
			r.Breakpoints = []Breakpoint{{Part: PartTools}, {Part: PartSystem}, {Part: PartMessages}}
			r.CacheControl = &CacheControl{}
		}, "5 cache_control marks"},
		{"1h after 5m", func(r *Request) {
			r.Breakpoints = []Breakpoint{{Part: PartMessages, TTL: TTL1h}, {Part: PartSystem}}
		}, "messages.0.content.0: a 1h mark after a 5m mark"},
		{"automatic 1h after 5m", func(r *Request) {
			r.Breakpoints = []Breakpoint{{Part: PartSystem}}
			r.CacheControl = &CacheControl{TTL: TTL1h}
		}, "a 1h mark after a 5m mark"},
		{"zero block", func(r *Request) { r.Messages = append(r.Messages, Message{Role: RoleUser, Content: []Block{{}}}) }, "messages.4.content.0: the zero Block"},
		{"empty user message", func(r *Request) { r.Messages = append(r.Messages, Message{Role: RoleUser}) }, `messages.4: a message of role "user" with 0 blocks`},
		{"no role", func(r *Request) { r.Messages = append(r.Messages, Message{Content: []Block{Text("x")}}) }, `messages.4: a message of role ""`},
		{"zero tool", func(r *Request) { r.Tools = append(r.Tools, ToolDefinition{}) }, "tools.2: the zero ToolDefinition"},
		{"bad raw parameter", func(r *Request) { r.Container = json.RawMessage(`container_1`) }, "container: not JSON"},
		{"extra that has a field", func(r *Request) { r.Extra = map[string]json.RawMessage{"messages": json.RawMessage(`[]`)} }, "messages: it is in Extra"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := conversation(t, 4)
			tt.change(r)
			_, err := r.StreamBody()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			var e *RequestError
			if !errors.As(err, &e) || !errors.Is(err, ErrInvalidRequest) || e.Field == "" || e.Model != r.Model {
				t.Errorf("not a RequestError with a field: %#v", err)
			}
		})
	}
}

// What is taken, right beside what is refused.
func TestBodiesThatAreTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Request)
		want   string // in the body
		not    string
	}{
		"no tokens": {func(r *Request) { r.MaxTokens = 0 }, `"max_tokens":0,`, "thread"},
		"four marks": {func(r *Request) {
			r.Breakpoints = []Breakpoint{{Part: PartTools, Index: 1}, {Part: PartSystem, Index: 1}, {Part: PartMessages}}
			r.CacheControl = &CacheControl{TTL: TTL5m}
		}, `"cache_control":{"type":"ephemeral","ttl":"5m"},"tools"`, "1h"},
		"longer ones first": {func(r *Request) { r.Breakpoints = []Breakpoint{{Part: PartSystem}, {Part: PartTools, TTL: TTL1h}} }, `"ttl":"1h"}},{"name":"b"`, "5m"},
		"an own mark stays": {func(r *Request) {
			r.System = []Block{mustBlock(t, `{"type":"text","cache_control":{"type":"ephemeral","ttl":"1h"},"text":"x"}`)}
			r.Tools = []ToolDefinition{mustTool(t, `{"name":"c","cache_control":{"type":"ephemeral","ttl":"1h"},"input_schema":{}}`)}
			r.Breakpoints = []Breakpoint{{Part: PartSystem}, {Part: PartTools}}
		}, `"tools":[{"name":"c","cache_control":{"type":"ephemeral","ttl":"1h"},"input_schema":{}}],"system":[{"type":"text","cache_control":{"type":"ephemeral","ttl":"1h"},"text":"x"}]`, `{"type":"ephemeral"}`},
		"marks on two blocks of a message": {func(r *Request) {
			r.Messages = []Message{{Role: RoleUser, Content: []Block{Text("a"), Text("b"), Text("c")}}}
			r.Breakpoints = []Breakpoint{{Part: PartMessages, Block: 2}, {Part: PartMessages, Block: 0}}
		}, `"content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"},{"type":"text","text":"c","cache_control":{"type":"ephemeral"}}]`, "5m"},
		"an empty system message": {func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem}, Message{Role: RoleAssistant})
		}, `{"role":"system","content":[]},{"role":"assistant","content":[]}]}`, "clear_at"},
		"another role": {func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: "next\"year", Content: []Block{Text("a")}})
		}, `{"role":"next\"year","content":[{"type":"text","text":"a"}]}]}`, "clear_at"},
		"all of a system message": {func(r *Request) {
			r.Messages = append(r.Messages, Message{Role: RoleSystem, ClearAt: "next_year", OutputConfig: json.RawMessage(`{"effort":"low"}`), Extra: map[string]json.RawMessage{"z": json.RawMessage(`1`), "b": json.RawMessage(`[2]`)}})
		}, `{"role":"system","content":[],"clear_at":"next_year","output_config":{"effort":"low"},"b":[2],"z":1}]}`, "next_user_message"},
		"a new thread":   {func(r *Request) { r.Thread = &Thread{Held: 2} }, `"thread":{"type":"create"},"tools"`, "continue"},
		"a thread":       {func(r *Request) { r.Thread = &Thread{PreviousMessageID: "msg_1", Held: 3} }, `"thread":{"type":"continue","previous_message_id":"msg_1"},"messages":[{"role":"assistant"`, `"tools"`},
		"a whole thread": {func(r *Request) { r.Thread = &Thread{PreviousMessageID: "msg_1", Held: 4} }, `,"messages":[]}`, `"system"`},
		"diagnostics":    {func(r *Request) { r.Diagnostics = &Diagnostics{PreviousMessageID: "msg_1"} }, `"diagnostics":{"previous_message_id":"msg_1"}`, "null"},
		"parameters": {func(r *Request) {
			k, p := 5, 0.9
			r.TopK, r.TopP, r.ServiceTier, r.InferenceGeo, r.Speed = &k, &p, "auto", "us", "fast"
			r.MCPServers, r.Compaction, r.ContextManagement, r.Fallbacks = json.RawMessage(`[1]`), json.RawMessage(`[2]`), json.RawMessage(`[3]`), json.RawMessage(`[4]`)
		}, `"speed":"fast","context_management":[3],"compaction":[2],"mcp_servers":[1],"service_tier":"auto","inference_geo":"us","top_p":0.9,"top_k":5,"fallbacks":[4],`, "temperature"},
		"extra of objects": {func(r *Request) {
			r.UserID, r.Thinking = "u", &Thinking{Type: "adaptive"}
			r.Extra = map[string]json.RawMessage{"metadata": json.RawMessage(`{"x":1}`), "thinking": json.RawMessage(`{"y":2}`), "tool_choice": json.RawMessage(`{"z":3}`), "diagnostics": json.RawMessage(`{}`)}
		}, `"tool_choice":{"z":3},"thinking":{"type":"adaptive","y":2},"metadata":{"user_id":"u","x":1},"tools"`, "diagnostics"},
	} {
		r := conversation(t, 4)
		tt.change(r)
		got := bodyString(t, r)
		if !strings.Contains(got, tt.want) || strings.Contains(got, tt.not) {
			t.Errorf("%s: got %s\nwant %s", name, got, tt.want)
		}
		if b, err := r.StreamBody(); err != nil || b.Len() != int64(len(got)) {
			t.Errorf("%s: Len is %d, want %d", name, b.Len(), len(got))
		}
	}
}

// Tokens are counted of the prompt alone, a thread's in full.
func TestCountBody(t *testing.T) {
	r := conversation(t, 2)
	r.MaxTokens, r.UserID, r.StopSequences, r.Thinking = 9, "u", []string{"x"}, &Thinking{Type: "adaptive"}
	r.Thread, r.Extra = &Thread{PreviousMessageID: "msg_1", Held: 2}, map[string]json.RawMessage{"x": json.RawMessage(`1`)}
	b, err := r.CountBody()
	if err != nil {
		t.Fatal(err)
	}
	got := string(b.Bytes())
	if !strings.HasPrefix(got, `{"model":"`+r.Model+`","thinking":{"type":"adaptive"},"tools":[`) || !strings.Contains(got, "question 0") || b.Len() != int64(len(got)) {
		t.Errorf("got %s", got)
	}
	if r.MaxTokens = -1; r.Model == "" {
		t.Fatal("no model")
	}
	if _, err := r.CountBody(); err != nil {
		t.Errorf("counting looks at max_tokens: %v", err)
	}
	r.Model = ""
	if _, err := r.CountBody(); !errors.Is(err, ErrInvalidRequest) {
		t.Errorf("got %v", err)
	}
	if _, err := r.MarshalJSON(); !errors.Is(err, ErrInvalidRequest) {
		t.Errorf("got %v", err)
	}
}

func TestBodyAllocatesTheSameForAnyLength(t *testing.T) {
	count := func(n int) float64 {
		r := conversation(t, n)
		r.Breakpoints = []Breakpoint{{Part: PartSystem, Index: 1}, {Part: PartMessages, Index: n - 2}}
		buf := make([]byte, 32<<10)
		return testing.AllocsPerRun(20, func() {
			b, err := r.StreamBody()
			if err != nil {
				t.Fatal(err)
			}
			rd := b.NewReader()
			for {
				if _, err := rd.Read(buf); err == io.EOF {
					break
				}
			}
		})
	}
	short, long := count(10), count(1000)
	if long > short {
		t.Errorf("%v allocations for 1,000 messages, %v for 10", long, short)
	}
}

func TestRequestMarshalJSON(t *testing.T) {
	r := conversation(t, 2)
	raw, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if rawjson.Get(raw, "stream") != nil || len(rawjson.Get(raw, "messages")) == 0 {
		t.Errorf("got %s", raw)
	}
}

func BenchmarkBody(b *testing.B) {
	r := conversation(b, 10)
	result := Text(strings.Repeat("A line of a tool's result.\n", 160))
	for range 400 {
		r.Messages = append(r.Messages, Message{Role: RoleUser, Content: []Block{result}})
	}
	r.Breakpoints = []Breakpoint{{Part: PartSystem, Index: 1}, {Part: PartMessages, Index: 400}}
	buf := make([]byte, 32<<10)
	b.ReportAllocs()
	for b.Loop() {
		body, err := r.StreamBody()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(body.Len())
		rd := body.NewReader()
		for {
			if _, err := rd.Read(buf); err == io.EOF {
				break
			}
		}
	}
}
