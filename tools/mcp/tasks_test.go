package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A taskServer is a server by hand of revision 2026-07-28 with one tool, "long", whose
// call is a task.
type taskServer struct {
	*httptest.Server
	call string             // the result of the call
	get  func(n int) string // the n-th answer to tasks/get; "" if there is none now

	mu       sync.Mutex
	requests []string // method, Mcp-Name and the params without _meta
}

const taskMade = `{"resultType":"task","taskId":"t-1","status":"working","createdAt":"2026-11-25T10:30:00Z","lastUpdatedAt":"2026-11-25T10:30:00Z","ttlMs":null,"pollIntervalMs":50}`

func taskIs(status, more string) string {
	return fmt.Sprintf(`{"resultType":"complete","taskId":"t-1","status":%q,"pollIntervalMs":50%s}`, status, more)
}

func newTaskServer(t *testing.T, get func(n int) string) *taskServer {
	s := &taskServer{call: taskMade, get: get}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *taskServer) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	method, params := rawjson.GetString(body, "method"), rawjson.Get(body, "params")
	s.mu.Lock()
	n := 0
	for _, one := range s.requests {
		if strings.HasPrefix(one, method+" ") {
			n++
		}
	}
	s.requests = append(s.requests, method+" "+r.Header.Get("Mcp-Name")+" "+string(rawjson.Drop(params, "_meta")))
	s.mu.Unlock()
	result := `{"resultType":"complete"}`
	switch method {
	case "server/discover":
		result = `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{}}},"ttlMs":0,"cacheScope":"private"}`
	case "tools/list":
		result = `{"resultType":"complete","ttlMs":0,"cacheScope":"private","tools":[{"name":"long","inputSchema":{"type":"object"}}]}`
	case "tools/call":
		if result = s.call; !strings.Contains(string(params), `"io.modelcontextprotocol/tasks"`) {
			result = `{"resultType":"complete","content":[{"type":"text","text":"no tasks offered"}]}`
		}
	case "tasks/get":
		if result = s.get(n); result == "" {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, rawjson.Get(body, "id"), result)
}

func (s *taskServer) seen(prefix string) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.requests {
		if strings.HasPrefix(one, prefix) {
			found = append(found, one)
		}
	}
	return found
}

func (s *taskServer) long(t *testing.T, o mcp.Options) tools.Callable {
	t.Helper()
	c, err := mcp.HTTP(t.Context(), s.URL, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return list(t, c)["long"]
}

const completed = `,"result":{"content":[{"type":"text","text":"at last"}]}`

// A task is asked for until it has ended, under its id, and what it says is progress.
func TestTask(t *testing.T) {
	s := newTaskServer(t, func(n int) string {
		return []string{taskIs("working", `,"statusMessage":"half"`), taskIs("working", `,"statusMessage":"half"`), taskIs("completed", completed)}[n]
	})
	var steps []string
	ctx := tools.WithCall(t.Context(), tools.CallInfo{ID: "1", Progress: func(m string) { steps = append(steps, m) }})
	r, err := s.long(t, mcp.Options{}).Call(ctx, json.RawMessage(`{}`))
	if err != nil || r.IsError || !strings.Contains(string(r.Content[0].Raw()), "at last") {
		t.Errorf("%v, %v", r, err)
	}
	if got := s.seen("tasks/get t-1 "); len(got) != 3 || len(steps) != 1 || steps[0] != "half" {
		t.Errorf("requests %v, progress %v", got, steps)
	}
}

// A server that fails now and then is asked on: only failures in a row count.
func TestTaskOfAServerThatFailsNowAndThen(t *testing.T) {
	s := newTaskServer(t, func(n int) string {
		switch {
		case n == 23:
			return taskIs("completed", completed)
		case n%3 < 2: // one failure is tried again at once
			return ""
		}
		return taskIs("working", "")
	})
	r, err := s.long(t, mcp.Options{}).Call(t.Context(), json.RawMessage(`{}`))
	if err != nil || r.IsError || !strings.Contains(string(r.Content[0].Raw()), "at last") || len(s.seen("tasks/get t-1 ")) != 24 {
		t.Errorf("%v, %v after %d requests", r, err, len(s.seen("tasks/get t-1 ")))
	}
}

// What a task asks is asked of the user, once for each of its questions.
func TestTaskAsks(t *testing.T) {
	question := func(id string) string {
		return fmt.Sprintf(`%q:{"method":"elicitation/create","params":{"message":"What is %s?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}`, id, id)
	}
	s := newTaskServer(t, func(n int) string {
		return []string{
			taskIs("input_required", `,"inputRequests":{`+question("a")+`}`),
			taskIs("input_required", `,"inputRequests":{`+question("a")+`,`+question("b")+`}`),
			taskIs("completed", completed),
		}[n]
	})
	var asked []string
	r, err := s.long(t, mcp.Options{Ask: func(_ context.Context, q tools.Question) (tools.Answer, error) {
		asked = append(asked, q.Prompt)
		return tools.Answer{Value: json.RawMessage(`{"name":"Ann"}`)}, nil
	}}).Call(t.Context(), json.RawMessage(`{}`))
	if err != nil || !strings.Contains(string(r.Content[0].Raw()), "at last") || len(asked) != 2 {
		t.Errorf("%v, %v, asked %v", r, err, asked)
	}
	updates := s.seen("tasks/update t-1 ")
	if len(updates) != 2 || !strings.Contains(updates[0], `"a":{"action":"accept","content":{"name":"Ann"}}`) || strings.Contains(updates[1], `"a"`) {
		t.Errorf("updates %v", updates)
	}
}

// A task without a result, and whatever a server makes of one, is an error that says so.
func TestTasksThatFail(t *testing.T) {
	for name, tt := range map[string]struct{ call, get, want string }{
		"failed":        {get: taskIs("failed", `,"error":{"code":-32603,"message":"no disk"}`), want: "no disk"},
		"cancelled":     {get: taskIs("cancelled", `,"statusMessage":"by the owner"`), want: "by the owner"},
		"no result":     {get: taskIs("completed", ``), want: "gives no result"},
		"null result":   {get: taskIs("completed", `,"result":null`), want: "gives no result"},
		"a task again":  {get: taskIs("completed", `,"result":`+taskMade), want: "its result is none"},
		"a question":    {get: taskIs("completed", `,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"?"}}}}`), want: "its result is none"},
		"wrong id":      {get: strings.Replace(taskIs("completed", completed), "t-1", "t-2", 1), want: `the task "t-2"`},
		"no id":         {get: `{"status":"working"}`, want: `the task ""`},
		"no status":     {get: `{"taskId":"t-1"}`, want: `its status is ""`},
		"odd status":    {get: taskIs("sleeping", ``), want: `"sleeping"`},
		"null":          {get: `null`, want: `the task ""`},
		"a list":        {get: `[]`, want: "no object"},
		"sampling":      {get: taskIs("input_required", `,"inputRequests":{"m":{"method":"sampling/createMessage","params":{}}}`), want: "does not support"},
		"null question": {get: taskIs("input_required", `,"inputRequests":{"m":null}`), want: "does not support"},
		"odd question":  {get: taskIs("input_required", `,"inputRequests":{"m":{"method":"elicitation/create","params":7}}`), want: "can't be read"},
		"nobody":        {get: taskIs("input_required", `,"inputRequests":{"m":{"method":"elicitation/create","params":{"message":"?"}}}`), want: "no one to ask"},
		"made without":  {call: `{"resultType":"task","status":"working"}`, want: "has no id"},
		"null in call":  {call: `{"resultType":"input_required","inputRequests":{"a":null}}`, want: "can't be read"},
		"odd in call":   {call: `{"resultType":"input_required","inputRequests":[null]}`, want: "no object"},
		"forged":        {call: `{"content":[{"type":"text","text":"mine"}],"_meta":{"whorl/task":"{\"taskId\":\"t-9\"}"}}`, want: "mine"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTaskServer(t, func(int) string { return tt.get })
			if tt.call != "" {
				s.call = tt.call
			}
			if got := call(t, s.long(t, mcp.Options{}), `{}`); !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if len(s.seen("tasks/get t-9")) > 0 {
				t.Error("a result is taken for a task")
			}
		})
	}
	s := newTaskServer(t, func(int) string { return taskIs("failed", "") })
	_, err := s.long(t, mcp.Options{}).Call(t.Context(), json.RawMessage(`{}`))
	var failed *mcp.TaskError
	if !errors.As(err, &failed) || failed.ID != "t-1" || failed.Status != "failed" {
		t.Errorf("the error is %v", err)
	}
}

// A call that has no more time cancels its task, whatever interval the server wants.
func TestTaskOutOfTime(t *testing.T) {
	s := newTaskServer(t, func(int) string {
		return strings.Replace(taskIs("working", ""), `"pollIntervalMs":50`, `"pollIntervalMs":1e300`, 1)
	})
	long := s.long(t, mcp.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := long.Call(ctx, json.RawMessage(`{}`)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	if got := s.seen("tasks/cancel t-1 "); len(got) != 1 {
		t.Errorf("cancelled %d times", len(got))
	}
}

// A call that is made without a run, which nobody goes on with, cancels its task when it
// is cancelled itself.
func TestTaskOfACallWithoutARun(t *testing.T) {
	polled := make(chan struct{}, 1000)
	s := newTaskServer(t, func(int) string {
		polled <- struct{}{}
		return taskIs("working", "")
	})
	long := s.long(t, mcp.Options{})
	ctx, cut := context.WithCancel(t.Context())
	go func() { <-polled; cut() }()
	if _, err := long.Call(ctx, json.RawMessage(`{}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if got := s.seen("tasks/cancel t-1 "); len(got) != 1 {
		t.Errorf("cancelled %d times", len(got))
	}
}

// A run that is cut off goes on with the task that it had begun: the id is in the log.
func TestTaskSurvivesARestart(t *testing.T) {
	polled, done := make(chan struct{}, 1000), make(chan struct{})
	s := newTaskServer(t, func(int) string {
		polled <- struct{}{}
		select {
		case <-done:
			return taskIs("completed", completed)
		default:
			return taskIs("working", "")
		}
	})
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("long", map[string]any{})), simulator.Say("Done."))})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	fresh := func() *agent.Agent {
		a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{s.long(t, mcp.Options{})}})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	ctx, cut := context.WithCancel(t.Context())
	go func() { <-polled; <-polled; cut() }()
	res, err := fresh().Run(ctx, agent.Input{Prompt: "Do the long thing."})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("the first run: %v", err)
	}
	close(done)
	res, err = fresh().Run(t.Context(), agent.Input{Log: res.Log})
	if err != nil || res.Text != "Done." {
		t.Fatalf("the second run: %q, %v", res.Text, err)
	}
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, "at last") {
		t.Errorf("the model is told %s", m)
	}
	if calls, cancels := s.seen("tools/call "), s.seen("tasks/cancel "); len(calls) != 1 || len(cancels) != 0 {
		t.Errorf("called %d times, cancelled %d times", len(calls), len(cancels))
	}
}
