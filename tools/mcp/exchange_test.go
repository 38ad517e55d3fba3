package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
)

// FuzzReceived: whatever JSON a server gives as the result of a request, the SDK
// can read what is made of it.
func FuzzReceived(f *testing.F) {
	methods := []struct {
		name string
		into func() any
	}{
		{"tools/list", func() any { return &sdk.ListToolsResult{} }}, {"tools/call", func() any { return &sdk.CallToolResult{} }},
		{"resources/list", func() any { return &sdk.ListResourcesResult{} }}, {"resources/templates/list", func() any { return &sdk.ListResourceTemplatesResult{} }},
		{"resources/read", func() any { return &sdk.ReadResourceResult{} }}, {"prompts/list", func() any { return &sdk.ListPromptsResult{} }},
		{"prompts/get", func() any { return &sdk.GetPromptResult{} }},
	}
	for i, result := range []string{
		`{"tools":[{"name":"a","inputSchema":{},"icons":[{}],"_meta":{"a":1}},{"name":1}],"nextCursor":5,"ttlMs":"x","resultType":[]}`,
		`{"content":[{"type":"resource","resource":5},{"type":"tool_result","content":[{"type":"x"}]}],"structuredContent":"s","isError":"1","inputRequests":{"a":{"method":"x"}}}`,
		`{"resources":[{"uri":"u","annotations":[]}]}`, `{"resourceTemplates":{}}`, `{"contents":[{"uri":"u","blob":"!"}]}`,
		`{"prompts":[{"name":"a","arguments":[1]}]}`, `{"messages":[{"role":7,"content":null},5],"description":[]}`, `7`, `"x"`, `[[]]`,
	} {
		f.Add(i%len(methods), result)
	}
	f.Fuzz(func(t *testing.T, method int, result string) {
		if method < 0 || !json.Valid([]byte(result)) {
			return
		}
		m := methods[method%len(methods)]
		x := newExchanges(slog.New(slog.DiscardHandler))
		x.sends(t.Context(), []byte(`{"jsonrpc":"2.0","id":1,"method":"`+m.name+`"}`))
		raw := x.received([]byte(`{"jsonrpc":"2.0","id":1,"result":` + result + `}`))
		if strings.Contains(result, "\\u0000") || raw == nil {
			return
		}
		message, err := jsonrpc.DecodeMessage(raw)
		if err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		if message.(*jsonrpc.Response).Error != nil {
			return
		}
		into := m.into()
		if err := json.Unmarshal(message.(*jsonrpc.Response).Result, into); err != nil {
			t.Fatalf("%s: %v: %s", m.name, err, raw)
		}
		if r, ok := into.(*sdk.CallToolResult); ok {
			resultOf(r, hider{})
		}
	})
}

func TestIDOfALongMessage(t *testing.T) {
	for text, want := range map[string]string{
		`{"result":{"id":7,"a":"\"id\":8"},"jsonrpc":"2.0","id":5}`: "5",
		`{"id":"a:,}b","result":[{"id":1}]}`:                        `"a:,}b"`,
		`{ "id" : 12 , "result" : "x\\" }`:                          "12",
		`{"result":{}}`:                                             "",
		`{"x":"id","y":3}`:                                          "",
	} {
		for _, size := range []int{1, 3, 1000} {
			var f idFinder
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				f.write([]byte(rest[:n]))
				rest = rest[n:]
			}
			if f.id() != want {
				t.Errorf("%s: the id is %s, want %s", text, f.id(), want)
			}
		}
	}
}

// An answer is for the request with its id, and without an id for the only one that
// waits. One that is too long is for no other request.
func TestWhoseAnswer(t *testing.T) {
	waiting := func(ids ...string) *exchanges {
		x := newExchanges(slog.New(slog.DiscardHandler))
		for _, id := range ids {
			x.sends(t.Context(), []byte(`{"jsonrpc":"2.0","id":`+id+`,"method":"tools/call"}`))
		}
		return x
	}
	const failed = `,"error":{"code":-32700,"message":"no"}}`
	for answer, want := range map[string]string{`"id":1`: "1", `"id":"1"`: "1", `"id":null`: "1", `"x":0`: "1", `"id":2`: "", `"id":"x"`: ""} {
		x := waiting("1")
		raw := x.received([]byte(`{"jsonrpc":"2.0",` + answer + failed))
		if (raw != nil) != (want != "") || len(x.waiting) == 0 != (raw != nil) {
			t.Errorf("%s, where 1 waits: %s, and %d wait", answer, raw, len(x.waiting))
		}
	}
	if x := waiting("1", "2"); x.received([]byte(`{"jsonrpc":"2.0","id":null`+failed)) != nil || len(x.waiting) != 2 {
		t.Error("an answer to one of two")
	}
	if x := waiting("1", "2"); len(x.tooLong("2", 9)) != 1 || x.waiting["1"] == nil {
		t.Error("a too long answer to one request ends another")
	}
	if x := waiting("1", "2"); len(x.tooLong("3", 9)) != 0 || len(x.waiting) != 2 {
		t.Error("a too long answer to nothing ends requests")
	}
	if x := waiting("1", "2"); len(x.tooLong("", 9)) != 2 || len(x.waiting) != 0 {
		t.Error("requests wait for a too long answer")
	}
}

// An event of many lines, or one, is kept up to the limit.
func TestEventWithoutEnd(t *testing.T) {
	for _, data := range []string{"data: " + strings.Repeat(" ", 1<<20) + "\n\n", strings.Repeat("data: x\n", 1<<17) + "\n"} {
		e := newEvents(io.NopCloser(strings.NewReader(data)), newExchanges(slog.New(slog.DiscardHandler)), 100_000)
		for e.err == nil && !e.long {
			if e.err = e.line(); len(e.data) > 100_000 {
				t.Fatalf("%d bytes are kept", len(e.data))
			}
		}
		if !e.long {
			t.Errorf("%.9q: not known as too long: %v", data, e.err)
		}
	}
}

// A tool that is served ends with its time, and what it panics with is for the log.
func TestServedToolsEnd(t *testing.T) {
	var log strings.Builder
	run := func(tool tools.Callable) (tools.Result, error) {
		s := &served{log: slog.New(slog.NewTextHandler(&log, nil))}
		c := &servedCall{served: s, name: "x", tool: tool, host: &servedHost{servedRound: s.round(&request{}, state{})}}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		out, err := c.run(ctx)
		if ctx.Err() != nil {
			t.Error("the tool ran on")
		}
		return out, err
	}
	if _, err := run(tools.Func("x", "d", func(context.Context, struct{}) (string, error) { panic("s3cret") })); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(log.String(), "s3cret") {
		t.Errorf("a panic: %v; the log: %s", err, log.String())
	}
	if _, err := run(tools.FuncWith("x", "d", func(ctx context.Context, _ struct{}) (string, error) { <-ctx.Done(); return "", ctx.Err() }, tools.Options{Traits: tools.Traits{Timeout: time.Millisecond}})); err == nil {
		t.Error("a tool without end has a result")
	}
}

// Of any number of requests that wait, each gets its answer; those that were given up are
// forgotten.
func TestManyRequestsWait(t *testing.T) {
	x := newExchanges(slog.New(slog.DiscardHandler))
	gone, cancel := context.WithCancel(t.Context())
	for i := range 500 {
		ctx := t.Context()
		if i%2 == 1 {
			ctx = gone
		}
		x.sends(ctx, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call"}`, i))
	}
	cancel()
	x.sends(t.Context(), []byte(`{"jsonrpc":"2.0","id":500,"method":"tools/call"}`))
	if n := len(x.waiting); n != 251 {
		t.Errorf("%d wait", n)
	}
	for i := 0; i <= 500; i += 2 {
		if x.received(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"result":{}}`, i)) == nil {
			t.Fatalf("the answer to request %d is thrown away", i)
		}
	}
}
