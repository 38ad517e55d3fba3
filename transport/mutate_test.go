package transport

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// streams are streams with all that deltas can do.
var streams = []string{
	message(block(0, `{"type":"thinking","thinking":"","signature":""}`, `{"type":"thinking_delta","thinking":"h\u00e9 \\ud83d"}`, `{"type":"signature_delta","signature":"c2ln"}`),
		block(1, `{"citations":[],"type":"text","text":""}`, `{"type":"citations_delta","citation":{"n":[1]}}`, `{"type":"text_delta","text":"a \ud83d"}`, `{"type":"text_delta","text":"\ude00 \"ü\\"}`)),
	message(block(0, `{"type":"text","text":"so "}`, `{"type":"text_delta","text":"far"}`),
		block(1, `{"type":"tool_use","id":"toolu_1","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":""}`, `{"type":"input_json_delta","partial_json":"{\"n\":[90071992547"}`, `{"type":"input_json_delta","partial_json":"40993,{\"s\":\"\ud83d\"}"}`, `{"type":"input_json_delta","partial_json":"]}"}`),
		block(2, `{"type":"tool_use","id":"toolu_2","name":"g","input":{"whole":true}}`)),
	message(block(0, `{"type":"compaction","content":null}`, `{"type":"compaction_delta","content":"sum","encrypted_content":"Eu8"}`),
		block(1, `{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"query\":\"x\"}"}`),
		block(2, `{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`),
		block(3, `{"type":"fallback","from":{"model":"a"},"to":{"model":"b"}}`)),
}

// checkStream reads a stream and demands what holds of any: it ends in a response
// or in a StreamError, and all that is kept of it is JSON that can be sent back.
// It returns the response, which is partial if there is an error.
func checkStream(t *testing.T, stream string) (*Response, error) {
	t.Helper()
	var resp *Response
	var broken *StreamError
	for ev, err := range ReadStream(strings.NewReader(stream)) {
		switch {
		case err != nil && !errors.As(err, &broken):
			t.Fatalf("%q: not a StreamError: %v", stream, err)
		case err != nil:
			resp = broken.Partial
		case ev.Type == EventContentBlockStop && !ev.Block.IsZero() && !rawjson.Valid(ev.Block.Raw()):
			t.Fatalf("%q: block %s", stream, ev.Block.Raw())
		case ev.Type == EventMessageStop:
			resp = ev.Response
		}
	}
	if resp == nil {
		if broken == nil {
			t.Fatalf("%q: neither a response nor an error", stream)
		}
		return nil, broken
	}
	if !rawjson.Valid(resp.Raw()) {
		t.Fatalf("%q: response %s", stream, resp.Raw())
	}
	turn, _ := resp.Replay()
	body, err := (&Request{Model: "m", MaxTokens: 1, Messages: []Message{UserText("a"), turn}}).StreamBody()
	if err != nil || !rawjson.Valid(body.Bytes()) {
		t.Fatalf("%q: sent back as %s (%v)", stream, body.Bytes(), err)
	}
	for _, c := range resp.ToolCalls() {
		if !rawjson.Valid(c.Input) {
			t.Fatalf("%q: input %s", stream, c.Input)
		}
	}
	if broken == nil {
		return resp, nil
	}
	return resp, broken
}

// A stream that is cut at any byte in front of its stop reason is an error, and
// what had come by then is a beginning of the whole. Behind it nothing can be
// missing.
func TestStreamCutAtEveryByte(t *testing.T) {
	for _, stream := range streams {
		whole, err := checkStream(t, stream)
		if err != nil {
			t.Fatal(err)
		}
		last := strings.Index(stream, `{"type":"message_delta"`)
		last += strings.Index(stream[last:], "\n")
		for n := range len(stream) {
			part, err := checkStream(t, stream[:n])
			if (err == nil) != (n >= last) {
				t.Fatalf("cut at %d of %d: %v", n, len(stream), err)
			}
			if part == nil {
				continue
			}
			for i, b := range part.Content {
				if b.Type() == TypeText && i == len(part.Content)-1 {
					if !strings.HasPrefix(whole.Content[i].field("text"), b.field("text")) {
						t.Fatalf("cut at %d: text %s", n, b.Raw())
					}
				} else if string(b.Raw()) != string(whole.Content[i].Raw()) {
					t.Fatalf("cut at %d: block %s", n, b.Raw())
				}
			}
		}
	}
}

// Streams with events lost, doubled and moved, and bytes changed.
func TestMutatedStreams(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	const alphabet = "{}[]\",:\\0un \ntd/\x00\xff"
	broken := 0
	for range 30_000 {
		events := strings.SplitAfter(streams[rng.IntN(len(streams))], "\n\n")
		for range 1 + rng.IntN(3) {
			i, j := rng.IntN(len(events)), rng.IntN(len(events))
			switch rng.IntN(5) {
			case 0:
				events[i], events[j] = events[j], events[i]
			case 1:
				events[i] = events[j]
			case 2:
				events[i] = ""
			default:
				if e := []byte(events[i]); len(e) > 0 {
					e[rng.IntN(len(e))] = alphabet[rng.IntN(len(alphabet))]
					events[i] = string(e)
				}
			}
		}
		if _, err := checkStream(t, strings.Join(events, "")); err != nil {
			broken++
		}
	}
	if broken < 1000 || broken > 29_000 {
		t.Errorf("%d of 30,000 streams were broken", broken)
	}
}
