package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"
)

// All that a response says of itself is read; null says nothing.
func TestResponseMembers(t *testing.T) {
	raw := ` {"id":"msg_\u0031","model":"m","role":"assistant","stop_reason":"stop_sequence","stop_sequence":"<\u0045ND>","diagnostics":{"cache_miss_reason":null},` +
		`"container":{"id":"c","expires_at":"2026-11-28T10:00:00Z","skills":[1]},"stop_details":{"type":"refusal","category":"cyber","explanation":"e","recommended_model":"r","fallback_credit_token":"t","fallback_has_prefill_claim":true},` +
		`"usage":{"iterations":[{"type":"message","model":"i","input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":6}}]},"content":"hi"}` + "\n"
	r, err := ParseResponse([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != "msg_1" || r.Model != "m" || r.StopReason != StopStopSequence || r.StopSequence != "<END>" || string(r.Diagnostics) != `{"cache_miss_reason":null}` || r.Text() != "hi" || string(r.Raw()) != strings.TrimSpace(raw) {
		t.Errorf("got %+v", r)
	}
	if c := r.Container; c.ID != "c" || !c.ExpiresAt.Equal(time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)) || string(c.Skills) != "[1]" {
		t.Errorf("container %+v", c)
	}
	if *r.StopDetails != (StopDetails{"refusal", "cyber", "e", "r", "t", true}) {
		t.Errorf("details %+v", r.StopDetails)
	}
	if want := (Iteration{"message", "i", 1, 2, 3, 4, CacheCreation{5, 6}}); len(r.Usage.Iterations) != 1 || r.Usage.Iterations[0] != want {
		t.Errorf("iterations %+v", r.Usage.Iterations)
	}
	r, err = ParseResponse([]byte(`{"id":null,"model":null,"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":null,"container":null,"diagnostics":null,"content":null}`))
	if err != nil || r.ID != "" || r.StopReason != "" || r.StopDetails != nil || r.Container != nil || r.Diagnostics != nil || r.Content != nil {
		t.Errorf("of nulls: %+v, %v", r, err)
	}
	r, err = ParseResponse([]byte(`{"container":{"id":"c","expires_at":"soon","skills":null},"content":[]}`))
	if err != nil || r.Container.Skills != nil || !r.Container.ExpiresAt.IsZero() {
		t.Errorf("%+v, %v", r.Container, err)
	}
	for _, raw := range []string{``, ` `, `[]`, `7`, `null`, `{`, `{"content":[7]}`} {
		if _, err := ParseResponse([]byte(raw)); err == nil || !strings.HasPrefix(err.Error(), "response") {
			t.Errorf("%q: %v", raw, err)
		}
	}
	// An id that is known from the start is still read where it is written otherwise.
	streamed := readAll(t, strings.NewReader(frames(strings.Replace(startEvent, `"msg_1"`, `"msg\u005f1"`, 1), deltaEvent, stopEvent)))
	if streamed.ID != "msg_1" || streamed.Model != "m" {
		t.Errorf("streamed: %q, %q", streamed.ID, streamed.Model)
	}
	if known(`a\u0031`, []byte(`"a\u0031"`)) != "a1" || known("a", []byte(`"b"`)) != "b" {
		t.Error("a string that differs is taken for the known one")
	}
}

// What Replay changes it changes in a copy, whatever stands before and behind it.
func TestReplayLeavesTheResponse(t *testing.T) {
	const (
		half   = `{"type":"text","text":"a\ud92c"}`
		mended = `{"type":"text","text":"a\ufffd"}`
		plain  = `{"type":"text","text":"b"}`
		server = `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
		other  = `{"type":"text","text":"x","tool_use_id":"s"}`
		call   = `{"type":"tool_use","id":"t","name":"f","input":{}}`
		mind   = `{"type":"thinking","thinking":"x","signature":"s"}`
		back   = `{"type":"fallback"}`
		noted  = `{"type":"text","text":"\"file_id\"","citations":null}`
		filed  = `{"type":"text","text":"a","citations":[{"file_id":"f"}]}`
	)
	join := func(blocks ...string) string { return strings.Join(blocks, ",") }
	for name, tt := range map[string]struct {
		stop          StopReason
		content, want string
	}{
		"two that are mended":                   {StopEndTurn, join(plain, half, plain, half), join(plain, mended, plain, mended)},
		"thinking at the end of a pause":        {StopToolUse, join(plain, server, mind), join(plain, server)},
		"thinking behind a call":                {StopToolUse, join(plain, call, mind), join(plain, call, mind)},
		"a server's call that goes on":          {StopToolUse, join(server, call), join(server, call)},
		"a server's call that is paused":        {StopPauseTurn, join(plain, server), join(plain, server)},
		"a server's call that doesn't go on":    {StopEndTurn, join(plain, server), plain},
		"a text is no result":                   {StopEndTurn, join(server, other, plain), join(other, plain)},
		"text behind a call":                    {StopToolUse, join(plain, call, plain), join(plain, call)},
		"text between calls":                    {StopToolUse, join(call, plain, call), join(call, plain, call)},
		"text behind a call before a fallback":  {StopEndTurn, join(call, plain, back, plain), join(plain, back, plain)},
		"the last of two fallbacks":             {StopEndTurn, join(mind, back, mind, call, back, mind), join(back, back, mind)},
		"thinking at the beginning of a cut":    {StopMaxTokens, join(mind, back, mind), join(back, mind)},
		"a word that is no member":              {StopEndTurn, noted, noted},
		"a member that is one":                  {StopEndTurn, join(filed, plain), join(`{"type":"text","text":"a","citations":[{}]}`, plain)},
		"a blank text alone behind thinking":    {StopPauseTurn, join(plain, mind, `{"type":"text","text":" "}`), plain},
		"a half pair in what is left out whole": {StopRefusal, half, ""},
	} {
		r, err := ParseResponse([]byte(`{"id":"msg_1","stop_reason":"` + string(tt.stop) + `","content":[` + tt.content + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(r.Content)
		m, ok := r.Replay()
		if got := contentOf(&Response{Content: m.Content}); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: got  %s\nwant %s", name, got, tt.want)
		}
		if contentOf(r) != contentOf(&Response{Content: before}) {
			t.Errorf("%s: the response became %s", name, contentOf(r))
		}
	}
	r, _ := ParseResponse([]byte(`{"stop_reason":"tool_use","content":[` + join(call, back, call, plain, call) + `]}`))
	if calls := r.ToolCalls(); len(calls) != 2 || cap(calls) != 3 || !r.HasToolCalls() {
		t.Errorf("%d calls, room for %d", len(calls), cap(calls))
	}
	if r, _ := ParseResponse([]byte(`{"stop_reason":"end_turn","content":[` + join(call, back, plain) + `]}`)); len(r.ToolCalls()) != 0 || r.HasToolCalls() {
		t.Error("a call of the model that refused is to be answered")
	}
}

// Messages are measured as they are, and those that have to be looked at aren't.
func TestMeasured(t *testing.T) {
	marked := mustBlock(t, `{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}`)
	within := ToolResult("t", marked)
	for name, tt := range map[string]struct {
		content  []Block
		measured bool
	}{
		"nothing": {nil, false}, "a text": {[]Block{Text("a")}, true}, "two": {[]Block{Text("a"), Text("b")}, true},
		"marked": {[]Block{Text("a"), marked}, false}, "marked inside": {[]Block{Text("a"), within}, false}, "zero": {[]Block{Text("a"), {}}, false},
		"as many as can be": {slices.Repeat([]Block{Text("a")}, 65535), true}, "one more": {slices.Repeat([]Block{Text("a")}, 65536), false},
	} {
		m := Message{Role: RoleUser, Content: tt.content}
		want := len(m.AppendJSON(nil))
		m = m.Measured()
		if m.isMeasured() != tt.measured || m.length() != want || m.HasMarks() != strings.HasPrefix(name, "marked") {
			t.Errorf("%s: measured %v, %d bytes of %d, marks %v", name, m.isMeasured(), m.length(), want, m.HasMarks())
		}
		// What was measured counts for these blocks only.
		for _, content := range [][]Block{{marked}, nil, append(slices.Clone(tt.content), marked), append(tt.content[:len(tt.content):len(tt.content)], Text("more"))} {
			other := m
			other.Content = content
			if other.length() != len(other.AppendJSON(nil)) || other.isMeasured() {
				t.Errorf("%s: %d bytes, want %d", name, other.length(), len(other.AppendJSON(nil)))
			}
			if again := other.Measured(); again.length() != len(again.AppendJSON(nil)) || again.HasMarks() != slices.ContainsFunc(content, func(b Block) bool { return b.marked || b.inner }) {
				t.Errorf("%s, measured again: %d bytes, marks %v", name, again.length(), again.HasMarks())
			}
		}
	}
}

// Messages are read in both forms, keep nothing of data, and stay on an error.
func TestMessageJSON(t *testing.T) {
	for raw, want := range map[string]string{
		`{"role":"user","content":"hi"}`: `{"role":"user","content":[{"type":"text","text":"hi"}]}`, `{"role":"user","content":""}`: `{"role":"user","content":[]}`,
		`{"role":"user"}`: `{"role":"user","content":[]}`, `{"role":"user","content":null}`: `{"role":"user","content":[]}`,
		` {"content": [ {"type":"x"} , {"type":"y"} ],"role":"assistant","z":[1],"b":2} `:                `{"role":"assistant","content":[{"type":"x"},{"type":"y"}],"b":2,"z":[1]}`,
		`{"role":"system","content":[],"clear_at":"next_user_message","output_config":{"effort":"low"}}`: `{"role":"system","content":[],"clear_at":"next_user_message","output_config":{"effort":"low"}}`,
		`{"role":"system","content":[],"output_config":{"effort":"low"}}`:                                `{"role":"system","content":[],"output_config":{"effort":"low"}}`,
		`{"role":"system","content":[],"clear_at":"next_user_message","x":1}`:                            `{"role":"system","content":[],"clear_at":"next_user_message","x":1}`,
		`{"\u0072ole":"user","content":"a"}`:                                                             `{"role":"user","content":[{"type":"text","text":"a"}]}`,
	} {
		data := []byte(raw)
		var m Message
		if err := m.UnmarshalJSON(data); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		clear(data)
		if got := string(m.AppendJSON(nil)); got != want {
			t.Errorf("%s: got %s", raw, got)
		}
	}
	for _, raw := range []string{`7`, `[]`, `{`, `{"role":7}`, `{"clear_at":7}`, `{"role":"user","content":7}`, `{"role":"user","content":[{}]}`, `{"role":"user","content":[7]}`} {
		m := UserText("old")
		if err := m.UnmarshalJSON([]byte(raw)); err == nil || m.Text() != "old" {
			t.Errorf("%s: %v, %q", raw, err, m.Text())
		}
		if _, err := ParseToolDefinition([]byte(raw)); raw[0] != '{' && err == nil || raw == `{` && err == nil {
			t.Errorf("a tool %s", raw)
		}
	}
	if tool, err := ParseToolDefinition([]byte(" {\"name\":\"f\"}\n")); err != nil || string(tool.Raw()) != `{"name":"f"}` || tool.Name() != "f" {
		t.Errorf("%s, %v", tool.Raw(), err)
	}
	if _, err := ParseToolDefinition(nil); err == nil {
		t.Error("nothing is a tool")
	}
	call := mustBlock(t, `{"type":"tool_use","id":"t","name":"f","input":{},"text":"no"}`)
	for want, content := range map[string][]Block{"": {call}, "a": {call, Text("a"), call}, "ab": {Text("a"), call, Text("b")}, "abc": {Text("a"), Text("b"), Text("c")}} {
		if got := (Message{Content: content}).Text(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	data := []byte(`{"model":"m","max_tokens":3,"system":"s","tools":[{"name":"f"}],"messages":[{"role":"user","content":"hi"}],"thinking":null,"x":[1]}`)
	var r Request
	if err := r.UnmarshalJSON(append(append([]byte(" "), data...), '\n')); err != nil || r.Thinking != nil || len(r.Extra) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	in := bytes.Clone(data)
	if err := r.UnmarshalJSON(in); err != nil {
		t.Fatal(err)
	}
	clear(in)
	if out, err := r.MarshalJSON(); err != nil || string(out) != `{"model":"m","max_tokens":3,"x":[1],"tools":[{"name":"f"}],"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}` {
		t.Errorf("%s, %v", out, err)
	}
	for _, raw := range []string{``, `[]`, `{`, `{"model":7}`, `{"cache_control":{"type":"forever"}}`} {
		if err := r.UnmarshalJSON([]byte(raw)); err == nil || r.Model != "m" {
			t.Errorf("%q: %v; model %q", raw, err, r.Model)
		}
	}
}

// Text in a call begins, goes on and ends in a block of its own, which the events show.
func TestEventsOfStrayText(t *testing.T) {
	stream := frames(startEvent,
		`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I "}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"look."}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}`,
		`{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"tool_use"}}`, stopEvent)
	want := strings.Join([]string{"message_start", `start 0 {"type":"tool_use","id":"t","name":"f","input":{}}`, `start 1 {"type":"text","text":""}`,
		`delta 1 text_delta "I " {"type":"text_delta","text":"I "}`, `delta 1 text_delta "look." {"type":"text_delta","text":"look."}`,
		`delta 0 input_json_delta "{\"q\":" {"type":"input_json_delta","partial_json":"{\"q\":"}`,
		`stop 0 {"type":"tool_use","id":"t","name":"f","input":{}} cut`, `stop 1 {"type":"text","text":"I look."}`, "message_delta",
		`end {"type":"tool_use","id":"t","name":"f","input":{}},{"type":"text","text":"I look."}`}, "\n")
	if got := told(stream); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, stop := range []string{`{"type":"content_block_stop"}`, `{"type":"content_block_stop","index":"x"}`} {
		two := frames(startEvent, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}`, `{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"b"}}`, stop)
		if got := told(two); !strings.Contains(got, "content_block_stop") || !strings.HasSuffix(got, `partial {"type":"text","text":"a"},{"type":"text","text":"b"}`) {
			t.Errorf("%s: %s", stop, got)
		}
	}
	// A stop without an index, where nothing is open, says nothing.
	if got := told(frames(startEvent, `{"type":"content_block_stop"}`, deltaEvent, stopEvent)); !strings.HasSuffix(got, "end ") {
		t.Errorf("got %s", got)
	}
	// What broke off keeps thinking that was signed, and no other.
	broken := frames(append([]string{startEvent}, slices.Concat(block(0, `{"type":"thinking","thinking":"a","signature":"s"}`), block(1, `{"type":"thinking","thinking":"b"}`),
		block(2, `{"type":"redacted_thinking","data":"d"}`), []string{`{"type":"content_block_start","index":3,"content_block":{"type":"text","text":""}}`})...)...)
	if got := told(broken); !strings.HasSuffix(got, `delivered true, partial {"type":"thinking","thinking":"a","signature":"s"},{"type":"redacted_thinking","data":"d"}`) {
		t.Errorf("got %s", got)
	}
}

// Indexes are numbers from 0 to maxIndex, in whatever spelling.
func TestParseIndex(t *testing.T) {
	for raw, want := range map[string]index{
		`0`: {0, true, false}, `"7"`: {7, true, false}, `7.0`: {7, true, false}, `65536`: {65536, true, false}, `65537`: {65537, true, true}, `-1`: {-1, true, true},
		`1.5`: {0, true, true}, `"x"`: {0, true, true}, `null`: {0, true, true}, `""`: {0, true, true}, `{}`: {0, true, true},
	} {
		if got := parseIndex([]byte(raw)); got != want {
			t.Errorf("%s: %+v", raw, got)
		}
	}
}

// An error event is one inside of a stream, and Create passes errors on.
func TestErrorsOfAStream(t *testing.T) {
	stream := streamed(frames(startEvent, `{"type":"error","error":{"type":"overloaded_error","message":"m"}}`))
	r, err := Create(t.Context(), stream, nil)
	var e *Error
	if r != nil || !errors.As(err, &e) || !e.InStream || e.Status != 529 || !errors.Is(err, ErrOverloaded) {
		t.Errorf("%v, %+v", r, e)
	}
	if _, err := Create(t.Context(), refusing{}, nil); err != io.ErrClosedPipe {
		t.Errorf("got %v", err)
	}
	if (&Request{}).refused(nil) != nil {
		t.Error("no refusal is one")
	}
	for _, size := range []int{64 << 10, 64<<10 + 1} {
		r := sseReader{buf: make([]byte, 0, size)}
		if r.reset(nil); (cap(r.buf) == size) != (size == 64<<10) || cap(r.buf) < sseBuffer {
			t.Errorf("a buffer of %d bytes became one of %d", size, cap(r.buf))
		}
	}
}

type refusing struct{}

func (refusing) Stream(context.Context, *Request) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) { yield(Event{}, io.ErrClosedPipe) }
}
