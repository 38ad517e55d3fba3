package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
)

// told is what a stream tells: its events in short, and its error.
func told(stream string) string {
	var out []string
	for ev, err := range ReadStream(strings.NewReader(stream)) {
		if err != nil {
			var broken *StreamError
			if !errors.As(err, &broken) {
				return "not a StreamError: " + err.Error()
			}
			partial := "none"
			if broken.Partial != nil {
				partial = contentOf(broken.Partial)
			}
			out = append(out, fmt.Sprintf("error %v, delivered %v, partial %s", broken.Err, broken.Delivered, partial))
			break
		}
		s := string(ev.Type)
		switch ev.Type {
		case EventContentBlockStart:
			s = fmt.Sprintf("start %d %s", ev.Index, ev.Block.Raw())
		case EventContentBlockDelta:
			s = fmt.Sprintf("delta %d %s %q %s", ev.Index, ev.Delta.Type, ev.Delta.Text(), ev.Delta.Raw)
		case EventContentBlockStop:
			s = fmt.Sprintf("stop %d %s", ev.Index, ev.Block.Raw())
			if ev.Cut {
				s += " cut"
			}
		case EventMessageStop:
			s = "end " + contentOf(ev.Response)
		}
		out = append(out, s)
	}
	return strings.Join(out, "\n")
}

// Each event tells what it brings, and each mistake of a stream what it is.
func TestEventsTell(t *testing.T) {
	const (
		textStart = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
		textDelta = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}`
		textStop  = `{"type":"content_block_stop","index":0}`
		callStart = `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}`
		ended     = `{"type":"message_delta","delta":{"stop_reason":"end_turn"}}`
		begun     = "start 0 {\"type\":\"text\",\"text\":\"\"}"
		added     = "delta 0 text_delta \"a\" {\"type\":\"text_delta\",\"text\":\"a\"}"
		whole     = `stop 0 {"type":"text","text":"a"}`
	)
	for name, tt := range map[string]struct {
		stream string
		want   []string
	}{
		"a text":                {frames(startEvent, textStart, textDelta, textStop, ended, stopEvent), []string{"message_start", begun, added, whole, "message_delta", `end {"type":"text","text":"a"}`}},
		"a text without a stop": {frames(startEvent, textStart, textDelta, ended, stopEvent), []string{"message_start", begun, added, "message_delta", `end {"type":"text","text":"a"}`}},
		"an unknown delta": {frames(startEvent, textStart, `{"type":"content_block_delta","index":0,"delta":{"type":"next_year","text":"b"}}`, textStop, ended, stopEvent),
			[]string{"message_start", begun, `delta 0 next_year "" {"type":"next_year","text":"b"}`, `stop 0 {"type":"text","text":""}`, "message_delta", `end {"type":"text","text":""}`}},
		"a text that is no string": {frames(startEvent, textStart, `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":7}}`, textStop, ended, stopEvent),
			[]string{"message_start", begun, `delta 0 text_delta "" {"type":"text_delta","text":7}`, `stop 0 {"type":"text","text":""}`, "message_delta", `end {"type":"text","text":""}`}},
		"the type in the event's name": {"event: message_start\ndata: " + strings.Replace(startEvent, `"type":"message_start",`, "", 1) + "\n\n" + frames(ended, stopEvent), []string{"message_start", "message_delta", "end "}},
		"an unknown event":             {frames(startEvent, `{"type":"next_year","error":null}`, ended, stopEvent), []string{"message_start", "next_year", "message_delta", "end "}},
		"an unknown event with an error": {frames(startEvent, textStart, textDelta, `{"type":"next_year","error":{"type":"overloaded_error","message":"m"}}`),
			[]string{"message_start", begun, added, `error overloaded_error (HTTP 529): m, delivered true, partial {"type":"text","text":"a"}`}},
		"an error before anything":  {frames(`{"type":"error","error":{"type":"overloaded_error","message":"m"}}`), []string{"error overloaded_error (HTTP 529): m, delivered false, partial none"}},
		"an error before content":   {frames(startEvent, textStart, `{"type":"error","error":{"type":"overloaded_error","message":"m"}}`), []string{"message_start", begun, "error overloaded_error (HTTP 529): m, delivered false, partial "}},
		"an empty delta is nothing": {frames(startEvent, textStart, strings.Replace(textDelta, `"a"`, `""`, 1)), []string{"message_start", begun, `delta 0 text_delta "" {"type":"text_delta","text":""}`, "error the stream ended without message_stop, delivered false, partial "}},
		"a whole block is delivered": {frames(startEvent, callStart, textStop), []string{"message_start", `start 0 {"type":"tool_use","id":"t","name":"f","input":{}}`, `stop 0 {"type":"tool_use","id":"t","name":"f","input":{}}`,
			`error the stream ended without message_stop, delivered true, partial {"type":"tool_use","id":"t","name":"f","input":{}}`}},
		"a stop of nothing delivers nothing": {frames(startEvent, textStop), []string{"message_start", "stop 0 ", "error the stream ended without message_stop, delivered false, partial "}},
		"no message":                         {frames(`{"type":"message_start"}`), []string{"error message_start without a message, delivered false, partial none"}},
		"a message that is none":             {frames(`{"type":"message_start","message":[]}`), []string{"error message_start without a message, delivered false, partial none"}},
		"a message with odd content":         {frames(`{"type":"message_start","message":{"id":"m","content":7}}`), []string{"error response m: content: neither a string nor a list of blocks: \"7\", delivered false, partial "}},
		"a block before the message":         {frames(textStart), []string{"error content_block_start before message_start, delivered false, partial none"}},
		"an end before the message":          {frames(stopEvent), []string{"error message_stop before message_start, delivered false, partial none"}},
		"a delta before the message":         {frames(ended), []string{"error message_delta before message_start, delivered false, partial none"}},
		"a start without a block":            {frames(startEvent, `{"type":"content_block_start","index":3}`), []string{"message_start", "error content_block_start 3 without a content block, delivered false, partial "}},
		"a start with a list":                {frames(startEvent, `{"type":"content_block_start","index":3,"content_block":[]}`), []string{"message_start", "error content_block_start 3 without a content block, delivered false, partial "}},
		"a start without a type":             {frames(startEvent, `{"type":"content_block_start","index":3,"content_block":{"a":1}}`), []string{"message_start", `error content_block_start 3: no "type": "{\"a\":1}", delivered false, partial `}},
		"a message over again": {frames(startEvent, textStart, textDelta, strings.Replace(startEvent, "msg_1", "msg_2", 1), textStart, textStop, ended, stopEvent),
			[]string{"message_start", begun, added, "restarted", "message_start", begun, `stop 0 {"type":"text","text":""}`, "message_delta", `end {"type":"text","text":""}`}},
		"not the Messages API":       {"data: {\"choices\":[]}\n\n", []string{"error " + errForeign.Error() + ", delivered false, partial none"}},
		"choices behind the start":   {frames(startEvent) + "event: next_year\ndata: {\"choices\":[]}\n\n" + frames(ended, stopEvent), []string{"message_start", "next_year", "message_delta", "end "}},
		"a page":                     {"<html>", []string{"error " + errForeign.Error() + ", delivered false, partial none"}},
		"an error as JSON":           {`{"type":"error","error":{"type":"rate_limit_error","message":"m"}}`, []string{"error rate_limit_error (HTTP 429): m, delivered false, partial none"}},
		"JSON with a null error":     {`{"error":null}`, []string{"error " + errForeign.Error() + ", delivered false, partial none"}},
		"words":                      {`bad gateway`, []string{"error the stream ended without message_stop, delivered false, partial none"}},
		"a page behind the start":    {frames(startEvent) + "<html>", []string{"message_start", "error the stream ended without message_stop, delivered false, partial "}},
		"an event that is no JSON":   {frames(startEvent) + "data: x\n\n", []string{"message_start", "error an event is not a JSON object: \"x\", delivered false, partial "}},
		"an event that is a list":    {frames(startEvent) + "data: []\n\n", []string{"message_start", "error an event is not a JSON object: \"[]\", delivered false, partial "}},
		"an event that is cut":       {frames(startEvent) + "data: {\"type\":", []string{"message_start", "error the stream ended without message_stop, delivered false, partial "}},
		"a ping that is no JSON":     {frames(startEvent) + "event: ping\ndata: x\n\ndata: [DONE]\n\n" + frames(ended, stopEvent), []string{"message_start", "message_delta", "end "}},
		"[DONE] in place of the end": {frames(startEvent, ended) + "data: [DONE]\n\ndata: more\n\n", []string{"message_start", "message_delta", "end "}},
		"an end that is no JSON":     {frames(startEvent, ended) + "event: message_stop\ndata: x\n\n", []string{"message_start", "message_delta", "end "}},
		"nothing behind the end":     {frames(startEvent, ended, stopEvent, `{"type":"error","error":{"type":"api_error"}}`), []string{"message_start", "message_delta", "end "}},
		"the end of the connection":  {frames(startEvent, textStart, textStop, ended), []string{"message_start", begun, `stop 0 {"type":"text","text":""}`, "message_delta", `message_stop`}},
	} {
		want := strings.Join(tt.want, "\n")
		want = strings.Replace(want, "\nmessage_stop", "\nend {\"type\":\"text\",\"text\":\"\"}", 1)
		if got := told(tt.stream); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
}

// What the start says stands unless a later event says otherwise.
func TestMessageIsMerged(t *testing.T) {
	start := func(message string) string { return `{"type":"message_start","message":` + message + `}` }
	delta := func(rest string) string { return `{"type":"message_delta",` + rest + `}` }
	for name, tt := range map[string]struct {
		events []string
		want   string
	}{
		"content of the start is replaced":  {[]string{start(`{"id":"m","content":[{"type":"text","text":"old"}]}`), `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"new"}}`, `{"type":"content_block_stop","index":0}`, delta(`"delta":{"stop_reason":"end_turn"}`)}, `{"id":"m","content":[{"type":"text","text":"new"}],"stop_reason":"end_turn"}`},
		"no content in the start":           {[]string{start(`{"id":"m"}`), delta(`"delta":{"stop_reason":"end_turn"}`)}, `{"id":"m","stop_reason":"end_turn","content":[]}`},
		"null for content":                  {[]string{start(`{"content":null,"id":"m"}`), delta(`"delta":{"stop_reason":"end_turn"}`)}, `{"content":[],"id":"m","stop_reason":"end_turn"}`},
		"null replaces nothing":             {[]string{start(`{"id":"m","content":[],"container":{"id":"c"}}`), delta(`"delta":{"stop_reason":"end_turn","container":null}`)}, `{"id":"m","content":[],"container":{"id":"c"},"stop_reason":"end_turn"}`},
		"members beside the delta":          {[]string{start(`{"id":"m","content":[]}`), delta(`"index":3,"context_management":{"a":1},"delta":{"stop_reason":"end_turn"}`)}, `{"id":"m","content":[],"stop_reason":"end_turn","context_management":{"a":1}}`},
		"a usage where there was none":      {[]string{start(`{"id":"m","content":[]}`), delta(`"usage":{"output_tokens":3}`)}, `{"id":"m","content":[],"usage":{"output_tokens":3}}`},
		"a usage where there was null":      {[]string{start(`{"id":"m","content":[],"usage":null}`), delta(`"usage":{"output_tokens":3}`)}, `{"id":"m","content":[],"usage":{"output_tokens":3}}`},
		"a usage that is none":              {[]string{start(`{"id":"m","content":[],"usage":{"output_tokens":1}}`), delta(`"usage":7`), delta(`"usage":null`)}, `{"id":"m","content":[],"usage":{"output_tokens":1}}`},
		"a null count":                      {[]string{start(`{"id":"m","content":[],"usage":{"input_tokens":9,"output_tokens":1}}`), delta(`"usage":{"input_tokens":null,"output_tokens":3}`)}, `{"id":"m","content":[],"usage":{"input_tokens":9,"output_tokens":3}}`},
		"a prompt that falls to zero":       {[]string{start(`{"id":"m","content":[],"usage":{"input_tokens":9,"cache_read_input_tokens":7,"cache_creation_input_tokens":5}}`), delta(`"usage":{"input_tokens":0,"cache_read_input_tokens":0,"cache_creation_input_tokens":0}`)}, `{"id":"m","content":[],"usage":{"input_tokens":9,"cache_read_input_tokens":7,"cache_creation_input_tokens":5}}`},
		"a prompt that falls":               {[]string{start(`{"id":"m","content":[],"usage":{"input_tokens":9}}`), delta(`"usage":{"input_tokens":1}`)}, `{"id":"m","content":[],"usage":{"input_tokens":1}}`},
		"output that falls":                 {[]string{start(`{"id":"m","content":[],"usage":{"output_tokens":9}}`), delta(`"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}`)}, `{"id":"m","content":[],"usage":{"output_tokens":9},"stop_reason":"end_turn"}`},
		"output that a refusal takes back":  {[]string{start(`{"id":"m","content":[],"usage":{"output_tokens":9}}`), delta(`"delta":{"stop_reason":"refusal"},"usage":{"output_tokens":0}`)}, `{"id":"m","content":[],"usage":{"output_tokens":0},"stop_reason":"refusal"}`},
		"three deltas":                      {[]string{start(`{"id":"m","content":[],"usage":{"output_tokens":1}}`), delta(`"usage":{"output_tokens":2}`), delta(`"usage":{"output_tokens":3,"x":1}`), delta(`"usage":{"output_tokens":4},"delta":{"stop_reason":"end_turn"}`)}, `{"id":"m","content":[],"usage":{"output_tokens":4,"x":1},"stop_reason":"end_turn"}`},
		"another model behind a fallback":   {[]string{start(`{"id":"m","model":"a","content":[]}`), `{"type":"content_block_start","index":0,"content_block":{"type":"fallback","to":{"model":"b"}}}`, `{"type":"content_block_stop","index":0}`}, `{"id":"m","model":"b","content":[{"type":"fallback","to":{"model":"b"}}]}`},
		"a fallback to nobody":              {[]string{start(`{"id":"m","model":"a","content":[]}`), `{"type":"content_block_start","index":0,"content_block":{"type":"fallback"}}`, `{"type":"content_block_stop","index":0}`}, `{"id":"m","model":"a","content":[{"type":"fallback"}]}`},
		"a text that names another model":   {[]string{start(`{"id":"m","model":"a","content":[]}`), `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"x","to":{"model":"b"}}}`, `{"type":"content_block_stop","index":0}`}, `{"id":"m","model":"a","content":[{"type":"text","text":"x","to":{"model":"b"}}]}`},
		"what a compaction delta brings":    {[]string{start(`{"id":"m","content":[]}`), `{"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"s","signature":"x"}}`, `{"type":"content_block_stop","index":0}`}, `{"id":"m","content":[{"type":"compaction","content":"s","signature":"x"}]}`},
		"citations behind those of a start": {[]string{start(`{"id":"m","content":[]}`), `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a","citations":[{"n":1},{"n":2}]}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"n":3}}}`, `{"type":"content_block_stop","index":0}`}, `{"id":"m","content":[{"type":"text","text":"a","citations":[{"n":1},{"n":2},{"n":3}]}]}`},
		"members that a start lacks": {[]string{start(`{"id":"m","content":[]}`), `{"type":"content_block_start","index":0,"content_block":{"type":"thinking"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}}`, `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}}`, `{"type":"content_block_stop","index":0}`,
			`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f"}}`, `{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}`, `{"type":"content_block_stop","index":1}`,
			`{"type":"content_block_start","index":2,"content_block":{"type":"text"}}`, `{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"a"}}`, `{"type":"content_block_stop","index":2}`},
			`{"id":"m","content":[{"type":"thinking","thinking":"h","signature":"s"},{"type":"tool_use","id":"t","name":"f","input":{"a":1}},{"type":"text","text":"a"}]}`},
	} {
		resp := readAll(t, strings.NewReader(frames(append(tt.events, stopEvent)...)))
		if got := string(resp.Raw()); got != tt.want {
			t.Errorf("%s: got %s\nwant %s", name, got, tt.want)
		}
		again, err := ParseResponse([]byte(tt.want))
		if err != nil || again.Model != resp.Model || again.StopReason != resp.StopReason || again.Usage.OutputTokens != resp.Usage.OutputTokens || again.Usage.InputTokens != resp.Usage.InputTokens {
			t.Errorf("%s: read as %+v, whole as %+v", name, resp, again)
		}
		for _, member := range []string{"id", "model", "stop_reason", "usage", "nothing"} {
			if string(resp.Member(member)) != string(again.Member(member)) {
				t.Errorf("%s: member %s is %s", name, member, resp.Member(member))
			}
		}
	}
}

// An assembler that has served a stream serves the next as a new one would, and
// doesn't keep what was large.
func TestAssemblerServesAgain(t *testing.T) {
	var a assembler
	feed := func(events ...string) {
		t.Helper()
		for _, e := range events {
			var parsed eventText
			parsed.parse([]byte(e))
			if _, err := a.apply([]byte(mustType(e)), &parsed); err != nil {
				t.Fatal(err)
			}
		}
	}
	const half = `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":\"\ud83d"}}`
	call := block(0, `{"type":"tool_use","id":"t","name":"f","input":{}}`)
	feed(startEvent, call[0], half)
	feed(block(1, `{"type":"thinking","thinking":""}`, `{"type":"signature_delta","signature":"s"}`)...)
	feed(block(2, `{"type":"text","text":""}`, `{"type":"citations_delta","citation":{"n":1}}`)[:2]...)
	feed(block(3, `{"type":"tool_use","id":"u","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"a\":"}`)...)
	a.reset()
	if len(a.message) != 0 || a.begun != nil || len(a.done)+len(a.cut)+len(a.extra)+a.next != 0 || a.again || a.anyOpen() {
		t.Errorf("something is left: %+v", a)
	}
	for _, d := range a.done[:cap(a.done)] {
		if !d.block.IsZero() {
			t.Errorf("the block %s is held", d.block.Raw())
		}
	}
	feed(startEvent)
	feed(block(0, `{"type":"tool_use","id":"v","name":"g","input":{}}`, `{"type":"input_json_delta","partial_json":"{}"}`)...)
	feed(block(1, `{"type":"thinking","thinking":"x"}`)...)
	feed(block(2, `{"type":"text","text":"y"}`)...)
	var last Event
	err := a.finish(&last, nil)
	r := last.Response
	if err != nil || contentOf(r) != `{"type":"tool_use","id":"v","name":"g","input":{}},{"type":"thinking","thinking":"x"},{"type":"text","text":"y"}` || len(r.Cut) != 0 {
		t.Errorf("%v, %s, cut %q", err, contentOf(r), r.Cut)
	}
	a.reset()
	for _, m := range slices.Concat(a.message[:cap(a.message)], a.counts[:cap(a.counts)]) {
		if m.key != nil || m.value != nil {
			t.Errorf("the member %s is held", m.key)
		}
	}
	for _, n := range []int{mostMembers, mostMembers + 1} {
		a.message, a.counts = make(memberList, 0, n-1), make(memberList, 0, 1)
		if a.reset(); (a.message == nil) != (n > mostMembers) || (a.counts == nil) != (n > mostMembers) {
			t.Errorf("with lists of %d members: %v, %v are gone", n, a.message == nil, a.counts == nil)
		}
	}

	for _, size := range []int{mostKept, mostKept + 1} {
		o := openBlock{text: make([]byte, 1, size), input: make([]byte, 1, size), joined: make([]byte, 1, size), citations: []byte("c")}
		o.release()
		want := 0
		if size == mostKept {
			want = size
		}
		if cap(o.text) != want || cap(o.input) != want || cap(o.joined) != want || len(o.text)+len(o.input)+len(o.joined)+len(o.citations) != 0 {
			t.Errorf("of buffers of %d bytes %d, %d and %d are kept", size, cap(o.text), cap(o.input), cap(o.joined))
		}
		a.usage, a.changed = make([]byte, 1), [2][]byte{make([]byte, size-1), make([]byte, 1)}
		if a.reset(); (a.usage == nil) != (size > mostKept) || (a.changed[0] == nil) != (size > mostKept) {
			t.Errorf("with messages of %d bytes: %v, %v are gone", size, a.usage == nil, a.changed[0] == nil)
		}
	}
	b := roomFor(make([]byte, 10, 16), 7)
	if len(b) != 10 || cap(b) < 32 {
		t.Errorf("room for %d", cap(b))
	}
	if b := roomFor(make([]byte, 10, 16), 6); cap(b) != 16 {
		t.Errorf("room for %d, though there was enough", cap(b))
	}
}

// A listener that has enough ends the reading, at whatever event.
func TestStreamsEndEarly(t *testing.T) {
	stream := frames(startEvent) + message(block(0, `{"type":"text","text":""}`, `{"type":"text_delta","text":"a"}`))
	total := strings.Count(told(stream), "\n") + 1
	for n := 1; n <= total; n++ {
		seen := 0
		for range ReadStream(strings.NewReader(stream)) {
			if seen++; seen == n {
				break
			}
		}
		if seen != n {
			t.Errorf("%d events, want %d", seen, n)
		}
	}
	r := readAll(t, strings.NewReader(stream))
	total = 0
	for range r.Events() {
		total++
	}
	for n := 1; n <= total; n++ {
		seen := 0
		for range r.Events() {
			if seen++; seen == n {
				break
			}
		}
		if seen != n {
			t.Errorf("%d events of a whole response, want %d", seen, n)
		}
	}
	if total != 5 {
		t.Errorf("%d events", total)
	}
	if _, err := Create(t.Context(), streamed(""), nil); err == nil || !strings.Contains(err.Error(), "without message_stop") {
		t.Errorf("got %v", err)
	}
	if r, err := Create(t.Context(), streamed(stream), nil); err != nil || r.Text() != "a" {
		t.Errorf("got %v", err)
	}
	for range ReadStream(io.MultiReader(strings.NewReader(frames(startEvent)), neverRead{t})) {
		break
	}
}

// streamed is a client that answers with a stream.
type streamed string

func (s streamed) Stream(context.Context, *Request) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if s != "" {
			ReadStream(strings.NewReader(string(s)))(yield)
		}
	}
}

type neverRead struct{ t *testing.T }

func (r neverRead) Read([]byte) (int, error) {
	r.t.Error("read after the end was asked for")
	return 0, io.EOF
}
