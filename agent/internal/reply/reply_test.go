package reply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

const (
	search = `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
	code   = `{"type":"server_tool_use","id":"c","name":"code_execution","input":{}}`
	found  = `{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`
	words  = `{"type":"text","text":"x"}`
)

func use(id string) string {
	return fmt.Sprintf(`{"type":"tool_use","id":%q,"name":"f","input":{}}`, id)
}

func response(t *testing.T, stop string, content ...string) *transport.Response {
	t.Helper()
	r, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","model":"m","content":[%s],"stop_reason":%q,"usage":{"input_tokens":1,"output_tokens":1}}`, strings.Join(content, ","), stop)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A response that the service would refuse in the next request is no part of a log, and
// the error has all of it.
func TestCheck(t *testing.T) {
	ask := []memory.Record{{Kind: memory.KindInput, Message: transport.UserText("q")}}
	behind := func(stop string, content ...string) []memory.Record {
		return append(ask[:1:1], memory.Record{Kind: memory.KindResponse, Response: response(t, stop, content...)})
	}
	answered := func(records []memory.Record, id string) []memory.Record {
		c := transport.ToolCall{ID: id}
		return append(records, memory.Record{Kind: memory.KindResult, Block: c.Answer(transport.Text("r"))})
	}
	called := use("a")[:len(use("a"))-1] + `,"caller":{"type":"code_execution_20260120","tool_id":"c"}}`
	for _, tt := range []struct {
		name string
		log  []memory.Record
		resp *transport.Response
		why  string
	}{
		{"words", ask, response(t, "end_turn", words), ""},
		{"two calls", ask, response(t, "tool_use", use("a"), use("b")), ""},
		{"two calls of one id", ask, response(t, "tool_use", use("a"), use("a")), `the id "a"`},
		{"a call with the id of one of the service", ask, response(t, "tool_use", search, found, use("s")), `the id "s"`},
		{"two calls of the service of one id", ask, response(t, "pause_turn", search, found, search), `the id "s"`},
		{"a call without a name", ask, response(t, "tool_use", `{"type":"tool_use","id":"a","name":"","input":{}}`), "no name"},
		{"a call of the service and its result", ask, response(t, "end_turn", search, found, words), ""},
		{"a result without a call", ask, response(t, "end_turn", found, words), `the call "s"`},
		{"two results of one call", ask, response(t, "end_turn", search, found, found), `the call "s"`},
		{"a result in front of its call", ask, response(t, "end_turn", found, search), `the call "s"`},
		{"an id that an earlier turn had", append(answered(behind("tool_use", use("a")), "a"), ask...), response(t, "tool_use", use("a")), ""},

		{"a pause goes on", behind("pause_turn", search), response(t, "end_turn", found, words), ""},
		{"a pause goes on with the same id", behind("pause_turn", search), response(t, "pause_turn", words, search), `the id "s"`},
		{"a pause goes on with a call, without the result", behind("pause_turn", search), response(t, "tool_use", use("a")), ""},
		{"calls beside one of the service, which ends", answered(behind("tool_use", search, use("a")), "a"), response(t, "end_turn", found, words), ""},
		{"and calls again", answered(behind("tool_use", search, use("a")), "a"), response(t, "tool_use", found, use("b")), ""},
		{"and calls again without the result", answered(behind("tool_use", search, use("a")), "a"), response(t, "tool_use", use("b")), `without the result of the call "s"`},
		{"code that calls again", answered(behind("tool_use", code, called), "a"), response(t, "tool_use", strings.Replace(called, `"id":"a"`, `"id":"b"`, 1)), ""},
		{"code of which something else calls", answered(behind("tool_use", code, called), "a"), response(t, "tool_use", use("b")), `without the result of the call "c"`},
		{"the words of one that waits", answered(behind("tool_use", search, use("a")), "a"), response(t, "end_turn", words), ""},
		{"the id of a call that waits", answered(behind("tool_use", search, use("a")), "a"), response(t, "pause_turn", found, search), `the id "s"`},
	} {
		log := memory.NewLog()
		if err := log.Append(context.Background(), tt.log...); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		err := Check(tt.resp, log)
		if tt.why == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		var cut *transport.StreamError
		if !errors.As(err, &cut) || cut.Partial != tt.resp || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.why)
		}
	}
}
