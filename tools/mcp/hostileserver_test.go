package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A flood of progress, and a message of a megabyte in it, change nothing about the call.
func TestProgressFlood(t *testing.T) {
	told := make(chan struct{})
	s := rawHTTP(t, func(w http.ResponseWriter, r *http.Request, id, _ []byte) {
		w.Header().Set("Content-Type", "text/event-stream")
		note := func(message string) {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"call\",\"progress\":1,\"message\":%q}}\n\n", message)
		}
		note(strings.Repeat("é", 1<<19))
		w.(http.Flusher).Flush()
		select { // what comes with the answer may not be told any more
		case <-told:
		case <-r.Context().Done():
		}
		for range 5000 {
			note("still here")
		}
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}}\n\n", id)
	})
	do := list(t, overHTTP(t, s.URL, mcp.Options{}))["do"]
	var mu sync.Mutex
	n, longest := 0, 0
	ctx := tools.WithCall(t.Context(), tools.CallInfo{ID: "call", Progress: func(m string) {
		mu.Lock()
		defer mu.Unlock()
		if n, longest = n+1, max(longest, len(m)); n == 1 {
			close(told)
		}
		if !strings.HasPrefix(m, "é") && m != "still here" {
			t.Errorf("progress %.20q", m)
		}
	}})
	r, err := do.Call(ctx, json.RawMessage(`{}`))
	mu.Lock()
	defer mu.Unlock()
	if err != nil || !strings.Contains(string(r.Content[0].Raw()), "done") || n == 0 || longest > 4<<10 {
		t.Errorf("%v, %v; %d messages, the longest of %d bytes", r, err, n, longest)
	}
}

// What a task says of itself is bounded as well.
func TestLongTaskMessage(t *testing.T) {
	s := newTaskServer(t, func(n int) string {
		return []string{taskIs("working", fmt.Sprintf(`,"statusMessage":%q`, strings.Repeat("é", 1<<19))), taskIs("completed", completed)}[n]
	})
	longest := 0
	ctx := tools.WithCall(t.Context(), tools.CallInfo{ID: "1", Progress: func(m string) { longest = max(longest, len(m)) }})
	if _, err := s.long(t, mcp.Options{}).Call(ctx, json.RawMessage(`{}`)); err != nil || longest == 0 || longest > 4<<10 {
		t.Errorf("%v; the longest message has %d bytes", err, longest)
	}
}

// Tools that change in the middle of a call are told once the call is over or before,
// and the call goes on with what it has begun.
func TestToolsChangeInACall(t *testing.T) {
	var changed, calls atomic.Int64
	var listed atomic.Pointer[string]
	before := one
	listed.Store(&before)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id := rawjson.Get(body, "id")
		w.Header().Set("Content-Type", "application/json")
		switch method := rawjson.GetString(body, "method"); {
		case method == "initialize":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"raw","version":"1"}}}`, id)
		case method == "tools/list":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id, *listed.Load())
		case method == "tools/call":
			after := `{"tools":[{"name":"do","description":"Now another one.","inputSchema":{"type":"object","required":["x"]}},{"name":"more","inputSchema":{"type":"object"}}]}`
			listed.Store(&after)
			w.Header().Set("Content-Type", "text/event-stream")
			for range 100 {
				fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
			}
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"done %d\"}]}}\n\n", id, calls.Add(1))
		case len(id) == 0:
			w.WriteHeader(http.StatusAccepted)
		default:
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no such method"}}`, id)
		}
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	c := overHTTP(t, s.URL, mcp.Options{ToolsChanged: func() { changed.Add(1) }})
	do := list(t, c)["do"]
	first, _ := do.Definition()
	if got := call(t, do, `{}`); got != "done 1" {
		t.Errorf("the call: %s", got)
	}
	eventually(t, "the change is told", func() bool { return changed.Load() > 0 })
	if now, _ := do.Definition(); string(now.Raw()) != string(first.Raw()) {
		t.Errorf("the tool has changed under its user: %s", now.Raw())
	}
	if got := call(t, do, `{}`); got != "done 2" { // as the model knows it
		t.Errorf("the next call: %s", got)
	}
	if set := list(t, c); set["more"] == nil || len(set) != 2 {
		t.Errorf("the new list: %v", set)
	}
}

// A server of an earlier revision that asks a thousand questions in one call has few of
// them open at the user's.
func TestQuestionFlood(t *testing.T) {
	const questions, mostOpen = 200, 16
	var open, most, asked, cancelled atomic.Int64
	enough := make(chan struct{})
	server := sdk.NewServer(&sdk.Implementation{Name: "asks", Version: "1"}, nil)
	sdk.AddTool(server, &sdk.Tool{Name: "ask"}, func(ctx context.Context, r *sdk.CallToolRequest, _ struct{}) (*sdk.CallToolResult, any, error) {
		var all sync.WaitGroup
		for range questions {
			all.Go(func() {
				answer, err := r.Session.Elicit(ctx, &sdk.ElicitParams{Message: "who?", RequestedSchema: map[string]any{"type": "object"}})
				if (err != nil || answer.Action == "cancel") && cancelled.Add(1) == questions-mostOpen {
					close(enough)
				}
			})
		}
		all.Wait()
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: fmt.Sprint("cancelled: ", cancelled.Load())}}}, nil, nil
	})
	handler := sessions(server)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if rawjson.GetString(body, "method") == "server/discover" { // an earlier revision's
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		for session := range server.Sessions() {
			session.Close()
		}
		s.CloseClientConnections()
		s.Close()
	})
	c := overHTTP(t, s.URL, mcp.Options{Ask: func(ctx context.Context, _ tools.Question) (tools.Answer, error) {
		n := open.Add(1)
		defer open.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		asked.Add(1)
		select { // as a user who takes their time
		case <-enough:
		case <-ctx.Done():
			return tools.Answer{}, ctx.Err()
		}
		return tools.Answer{Value: json.RawMessage(`{}`)}, nil
	}})
	ask := list(t, c)["ask"]
	if got := call(t, ask, `{}`); got != "cancelled: 184" || most.Load() != mostOpen || asked.Load() != mostOpen {
		t.Errorf("%s; of %d questions %d were open at once", got, asked.Load(), most.Load())
	}
	// Those that were cancelled are not open any more.
	if call(t, ask, `{}`); asked.Load() == mostOpen {
		t.Error("the next call's questions are all cancelled")
	}
}
