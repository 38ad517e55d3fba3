package transport

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// frames makes a stream of events from their data.
func frames(events ...string) string {
	var b strings.Builder
	for _, data := range events {
		typ := mustType(data)
		fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", typ, data)
	}
	return b.String()
}

func mustType(data string) string {
	_, rest, _ := strings.Cut(data, `"type":"`)
	typ, _, _ := strings.Cut(rest, `"`)
	return typ
}

const (
	startEvent = `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":2,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}`
	deltaEvent = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":42,"input_tokens":11}}`
	stopEvent  = `{"type":"message_stop"}`
)

// block makes the events of one block.
func block(index int, start string, deltas ...string) []string {
	events := []string{fmt.Sprintf(`{"type":"content_block_start","index":%d,"content_block":%s}`, index, start)}
	for _, d := range deltas {
		events = append(events, fmt.Sprintf(`{"type":"content_block_delta","index":%d,"delta":%s}`, index, d))
	}
	return append(events, fmt.Sprintf(`{"type":"content_block_stop","index":%d}`, index))
}

func message(blocks ...[]string) string {
	events := append([]string{startEvent}, slices.Concat(blocks...)...)
	return frames(append(events, deltaEvent, stopEvent)...)
}

func readAll(t testing.TB, r io.Reader) *Response {
	t.Helper()
	var resp *Response
	for ev, err := range ReadStream(r) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == EventMessageStop {
			resp = ev.Response
		}
	}
	if resp == nil {
		t.Fatal("no response")
	}
	return resp
}

func TestStreamedBlocks(t *testing.T) {
	tests := []struct {
		name   string
		events []string
		want   string
		cut    bool
	}{
		{"text keeps its escapes",
			block(0, `{"type":"text","text":""}`, `{"type":"text_delta","text":"a\u00e9\"<"}`, `{"type":"text_delta","text":"\ud83d"}`, `{"type":"text_delta","text":"\ude00 ü\/"}`),
			`{"type":"text","text":"a\u00e9\"<\ud83d\ude00 ü\/"}`, false},
		{"text that starts with some",
			block(0, `{"citations":null,"type":"text","text":"so "}`, `{"type":"text_delta","text":"far"}`),
			`{"citations":null,"type":"text","text":"so far"}`, false},
		{"thinking",
			block(0, `{"type":"thinking","thinking":"","signature":""}`, `{"type":"thinking_delta","thinking":"hm","estimated_tokens":3}`, `{"type":"thinking_delta","thinking":"m"}`, `{"type":"signature_delta","signature":"c2ln+/="}`),
			`{"type":"thinking","thinking":"hmm","signature":"c2ln+/="}`, false},
		{"omitted thinking without a signature member",
			block(0, `{"type":"thinking","thinking":""}`, `{"type":"signature_delta","signature":"c2ln"}`),
			`{"type":"thinking","thinking":"","signature":"c2ln"}`, false},
		{"tool input keeps order, numbers and space",
			block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{},"caller":{"type":"direct"}}`, `{"type":"input_json_delta","partial_json":""}`, `{"type":"input_json_delta","partial_json":"{\"z\": 9223372036854775807, \"a\":"}`, `{"type":"input_json_delta","partial_json":" \"\\u00e9\"}"}`),
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{"z": 9223372036854775807, "a": "\u00e9"},"caller":{"type":"direct"}}`, false},
		{"no arguments",
			block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":""}`),
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, false},
		{"input in the start only",
			block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}`),
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}`, false},
		{"deltas win over the start's input",
			block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}`, `{"type":"input_json_delta","partial_json":"{\"b\":2}"}`),
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{"b":2}}`, false},
		{"cut input",
			block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"path\":\"a.go\",\"text\":\"hello wor"}`),
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{"path":"a.go"}}`, true},
		{"a surrogate pair parted between two pieces of input",
			block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"a\":\"\ud83d"}`, `{"type":"input_json_delta","partial_json":"\ude00\\\\ud83d"}`, `{"type":"input_json_delta","partial_json":"\"}"}`),
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":"😀\\ud83d"}}`, false},
		{"null for no arguments",
			block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":" null"}`),
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, false},
		{"input that is nested too deep to be sent back",
			block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"a\":1,\"b\":`+strings.Repeat("[", 9990)+strings.Repeat("]", 9990)+`}"}`),
			`{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1,"b":` + strings.Repeat("[", 9899) + strings.Repeat("]", 9899) + `}}`, true},
		{"citations",
			block(0, `{"citations":[],"type":"text","text":""}`, `{"type":"citations_delta","citation":{"type":"char_location","n":1}}`, `{"type":"citations_delta","citation":{"type":"char_location","n":2}}`, `{"type":"text_delta","text":"x"}`),
			`{"citations":[{"type":"char_location","n":1},{"type":"char_location","n":2}],"type":"text","text":"x"}`, false},
		{"a citation delta without a citation",
			block(0, `{"type":"text","text":"x"}`, `{"type":"citations_delta","citation":{"n":1}}`, `{"type":"citations_delta"}`),
			`{"type":"text","text":"x","citations":[{"n":1}]}`, false},
		{"citations where there was null",
			block(0, `{"type":"text","text":"","citations":null}`, `{"type":"citations_delta","citation":{"n":1}}`),
			`{"type":"text","text":"","citations":[{"n":1}]}`, false},
		{"compaction",
			block(0, `{"type":"compaction","content":null}`, `{"type":"compaction_delta","content":"sum","encrypted_content":"Eu8"}`),
			`{"type":"compaction","content":"sum","encrypted_content":"Eu8"}`, false},
		{"an unknown block, whole in its start",
			block(0, `{ "type" : "new_result", "n":1.10, "nested":{"b":1,"a":[ ]} }`),
			`{ "type" : "new_result", "n":1.10, "nested":{"b":1,"a":[ ]} }`, false},
		{"an unknown delta",
			block(0, `{"type":"new_result","n":1}`, `{"type":"new_delta","what":"x"}`),
			`{"type":"new_result","n":1}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := readAll(t, strings.NewReader(message(tt.events)))
			if got := string(resp.Content[0].Raw()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if (len(resp.Cut) > 0) != tt.cut {
				t.Errorf("Cut is %q", resp.Cut)
			}
			if _, err := ParseBlock(resp.Content[0].Raw()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStreamedMessage(t *testing.T) {
	stream := frames(slices.Concat(
		[]string{startEvent, `{"type":"ping"}`, `{"type":"new_event","x":1,"error":null}`},
		[]string{
			`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"two"}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one "}}`,
			`{"type":"content_block_stop","index":1}`,
			`{"type":"content_block_stop","index":0}`,
		},
		block(2, `{"type":"fallback","from":{"model":"m"},"to":{"model":"m2"},"trigger":{"type":"refusal"}}`),
		[]string{
			`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"container":{"id":"container_1","expires_at":"2026-10-01T00:00:00Z"}},"usage":{"output_tokens":5,"cache_read_input_tokens":null},"context_management":{"applied_edits":[]}}`,
			`{"type":"message_delta","delta":{"stop_reason":null,"stop_details":{"type":"refusal","category":"cyber"}},"usage":{"output_tokens":42,"input_tokens":11,"server_tool_use":{"web_search_requests":1}}}`,
			stopEvent,
		})...)
	want := `{"id":"msg_1","type":"message","role":"assistant","model":"m2","content":[{"type":"text","text":"one "},{"type":"text","text":"two"},` +
		`{"type":"fallback","from":{"model":"m"},"to":{"model":"m2"},"trigger":{"type":"refusal"}}],"stop_reason":"refusal","stop_sequence":null,` +
		`"usage":{"input_tokens":11,"cache_creation_input_tokens":2,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":0},"output_tokens":42,"service_tier":"standard","server_tool_use":{"web_search_requests":1}},` +
		`"container":{"id":"container_1","expires_at":"2026-10-01T00:00:00Z"},"context_management":{"applied_edits":[]},"stop_details":{"type":"refusal","category":"cyber"}}`
	resp := readAll(t, strings.NewReader(stream))
	if got := string(resp.Raw()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if resp.Text() != "one two" || resp.Model != "m2" || resp.Usage.OutputTokens != 42 || resp.Usage.CacheCreationInputTokens != 2 || resp.StopDetails.Category != "cyber" || resp.Container.ID != "container_1" {
		t.Errorf("got %+v", resp)
	}
}

func TestEventsOfAWholeResponse(t *testing.T) {
	r, err := ParseResponse([]byte(`{"id":"msg_1","stop_reason":"end_turn","content":[{"type":"thinking","thinking":"","signature":"s"},{"type":"thinking","thinking":"h\u00e9","signature":"s"},{"citations":null,"type":"text","text":"a"},{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for ev := range r.Events() {
		got = append(got, fmt.Sprintf("%s %d %s%s", ev.Type, ev.Index, ev.Block.Raw(), ev.Delta.Raw))
	}
	want := []string{
		`message_start 0 `,
		`content_block_start 0 {"type":"thinking","thinking":"","signature":"s"}`,
		`content_block_stop 0 {"type":"thinking","thinking":"","signature":"s"}`,
		`content_block_start 1 {"type":"thinking","thinking":"","signature":"s"}`,
		`content_block_delta 1 {"type":"thinking_delta","thinking":"h\u00e9"}`,
		`content_block_stop 1 {"type":"thinking","thinking":"h\u00e9","signature":"s"}`,
		`content_block_start 2 {"citations":null,"type":"text","text":""}`,
		`content_block_delta 2 {"type":"text_delta","text":"a"}`,
		`content_block_stop 2 {"citations":null,"type":"text","text":"a"}`,
		`content_block_start 3 {"type":"tool_use","id":"t","name":"f","input":{"a":1}}`,
		`content_block_stop 3 {"type":"tool_use","id":"t","name":"f","input":{"a":1}}`,
		`message_stop 0 `,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestErrorIs(t *testing.T) {
	for _, typ := range []string{"new_api_error", "", "next_years_error"} {
		if e := ParseError(429, []byte(fmt.Sprintf(`{"error":{"type":%q,"message":"m"}}`, typ))); !errors.Is(e, ErrRateLimit) || errors.Is(e, ErrAPI) {
			t.Errorf("%v is not ErrRateLimit", e)
		}
	}
	for _, tt := range []struct {
		message string
		is      error
	}{
		{"prompt is too long: 208310 tokens > 200000 maximum", ErrPromptTooLong},
		{"input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or `max_tokens` and try again", ErrPromptTooLong},
		{"The model returned the following errors: Input is too long for requested model.", ErrPromptTooLong},
		{"messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation.", ErrThinkingMismatch},
	} {
		e := ParseError(400, []byte(fmt.Sprintf(`{"type":"error","error":{"type":"invalid_request_error","message":%q}}`, tt.message)))
		if !errors.Is(e, tt.is) || !errors.Is(e, ErrInvalidRequest) || errors.Is(e, ErrOverloaded) {
			t.Errorf("%v is not %v", e, tt.is)
		}
	}
}

func TestStreamBreaks(t *testing.T) {
	open := []string{startEvent}
	open = append(open, block(0, `{"type":"thinking","thinking":"","signature":""}`, `{"type":"thinking_delta","thinking":"x"}`, `{"type":"signature_delta","signature":"c2ln"}`)...)
	text := append(slices.Clone(open), `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"half a\ud83d"}}`)
	call := append(slices.Clone(open), `{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`)
	tests := []struct {
		name      string
		stream    string
		partial   string // the partial content; "none" if there is no response
		delivered bool
		want      string
	}{
		{"nothing at all", "", "none", false, "without message_stop"},
		{"after the start", frames(startEvent), "", false, "without message_stop"},
		{"in a text", frames(text...), `{"type":"thinking","thinking":"x","signature":"c2ln"},{"type":"text","text":"half a"}`, true, "without message_stop"},
		{"in a text behind a backslash", frames(append(slices.Clone(open), `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"C:\\ud83d"}}`)...), `{"type":"thinking","thinking":"x","signature":"c2ln"},{"type":"text","text":"C:\\ud83d"}`, true, "without message_stop"},
		{"in a call", frames(call...), `{"type":"thinking","thinking":"x","signature":"c2ln"}`, true, "without message_stop"},
		{"behind a call that was cut", frames(append(slices.Clone(open), block(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"a\":"}`)...)...),
			`{"type":"thinking","thinking":"x","signature":"c2ln"}`, true, "without message_stop"},
		{"behind a whole call", frames(append(slices.Clone(open), block(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"a\":1}"}`)...)...),
			`{"type":"thinking","thinking":"x","signature":"c2ln"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}`, true, "without message_stop"},
		{"in unsigned thinking", frames(startEvent, `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"x"}}`), "", true, "without message_stop"},
		{"in an event", frames(text...) + "event: message_delta\ndata: {\"type\":\"mess", `{"type":"thinking","thinking":"x","signature":"c2ln"},{"type":"text","text":"half a"}`, true, "without message_stop"},
		{"a JSON error called a stream", `{"error":{"type":"rate_limit_error","message":"m"}}`, "none", false, "rate_limit_error (HTTP 429): m"},
		{"a page called a stream", "<html>\n\n<p>Log in</p>", "none", false, "does the endpoint implement the Messages API"},
		{"chunks of another API", "data: {\"object\":\"chat.completion.chunk\",\"choices\":[]}\n\ndata: [DONE]\n\n", "none", false, "does the endpoint implement the Messages API"},
		{"not JSON", frames(startEvent) + "data: {\"type\":}\n\n", "", false, "not a JSON object"},
		{"a delta of no block", frames(startEvent, `{"type":"content_block_delta","index":3,"delta":{"type":"text_delta","text":"x"}}`), "", false, "no block 3 is open"},
		{"behind a block of an index that was used", frames(append(slices.Clone(open), `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)...), `{"type":"thinking","thinking":"x","signature":"c2ln"}`, true, "without message_stop"},
		{"overloaded", frames(startEvent, `{"type":"error","error":{"details":null,"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}`), "", false, "overloaded_error (HTTP 529): Overloaded (request req_1)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var last error
			for _, err := range ReadStream(strings.NewReader(tt.stream)) {
				last = err
			}
			var broken *StreamError
			if !errors.As(last, &broken) {
				t.Fatalf("got %v", last)
			}
			if !strings.Contains(last.Error(), tt.want) {
				t.Errorf("got %q, want it to hold %q", last, tt.want)
			}
			if broken.Delivered != tt.delivered {
				t.Errorf("Delivered is %v", broken.Delivered)
			}
			if broken.Partial == nil {
				if tt.partial != "none" {
					t.Errorf("no partial response")
				}
				return
			}
			var got []string
			for _, b := range broken.Partial.Content {
				got = append(got, string(b.Raw()))
			}
			if s := strings.Join(got, ","); s != tt.partial {
				t.Errorf("partial content is %s\nwant %s", s, tt.partial)
			}
		})
	}
	t.Run("errors.Is", func(t *testing.T) {
		for _, err := range ReadStream(strings.NewReader(tests[len(tests)-1].stream)) {
			if err != nil && !errors.Is(err, ErrOverloaded) {
				t.Errorf("%v is not ErrOverloaded", err)
			}
		}
	})
	t.Run("a failing reader", func(t *testing.T) {
		cause := errors.New("connection reset")
		for _, err := range ReadStream(io.MultiReader(strings.NewReader(frames(startEvent)), iotest.ErrReader(cause))) {
			if err != nil && !errors.Is(err, cause) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// However the network cuts a stream, the same comes out; with any line ends,
// comments, a byte order mark, and data over several lines.
func TestStreamSplitAnywhere(t *testing.T) {
	base := message(
		block(0, `{"type":"text","text":""}`, `{"type":"text_delta","text":"grüße 😀 \ud83d\ude00"}`, `{"type":"text_delta","text":"!"}`),
		block(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"n\":9007199254740993"}`, `{"type":"input_json_delta","partial_json":"}"}`))
	want := string(readAll(t, strings.NewReader(base)).Raw())
	rng := rand.New(rand.NewPCG(3, 4))
	forms := []string{
		base,
		"\xef\xbb\xbf" + strings.ReplaceAll(base, "\n", "\r\n"),
		strings.ReplaceAll(base, "\n", "\r"),
		": hello\n\n" + strings.ReplaceAll(base, "\n\n", "\n: keepalive\nid: 7\nretry: 10\n\n\n"),
		strings.ReplaceAll(strings.ReplaceAll(base, `,"index"`, "\ndata: ,\"index\""), "data: ", "data:"),
		strings.ReplaceAll(base, "}\n\n", "}   \n\ndata:\n\n"),
		strings.TrimRight(base, "\n"),
		strings.ReplaceAll(base, "event: content", "event: ping\ndata: ping\n\ndata: [DONE]\n\nevent: content"),
	}
	for i, form := range forms {
		for range 150 {
			got := string(readAll(t, &choppyReader{rng: rng, rest: form}).Raw())
			if got != want {
				t.Fatalf("form %d: got %s\nwant %s", i, got, want)
			}
		}
		if got := string(readAll(t, iotest.OneByteReader(strings.NewReader(form))).Raw()); got != want {
			t.Fatalf("form %d, byte by byte: got %s\nwant %s", i, got, want)
		}
	}
}

// choppyReader returns a random number of bytes at a time.
type choppyReader struct {
	rng  *rand.Rand
	rest string
}

func (r *choppyReader) Read(p []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:1+r.rng.IntN(min(len(r.rest), 60))])
	r.rest = r.rest[n:]
	return n, nil
}

func TestStreamOfAHugeBlock(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 1<<18) // 4 MB
	resp := readAll(t, strings.NewReader(message(block(0, `{"type":"web_fetch_tool_result","tool_use_id":"srvtoolu_1","content":"`+text+`"}`))))
	if n := len(resp.Content[0].Raw()); n < len(text) {
		t.Errorf("the block has %d bytes", n)
	}
}

// manyDeltas is a stream of n small deltas in one block.
func manyDeltas(n int) string {
	deltas := make([]string, n)
	for i := range deltas {
		deltas[i] = `{"type":"text_delta","text":" word"}`
	}
	return message(block(0, `{"type":"text","text":""}`, deltas...))
}

func TestStreamAllocatesLittle(t *testing.T) {
	stream := manyDeltas(8000)
	res := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			readAll(b, strings.NewReader(stream))
		}
	})
	if n := res.AllocedBytesPerOp(); n > 1<<20 {
		t.Errorf("8,000 deltas allocate %d bytes", n)
	}
	if n := res.AllocsPerOp(); n > 200 {
		t.Errorf("8,000 deltas make %d allocations", n)
	}
}

func BenchmarkReadStream(b *testing.B) {
	stream := manyDeltas(8000)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		readAll(b, strings.NewReader(stream))
	}
}

// BenchmarkReadStreamStep reads what most steps of an agent are: a few words and a call.
func BenchmarkReadStreamStep(b *testing.B) {
	usage := `{"input_tokens":12,"cache_creation_input_tokens":1100,"cache_read_input_tokens":21000,"cache_creation":{"ephemeral_5m_input_tokens":1100,"ephemeral_1h_input_tokens":0},"output_tokens":80,"service_tier":"standard","inference_geo":"not_available"}`
	text := make([]string, 4)
	for i := range text {
		text[i] = `{"type":"text_delta","text":"I'll look that"}`
	}
	input := []string{`{"type":"input_json_delta","partial_json":""}`, `{"type":"input_json_delta","partial_json":"{\"query\": \""}`}
	for range 5 {
		input = append(input, `{"type":"input_json_delta","partial_json":" step 00"}`)
	}
	input = append(input, `{"type":"input_json_delta","partial_json":"\"}"}`)
	events := []string{`{"type":"message_start","message":{"model":"claude-sonnet-4-5-20250929","id":"msg_00000000_00000","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":` + usage + `}}`}
	events = append(events, block(0, `{"type":"text","text":""}`, text...)...)
	events = append(events, block(1, `{"type":"tool_use","id":"toolu_00000000_00000_00","name":"lookup","input":{}}`, input...)...)
	events = append(events, `{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":`+usage+`}`, `{"type":"message_stop"}`)
	stream := frames(events...)
	b.ReportAllocs()
	for b.Loop() {
		readAll(b, strings.NewReader(stream))
	}
}

func BenchmarkReadStreamToolInput(b *testing.B) {
	deltas := []string{`{"type":"input_json_delta","partial_json":""}`, `{"type":"input_json_delta","partial_json":"{\"text\":\""}`}
	for range 1 << 20 / 32 {
		deltas = append(deltas, `{"type":"input_json_delta","partial_json":"a line of a file, then another\\n"}`)
	}
	deltas = append(deltas, `{"type":"input_json_delta","partial_json":"\"}"}`)
	stream := message(block(0, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, deltas...))
	if n := len(readAll(b, strings.NewReader(stream)).Content[0].Raw()); n < 1<<20 {
		b.Fatalf("the input has %d bytes", n)
	}
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		readAll(b, strings.NewReader(stream))
	}
}
