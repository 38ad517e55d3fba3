package transport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// Streams as gateways, and for some months the service itself, were seen to send
// them. What isn't ambiguous is read; no block gets what isn't its own.
func TestOddStreams(t *testing.T) {
	at := func(index, event string) string { return strings.Replace(event, `"index":0`, index, 1) }
	start := func(block string) string {
		return `{"type":"content_block_start","index":0,"content_block":` + block + `}`
	}
	delta := func(d string) string { return `{"type":"content_block_delta","index":0,"delta":` + d + `}` }
	const (
		stop     = `{"type":"content_block_stop","index":0}`
		text     = `{"type":"text","text":""}`
		thinking = `{"type":"thinking","thinking":"","signature":""}`
		call     = `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`
		said     = `{"type":"text_delta","text":"I look."}`
		thought  = `{"type":"thinking_delta","thinking":"hm"}`
		signed   = `{"type":"signature_delta","signature":"c2ln"}`
		args     = `{"type":"input_json_delta","partial_json":"{\"q\":1}"}`
		noText   = `{"type":"text_delta","text":""}`

		whole     = `{"type":"text","text":"I look."}`
		wholeCall = `{"type":"tool_use","id":"toolu_1","name":"f","input":{"q":1}}`
		wholeThat = `{"type":"thinking","thinking":"hm","signature":"c2ln"}`
	)
	for _, tt := range []struct {
		name   string
		events []string
		want   string // the content; "error: …" if the stream breaks
	}{
		// K3: indexes and order.
		{"two stops", []string{start(call), delta(args), stop, stop}, wholeCall},
		{"a stop of a block that never began", []string{start(text), delta(said), stop, at(`"index":1`, stop)}, whole},
		{"an empty delta for a block that never began", []string{start(text), at(`"index":4`, delta(noText)), delta(said), stop}, whole},
		{"a gap", []string{start(text), delta(said), stop, at(`"index":2`, start(call)), at(`"index":2`, delta(args)), at(`"index":2`, stop)}, whole + "," + wholeCall},
		{"the service's own numbering of 2026", []string{
			start(`{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`), stop,
			at(`"index":1`, start(`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`)), at(`"index":1`, stop),
			at(`"index":1`, start(text)), at(`"index":1`, delta(said)), at(`"index":1`, stop),
			at(`"index":2`, start(call)), at(`"index":2`, delta(args)), at(`"index":2`, stop),
		}, `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]},` + whole + "," + wholeCall},
		{"all blocks of one index", []string{start(thinking), delta(thought), delta(signed), stop, start(text), delta(said), stop, start(call), delta(args), stop}, wholeThat + "," + whole + "," + wholeCall},
		{"a start without the stop of the one before", []string{start(text), delta(said), start(call), delta(args), stop}, whole + "," + wholeCall},
		{"no index at all", []string{at(`"x":0`, start(text)), at(`"x":0`, delta(said)), at(`"x":0`, stop), at(`"x":0`, start(call)), at(`"x":0`, delta(args)), at(`"x":0`, stop)}, whole + "," + wholeCall},
		{"an index in a string", []string{at(`"index":"0"`, start(text)), delta(said), at(`"index":"0"`, stop)}, whole},
		{"an index like 0.0", []string{at(`"index":0.0`, start(text)), delta(said), stop}, whole},
		{"a later block first", []string{at(`"index":1`, start(call)), at(`"index":1`, delta(args)), at(`"index":1`, stop), start(text), delta(said), stop}, whole + "," + wholeCall},
		{"two blocks at once", []string{start(text), at(`"index":1`, start(call)), delta(said), at(`"index":1`, delta(args)), stop, at(`"index":1`, stop)}, whole + "," + wholeCall},
		{"a delta of an unknown block", []string{start(text), at(`"index":4`, delta(said)), stop}, "error: no block 4 is open"},
		{"a delta behind the stop", []string{start(text), delta(said), stop, delta(said)}, "error: no block 0 is open"},
		{"a delta of one of two without an index", []string{start(text), at(`"index":1`, start(call)), at(`"x":0`, delta(said))}, "error: without an index"},
		{"a negative index", []string{at(`"index":-1`, start(text))}, "error: the index is missing, or is no number"},
		{"an index of three million", []string{at(`"index":3000000`, start(text))}, "error: the index is missing, or is no number"},
		{"an index that is no number", []string{at(`"index":"first"`, start(text))}, "error: the index is missing, or is no number"},

		// K4: deltas in blocks of another type.
		{"text in a call", []string{start(call), delta(args), delta(said), stop}, wholeCall + "," + whole},
		{"text in a call, in pieces", []string{start(call), delta(`{"type":"text_delta","text":"I "}`), delta(args), delta(`{"type":"text_delta","text":"look."}`), stop}, wholeCall + "," + whole},
		{"text in a call in front of a text", []string{start(call), delta(said), delta(args), stop, at(`"index":1`, start(text)), at(`"index":1`, delta(said)), at(`"index":1`, stop)}, wholeCall + "," + whole + "," + whole},
		{"text in thinking", []string{start(thinking), delta(thought), delta(signed), delta(said), stop}, wholeThat + "," + whole},
		{"thinking in text", []string{start(text), delta(thought), delta(said), stop}, whole},
		{"a signature in text", []string{start(text), delta(said), delta(signed), stop}, whole},
		{"a signature in a call", []string{start(call), delta(args), delta(signed), stop}, wholeCall},
		{"citations in thinking", []string{start(thinking), delta(thought), delta(`{"type":"citations_delta","citation":{"n":1}}`), delta(signed), stop}, wholeThat},
		{"thinking in text, beside open thinking", []string{start(thinking), at(`"index":1`, start(text)), at(`"index":1`, delta(thought)), delta(signed), at(`"index":1`, delta(said)), stop, at(`"index":1`, stop)}, wholeThat + "," + whole},
		{"text in thinking, beside an open text", []string{start(thinking), at(`"index":1`, start(text)), delta(said), delta(thought), delta(signed), stop, at(`"index":1`, stop)}, wholeThat + "," + whole},
		{"input in text, beside an open call", []string{start(text), at(`"index":1`, start(call)), delta(args), delta(said), stop, at(`"index":1`, stop)}, whole + "," + wholeCall},
		{"input in text", []string{start(text), delta(args), stop}, "error: an input_json_delta for a block of type text"},
		{"empty input in text", []string{start(text), delta(`{"type":"input_json_delta","partial_json":""}`), delta(said), stop}, whole},
		{"deltas in a block of next year", []string{start(`{"type":"from_next_year","text":""}`), delta(said), delta(signed), stop}, `{"type":"from_next_year","text":"I look.","signature":"c2ln"}`},

		// K7: arguments that came whole and are no JSON object.
		{"two objects", []string{start(call), delta(`{"type":"input_json_delta","partial_json":"{}{\"q\":1}"}`), stop}, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"INVALID_JSON":"{}{\"q\":1}"}}`},
		{"a lost beginning", []string{start(call), delta(`{"type":"input_json_delta","partial_json":"q\":1}"}`), stop}, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"INVALID_JSON":"q\":1}"}}`},
		{"single quotes", []string{start(call), delta(`{"type":"input_json_delta","partial_json":"{'q':1}"}`), stop}, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"INVALID_JSON":"{'q':1}"}}`},
		{"a raw newline", []string{start(call), delta(`{"type":"input_json_delta","partial_json":"{\"q\":\"a\nb\"}"}`), stop}, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"INVALID_JSON":"{\"q\":\"a\nb\"}"}}`},
		{"a list", []string{start(call), delta(`{"type":"input_json_delta","partial_json":"[1]"}`), stop}, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"INVALID_JSON":"[1]"}}`},
		{"a lost end is cut off", []string{start(call), delta(`{"type":"input_json_delta","partial_json":"{\"q\":1,\"r\":"}`), stop}, `{"type":"tool_use","id":"toolu_1","name":"f","input":{"q":1}} cut`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stream := frames(append(append([]string{startEvent}, tt.events...), `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}`, `{"type":"message_stop"}`)...)
			resp, err := checkStream(t, stream)
			if want, ok := strings.CutPrefix(tt.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := contentOf(resp)
			for _, c := range resp.ToolCalls() {
				if c.Cut {
					got += " cut"
				}
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			checkEvents(t, stream, resp)
		})
	}
}

func contentOf(r *Response) string {
	var parts []string
	for _, b := range r.Content {
		parts = append(parts, string(b.Raw()))
	}
	return strings.Join(parts, ",")
}

// checkEvents demands that the events tell the same as the response: each block
// starts, has its deltas, and stops, at one index.
func checkEvents(t *testing.T, stream string, resp *Response) {
	t.Helper()
	texts := map[int]string{}
	stops := map[int]string{}
	for ev, err := range ReadStream(strings.NewReader(stream)) {
		if err != nil {
			t.Fatal(err)
		}
		switch ev.Type {
		case EventContentBlockStart:
			if _, ok := texts[ev.Index]; ok {
				t.Errorf("two blocks begin at %d", ev.Index)
			}
			texts[ev.Index] = ""
		case EventContentBlockDelta:
			if ev.Delta.Text() == "" {
				continue
			}
			if _, ok := texts[ev.Index]; !ok {
				t.Errorf("a delta of block %d, which has not begun", ev.Index)
			}
			texts[ev.Index] += ev.Delta.Text()
		case EventContentBlockStop:
			if !ev.Block.IsZero() {
				stops[ev.Index] = string(ev.Block.Raw())
				if ev.Block.Type() == TypeText && ev.Block.field("text") != texts[ev.Index] {
					t.Errorf("the deltas of block %d tell %q", ev.Index, texts[ev.Index])
				}
			}
		}
	}
	for _, b := range resp.Content {
		found := false
		for _, s := range stops {
			found = found || s == string(b.Raw())
		}
		if !found && len(stops) == len(resp.Content) {
			t.Errorf("no event brought %s", b.Raw())
		}
	}
}

// A call without an id that a result could name gets one, which is the same when
// the response is read again.
func TestCallsWithoutAnID(t *testing.T) {
	for _, id := range []string{``, `"id":"",`, `"id":null,`, `"id":7,`} {
		block := `{"type":"tool_use",` + id + `"name":"f","input":{}}`
		resp, err := checkStream(t, frames(startEvent, `{"type":"content_block_start","index":0,"content_block":`+block+`}`, `{"type":"content_block_stop","index":0}`,
			`{"type":"content_block_start","index":1,"content_block":`+block+`}`, `{"type":"content_block_stop","index":1}`,
			`{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}`, `{"type":"message_stop"}`))
		if err != nil {
			t.Fatal(err)
		}
		calls := resp.ToolCalls()
		if len(calls) != 2 || !strings.HasPrefix(calls[0].ID, "toolu_") || calls[0].ID == calls[1].ID {
			t.Fatalf("%s: got %+v", id, calls)
		}
		again, err := ParseResponse(resp.Raw())
		if err != nil || again.ToolCalls()[1].ID != calls[1].ID {
			t.Errorf("%s: read again: %v", id, err)
		}
		one, err := ParseResponse([]byte(`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[` + block + `],"stop_reason":"tool_use"}`))
		if err != nil || one.ToolCalls()[0].ID == "" {
			t.Fatalf("%s: whole: %v", id, err)
		}
		two, _ := ParseResponse(one.Raw())
		turn, _ := one.Replay()
		if two.ToolCalls()[0].ID != one.ToolCalls()[0].ID || rawjson.GetString(turn.Content[0].Raw(), "id") != one.ToolCalls()[0].ID {
			t.Errorf("%s: the id changes", id)
		}
	}
}

// A stream that ends behind its stop reason without message_stop is whole.
func TestStreamsWithoutMessageStop(t *testing.T) {
	body := frames(startEvent, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"whole"}}`)
	const stop, reason = `{"type":"content_block_stop","index":0}`, `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}`
	for name, tt := range map[string]struct {
		rest  string
		whole bool
	}{
		"nothing":             {frames(stop, reason), true},
		"[DONE]":              {frames(stop, reason) + "data: [DONE]\n\n", true},
		"a name without data": {frames(stop, reason) + "event: message_stop\n\n", true},
		"a name and no JSON":  {frames(stop, reason) + "event: message_stop\ndata: \n\n", true},
		"an open block":       {frames(reason), false},
		"no stop reason":      {frames(stop), false},
		"a null stop reason":  {frames(stop, `{"type":"message_delta","delta":{"stop_reason":null},"usage":{}}`), false},
	} {
		resp, err := checkStream(t, body+tt.rest)
		if (err == nil) != tt.whole || resp.Text() != "whole" {
			t.Errorf("%s: got %v, %q", name, err, resp.Text())
		}
	}
	// A connection that broke tells nothing of what would have come.
	for _, err := range ReadStream(&failing{strings.NewReader(body + frames(stop, reason))}) {
		if err != nil {
			return
		}
	}
	t.Error("a connection that broke counts as the end")
}

type failing struct{ r *strings.Reader }

func (f *failing) Read(p []byte) (int, error) {
	if n, err := f.r.Read(p); err == nil {
		return n, nil
	}
	return 0, errors.New("connection reset")
}

// Calls that came whole may be run under any reason that doesn't report an end
// before the time.
func TestCallsUnderOtherStopReasons(t *testing.T) {
	for reason, cut := range map[StopReason]bool{
		StopToolUse: false, StopEndTurn: false, StopStopSequence: false, StopPauseTurn: false, "tool_calls": false, "": false,
		StopMaxTokens: true, StopRefusal: true, StopContextWindowExceeded: true,
	} {
		r, err := ParseResponse([]byte(`{"id":"m","content":[{"type":"tool_use","id":"t","name":"f","input":{}}],"stop_reason":"` + string(reason) + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.ToolCalls()[0].Cut; got != cut {
			t.Errorf("%q: Cut is %v", reason, got)
		}
	}
}

// Counts that a message_delta repeats lower, or without sense, replace nothing.
func TestUsageIsCumulative(t *testing.T) {
	for _, tt := range []struct{ start, delta, want string }{
		{`{"input_tokens":1000,"output_tokens":1}`, `{"input_tokens":0,"output_tokens":5}`, `1000 0 5`},
		{`{"input_tokens":3,"cache_read_input_tokens":90000,"output_tokens":1}`, `{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":5}`, `3 90000 5`},
		{`{"input_tokens":3,"output_tokens":1}`, `{"input_tokens":9,"output_tokens":5}`, `9 0 5`},
		{`{"input_tokens":3,"output_tokens":9}`, `{"output_tokens":5}`, `3 0 9`},
		{`{"input_tokens":-90000,"output_tokens":1}`, `{"output_tokens":-5}`, `0 0 1`},
		{`{"input_tokens":"7","output_tokens":1}`, `{"input_tokens":null,"output_tokens":5.0}`, `7 0 5`},
		{`{}`, `{"input_tokens":4,"output_tokens":5}`, `4 0 5`},
		// After a compaction the service counts the last sampling.
		{`{"input_tokens":60385,"output_tokens":1}`, `{"input_tokens":612,"output_tokens":2819}`, `612 0 2819`},
	} {
		resp, err := checkStream(t, frames(`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":`+tt.start+`}}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":`+tt.delta+`}`, `{"type":"message_stop"}`))
		if err != nil {
			t.Fatal(err)
		}
		u := resp.Usage
		if got := fmt.Sprint(u.InputTokens, u.CacheReadInputTokens, u.OutputTokens); got != tt.want {
			t.Errorf("%s, %s: got %s", tt.start, tt.delta, got)
		}
		again, err := ParseResponse(resp.Raw())
		if err != nil || again.Usage.InputTokens != u.InputTokens || again.Usage.OutputTokens != u.OutputTokens {
			t.Errorf("%s, %s: read again as %+v", tt.start, tt.delta, again.Usage)
		}
	}
}

// Random streams of events out of order, doubled, of foreign types and with odd
// indexes: nothing panics, and what comes of them can be sent back.
func FuzzOddStreams(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkStream(t, oddStream(rand.New(rand.NewPCG(seed, 1)))) })
}

func oddStream(rng *rand.Rand) string {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	index := func() string {
		return pick(`"index":0`, `"index":0`, `"index":1`, `"index":1`, `"index":2`, `"index":"1"`, `"index":-1`, `"index":70000`, `"index":null`, `"x":1`, `"index":1.0`)
	}
	events := []string{startEvent}
	for range rng.IntN(14) {
		switch rng.IntN(8) {
		case 0, 1, 2:
			events = append(events, `{"type":"content_block_start",`+index()+`,"content_block":`+pick(
				`{"type":"text","text":""}`, `{"type":"thinking","thinking":"","signature":""}`, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`,
				`{"type":"tool_use","name":"g"}`, `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`, `{"type":"redacted_thinking","data":"d"}`,
				`{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`, `{"type":"new","text":"x"}`, `{"text":""}`, `null`)+`}`)
		case 3, 4, 5:
			events = append(events, `{"type":"content_block_delta",`+index()+`,"delta":`+pick(
				`{"type":"text_delta","text":"a\ud83d"}`, `{"type":"text_delta","text":""}`, `{"type":"thinking_delta","thinking":"b"}`, `{"type":"signature_delta","signature":"c"}`,
				`{"type":"input_json_delta","partial_json":"{\"q\""}`, `{"type":"input_json_delta","partial_json":":1}"}`, `{"type":"citations_delta","citation":{"n":1}}`,
				`{"type":"new_delta","y":1}`, `{}`, `null`)+`}`)
		case 6:
			events = append(events, `{"type":"content_block_stop",`+index()+`}`)
		default:
			events = append(events, pick(`{"type":"ping"}`, `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":-1}}`, startEvent, `{"type":"new"}`))
		}
	}
	if rng.IntN(4) > 0 {
		events = append(events, `{"type":"message_delta","delta":{"stop_reason":"`+pick("tool_use", "end_turn", "pause_turn", "max_tokens", "odd")+`"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	}
	return frames(events...)
}

func TestRandomOddStreams(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	whole := 0
	for range 20_000 {
		if _, err := checkStream(t, oddStream(rng)); err == nil {
			whole++
		}
	}
	if whole < 2000 {
		t.Errorf("%d of the streams were read: too few to tell", whole)
	}
}
