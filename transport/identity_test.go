package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// FuzzBlockIdentity: whatever block comes, in a response that is whole or
// streamed, goes through a message, JSON on disk and a request as the same bytes.
func FuzzBlockIdentity(f *testing.F) {
	for _, s := range []string{
		`{"type":"text","text":"<&>\u00e9 ü","citations":null}`,
		`{"type":"thinking","thinking":"","signature":"EqQB+/="}`,
		`{"type":"tool_use","id":"toolu_1","name":"f","input":{"z":9223372036854775807,"a":1.10,"n":-0},"caller":{"type":"direct"}}`,
		`{"type":"next_month","cache_control":null,"deep":[[{"a":[ ]}]],"type2":"\/"}`,
		`{ "a" : 1 , "type" : "x" }`,
		`{"type":"text","text":"a","type":"b"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := ParseBlock(bytes.Clone(raw))
		if err != nil {
			return
		}
		want := string(rawjson.Trim(raw))
		if string(b.Raw()) != want {
			t.Fatalf("parsed: %s, want %s", b.Raw(), want)
		}
		turn := Message{Role: RoleAssistant, Content: []Block{b}}
		disk := turn.AppendJSON(nil)
		var back Message
		if err := json.Unmarshal(disk, &back); err != nil {
			t.Fatalf("%s: %v", disk, err)
		}
		body, err := (&Request{Model: "m", Messages: []Message{back}}).StreamBody()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(body.Bytes(), []byte(`"content":[`+want+`]}`)) {
			t.Fatalf("sent: %s, want it to hold %s", body.Bytes(), want)
		}
		if strings.ContainsAny(want, "\r\n") {
			return // no line of a stream holds it
		}
		resp := readAll(t, strings.NewReader(frames(startEvent, fmt.Sprintf(`{"type":"content_block_start","index":0,"content_block":%s}`, want),
			`{"type":"content_block_stop","index":0}`, stopEvent)))
		if got := string(resp.Content[0].Raw()); got != want {
			t.Fatalf("streamed: %s, want %s", got, want)
		}
		again, err := ParseResponse(resp.Raw())
		if err != nil || string(again.Content[0].Raw()) != want {
			t.Fatalf("whole: %v", err)
		}
	})
}

// FuzzReadStream: no stream makes the reader panic; it ends in a response or in
// a StreamError, and what is partial is a valid message.
func FuzzReadStream(f *testing.F) {
	f.Add([]byte(message(block(0, `{"type":"text","text":""}`, `{"type":"text_delta","text":"a"}`))))
	f.Add([]byte(message(block(0, `{"type":"tool_use","id":"t","name":"f","input":{}}`, `{"type":"input_json_delta","partial_json":"{\"a\":[1,"}`))))
	f.Add([]byte(message(block(0, `{"type":"compaction","content":null}`, `{"type":"compaction_delta","content":"x"}`))))
	f.Add([]byte(frames(startEvent, startEvent, `{"type":"error","error":{"type":"overloaded_error"}}`)))
	f.Add([]byte("data: {}\r\rdata:\n\ndata: [1]\n\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		whole := false
		for ev, err := range ReadStream(bytes.NewReader(stream)) {
			var broken *StreamError
			switch {
			case err != nil && !errors.As(err, &broken):
				t.Fatalf("not a StreamError: %v", err)
			case err != nil:
				if p := broken.Partial; p != nil && !json.Valid(p.Raw()) {
					t.Fatalf("partial: %s", p.Raw())
				}
				whole = true
			case ev.Type == EventMessageStop:
				if !json.Valid(ev.Response.Raw()) {
					t.Fatalf("response: %s", ev.Response.Raw())
				}
				ev.Response.ToolCalls()
				ev.Response.Replay()
				whole = true
			}
		}
		if !whole {
			t.Fatal("neither a response nor an error")
		}
	})
}
