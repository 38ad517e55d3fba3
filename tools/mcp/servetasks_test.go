package mcp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A replica is one process of a server with tasks.
type replica struct {
	*httptest.Server
	t     *testing.T
	tasks *mcp.Tasks
	token string // who asks; empty for nobody
	n     atomic.Int64

	status atomic.Int64 // of the last answer
}

func newReplica(t *testing.T, o mcp.TaskOptions, set ...tools.Tool) *replica {
	t.Helper()
	if o.PollInterval == 0 {
		o.PollInterval = 5 * time.Millisecond
	}
	if o.Rule == nil {
		o.Rule = func(string) mcp.TaskRule { return mcp.TaskRule{After: -1} }
	}
	tasks, err := mcp.NewTasks(o)
	if err != nil {
		t.Fatal(err)
	}
	server, err := mcp.NewServer(mcp.ServerOptions{Name: "tasks", Version: "1", Tools: set, Tasks: tasks})
	if err != nil {
		t.Fatal(err)
	}
	protected := auth.RequireBearerToken(func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		return &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}, nil
	}, nil)(mcp.Handler(server))
	r := &replica{t: t, tasks: tasks}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "" {
			protected.ServeHTTP(w, req)
			return
		}
		mcp.Handler(server).ServeHTTP(w, req)
	}))
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
		if err := tasks.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r
}

// ask makes one request, and returns its result or its error.
func (r *replica) ask(method, name, params string) (result, failed []byte) {
	r.t.Helper()
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},` +
		`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}}`
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s,%s}}`, r.n.Add(1), method, params, meta)
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.URL, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for key, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": method, "Mcp-Name": name} {
		req.Header.Set(key, value)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	r.status.Store(int64(resp.StatusCode))
	var all bytes.Buffer
	if _, err := all.ReadFrom(resp.Body); err != nil {
		r.t.Fatal(err)
	}
	answer := all.Bytes()
	for line := range bytes.Lines(all.Bytes()) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && len(rawjson.Get(data, "id")) > 0 {
			answer = bytes.TrimSpace(data)
		}
	}
	result, failed = rawjson.Get(answer, "result"), rawjson.Get(answer, "error")
	if len(result) == 0 && len(failed) == 0 {
		r.t.Fatalf("%s: HTTP %d: %s", method, resp.StatusCode, all.Bytes())
	}
	return result, failed
}

// begin calls a tool, and returns its task.
func (r *replica) begin(tool string) string {
	r.t.Helper()
	result, failed := r.ask("tools/call", tool, fmt.Sprintf(`"name":%q,"arguments":{}`, tool))
	id := rawjson.GetString(result, "taskId")
	if rawjson.GetString(result, "resultType") != "task" || id == "" {
		r.t.Fatalf("the call of %s is no task: %s%s", tool, result, failed)
	}
	return id
}

func (r *replica) about(method, id, more string) (result, failed []byte) {
	r.t.Helper()
	return r.ask(method, id, fmt.Sprintf(`"taskId":%q%s`, id, more))
}

// until asks for a task until it has one of the statuses.
func (r *replica) until(id string, statuses ...string) []byte {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		result, failed := r.about("tasks/get", id, "")
		if failed != nil {
			r.t.Fatalf("tasks/get: %s", failed)
		}
		for _, status := range statuses {
			if rawjson.GetString(result, "status") == status {
				return result
			}
		}
	}
	r.t.Fatalf("the task is never %q", statuses)
	return nil
}

// held is a tool that runs until it is let go or cancelled, and counts both.
type held struct {
	tools.Callable
	begun, cancelled atomic.Int64
	letGo            chan struct{}
	keys             sync.Map
}

func newHeld(traits tools.Traits, note string) *held {
	h := &held{letGo: make(chan struct{})}
	h.Callable = tools.RawWith("held", "Waits.", nil, func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		h.begun.Add(1)
		defer func() {
			if ctx.Err() != nil {
				h.cancelled.Add(1)
			}
		}()
		h.keys.Store(tools.CallOf(ctx).Key, true)
		host, _ := tools.HostOf(ctx)
		notes, err := host.Notes(ctx, note)
		if err == nil && note != "" && len(notes) == 0 {
			err = host.Note(ctx, note, json.RawMessage(`{"at":1}`))
		}
		if err != nil {
			return tools.Result{}, err
		}
		select {
		case <-h.letGo:
			return tools.Text(fmt.Sprintf("done, noted before: %s", notes)), nil
		case <-ctx.Done():
			return tools.Result{}, context.Cause(ctx)
		}
	}, tools.Options{Traits: traits})
	return h
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// Any replica answers for a task, cancels it where it runs, and takes the answers to
// what it asks.
func TestTasksAtReplicas(t *testing.T) {
	store, h := &memory.RAM{}, newHeld(tools.Traits{}, "")
	asks := asker("asks", tools.Question{Key: "a", Prompt: "A?", Schema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`)}, tools.Question{Key: "b", Prompt: "B?", Schema: json.RawMessage(`{"type":"boolean"}`)})
	o := mcp.TaskOptions{Store: store, Lease: 60 * time.Millisecond}
	one, two := newReplica(t, o, h, asks), newReplica(t, o, h, asks)

	id := one.begin("held")
	if status := rawjson.GetString(two.until(id, "working"), "status"); status != "working" || h.begun.Load() != 1 {
		t.Fatalf("%s, begun %d times", status, h.begun.Load())
	}
	if result, failed := two.about("tasks/cancel", id, ""); failed != nil || rawjson.GetString(result, "resultType") != "complete" {
		t.Fatalf("cancel: %s%s", result, failed)
	}
	two.until(id, "cancelled")
	eventually(t, "the tool is cancelled", func() bool { return h.cancelled.Load() == 1 })

	id = one.begin("asks")
	asked := rawjson.Get(two.until(id, "input_required"), "inputRequests")
	if rawjson.GetString(rawjson.Get(rawjson.Get(asked, "a"), "params"), "message") != "A?" || len(rawjson.Get(asked, "b")) == 0 {
		t.Fatalf("asked: %s", asked)
	}
	for _, wrong := range []string{`{"action":"accept","content":{"n":"x"}}`, `{"action":"accept"}`, `{"action":"maybe"}`, `[]`, `null`} {
		if result, failed := two.about("tasks/update", id, `,"inputResponses":{"a":`+wrong+`,"b":{"action":"accept","content":{"answer":true}}}`); failed == nil {
			t.Errorf("%s is taken: %s", wrong, result)
		}
	}
	if n := len(rawjson.Get(rawjson.Get(two.until(id, "input_required"), "inputRequests"), "b")); n == 0 {
		t.Error("an update that was refused has answered a question")
	}
	if _, failed := two.about("tasks/update", id, `,"inputResponses":{"a":{"action":"accept","content":{"n":9007199254740993}},"other":{"action":"accept"}}`); failed != nil {
		t.Fatalf("%s", failed)
	}
	if asked := rawjson.Get(one.until(id, "input_required"), "inputRequests"); len(rawjson.Get(asked, "a")) > 0 || len(rawjson.Get(asked, "b")) == 0 {
		t.Errorf("still asked: %s", asked)
	}
	for range 2 { // the second is too late, and ignored
		if _, failed := one.about("tasks/update", id, `,"inputResponses":{"b":{"action":"decline"}}`); failed != nil {
			t.Fatalf("%s", failed)
		}
	}
	if got := string(two.until(id, "completed")); !strings.Contains(got, "9007199254740993") || !strings.Contains(got, "action=decline") {
		t.Errorf("the tool was told %s", got)
	}
}

// A task whose process is closed goes on in another one: from the notes of the tool, if it
// may be run again, and not at all otherwise.
func TestTasksAfterARestart(t *testing.T) {
	for name, c := range map[string]struct {
		traits tools.Traits
		note   string
		runs   int64
		status string
	}{
		"repeatable": {traits: tools.Traits{Repeatable: true}, runs: 2, status: "completed"},
		"read-only":  {traits: tools.Traits{ReadOnly: true}, runs: 2, status: "completed"},
		"resumable":  {note: tools.NoteResumable, runs: 2, status: "completed"},
		"noted":      {note: "something", runs: 1, status: "failed"},
		"once":       {runs: 1, status: "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			store, h := &memory.RAM{}, newHeld(c.traits, c.note)
			first := newReplica(t, mcp.TaskOptions{Store: store}, h)
			id := first.begin("held")
			eventually(t, "the tool runs", func() bool { return h.begun.Load() == 1 })
			if err := first.tasks.Close(t.Context()); err != nil || h.cancelled.Load() != 1 {
				t.Fatalf("closed: %v, cancelled %d times", err, h.cancelled.Load())
			}
			if _, failed := first.ask("tools/call", "held", `"name":"held","arguments":{}`); failed == nil || h.begun.Load() != 1 {
				t.Errorf("a closed server runs a tool")
			}
			close(h.letGo)
			result := newReplica(t, mcp.TaskOptions{Store: store}, h).until(id, "completed", "failed")
			keys := 0
			h.keys.Range(func(any, any) bool { keys++; return true })
			if got := rawjson.GetString(result, "status"); got != c.status || h.begun.Load() != c.runs || keys != 1 {
				t.Errorf("%s; run %d times under %d keys", result, h.begun.Load(), keys)
			}
			if c.status == "completed" && c.note != "" && !strings.Contains(string(result), `noted before: [{`) {
				t.Errorf("the note is lost: %s", result)
			}
			if c.status == "failed" && !strings.Contains(string(result), "interrupted") {
				t.Errorf("why: %s", result)
			}
		})
	}
}

// A process that dies gives nothing back: its lease runs out. If it lives on, it can
// record nothing any more.
func TestTasksOfADeadProcess(t *testing.T) {
	store, h := &stuck{RAM: &memory.RAM{}}, newHeld(tools.Traits{Repeatable: true}, "")
	first := newReplica(t, mcp.TaskOptions{Store: store, Lease: 50 * time.Millisecond}, h)
	second := newReplica(t, mcp.TaskOptions{Store: store.RAM, Lease: 50 * time.Millisecond}, h)
	id := first.begin("held")
	store.broken.Store(true)
	eventually(t, "the other process runs it", func() bool {
		_, _ = second.about("tasks/get", id, "")
		return h.begun.Load() == 2
	})
	store.broken.Store(false)
	eventually(t, "the first one has noticed", func() bool { return h.cancelled.Load() == 1 })
	close(h.letGo)
	if got := string(second.until(id, "completed", "failed")); !strings.Contains(got, "done") {
		t.Errorf("%s", got)
	}
}

// stuck is a store that can't be reached for a while.
type stuck struct {
	*memory.RAM
	broken atomic.Bool // it takes nothing
	away   atomic.Bool // it gives nothing
}

func (s *stuck) Info(ctx context.Context, id string) (memory.Info, error) {
	if s.away.Load() {
		return memory.Info{}, errStuck
	}
	return s.RAM.Info(ctx, id)
}

var errStuck = errors.New("the store is away")

func (s *stuck) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	if s.broken.Load() {
		return errStuck
	}
	return s.RAM.Append(ctx, id, at, records...)
}

func (s *stuck) Lease(ctx context.Context, id, owner string, d time.Duration) error {
	if s.broken.Load() {
		return errStuck
	}
	return s.RAM.Lease(ctx, id, owner, d)
}

// A call that can't be a task is not run, or stays a call if it runs already.
func TestTasksWithoutAStore(t *testing.T) {
	store, h := &stuck{RAM: &memory.RAM{}}, newHeld(tools.Traits{}, "")
	store.broken.Store(true)
	if _, failed := newReplica(t, mcp.TaskOptions{Store: store}, h).ask("tools/call", "held", `"name":"held","arguments":{}`); failed == nil || h.begun.Load() != 0 {
		t.Errorf("run %d times: %s", h.begun.Load(), failed)
	}
	slow := newReplica(t, mcp.TaskOptions{Store: store, Rule: func(string) mcp.TaskRule { return mcp.TaskRule{After: time.Millisecond} }}, h)
	time.AfterFunc(50*time.Millisecond, func() { close(h.letGo) })
	result, failed := slow.ask("tools/call", "held", `"name":"held","arguments":{}`)
	if !strings.Contains(string(result), "done") {
		t.Errorf("%s%s", result, failed)
	}
}

// A task is its user's: for all others it isn't there. An id that nobody has made, or
// that would name another session of the store, isn't either.
func TestTasksOfAnotherUser(t *testing.T) {
	h := newHeld(tools.Traits{}, "")
	ann := newReplica(t, mcp.TaskOptions{}, h)
	ann.token = "ann"
	id := ann.begin("held")
	ann.until(id, "working")
	for _, who := range []string{"bob", ""} {
		ann.token = who
		for _, method := range []string{"tasks/get", "tasks/update", "tasks/cancel"} {
			if result, failed := ann.about(method, id, ""); rawjson.GetString(result, "taskId") != "" || !strings.Contains(string(failed), "-32602") {
				t.Errorf("%q, %s: %s%s", who, method, result, failed)
			}
		}
	}
	ann.token = "ann"
	for _, wrong := range []string{"", "x", "../" + id[3:], strings.ToLower(id), id + "A", strings.Repeat("A", 26), strings.Repeat("A", 1<<16), "é" + id[2:]} {
		req := strings.ToValidUTF8(wrong, "")
		if _, failed := ann.ask("tasks/get", "x", fmt.Sprintf(`"taskId":%q`, req)); failed == nil {
			t.Errorf("%q is a task", wrong)
		}
	}
	if _, failed := ann.ask("tasks/cancel", "other", fmt.Sprintf(`"taskId":%q`, id)); !strings.Contains(string(failed), "-32020") || ann.status.Load() != http.StatusBadRequest {
		t.Errorf("another header: HTTP %d: %s", ann.status.Load(), failed)
	}
	for _, method := range []string{"tasks/list", "tasks/result"} { // which the extension doesn't have
		if _, failed := ann.ask(method, "", fmt.Sprintf(`"taskId":%q`, id)); !strings.Contains(string(failed), "-32601") {
			t.Errorf("%s: %s", method, failed)
		}
	}
	ann.until(id, "working")
}

// A task that never ends is cancelled when its time is over, and is unknown then.
func TestTasksExpire(t *testing.T) {
	store, h := &memory.RAM{}, newHeld(tools.Traits{}, "")
	r := newReplica(t, mcp.TaskOptions{Store: store, TTL: 50 * time.Millisecond}, h)
	id := r.begin("held")
	eventually(t, "the tool is cancelled", func() bool { return h.cancelled.Load() == 1 })
	if _, failed := r.about("tasks/get", id, ""); !strings.Contains(string(failed), "-32602") {
		t.Errorf("%s", failed)
	}
	eventually(t, "the task is removed", func() bool {
		r.begin("held")
		_, err := store.Info(t.Context(), "mcp-task-"+id)
		return errors.Is(err, memory.ErrNoSession)
	})
}

// No more tasks run than may, and those beyond are refused before they begin.
func TestTasksAtOnce(t *testing.T) {
	h := newHeld(tools.Traits{}, "")
	r := newReplica(t, mcp.TaskOptions{MaxRunning: 3}, h)
	var ids []string
	for range 3 {
		ids = append(ids, r.begin("held"))
	}
	if _, failed := r.ask("tools/call", "held", `"name":"held","arguments":{}`); !strings.Contains(string(failed), "as many tasks") {
		t.Errorf("a fourth: %s", failed)
	}
	if _, failed := r.about("tasks/cancel", ids[0], ""); failed != nil {
		t.Fatalf("%s", failed)
	}
	eventually(t, "there is place for another", func() bool {
		result, _ := r.ask("tools/call", "held", `"name":"held","arguments":{}`)
		return rawjson.GetString(result, "taskId") != ""
	})
	if h.begun.Load() != 4 {
		t.Errorf("the tool has run %d times", h.begun.Load())
	}
}

// Hundreds of tasks with a flood of progress each end, and their logs stay short.
func TestManyTasks(t *testing.T) {
	store := &memory.RAM{}
	flood := tools.Func("flood", "Reports.", func(ctx context.Context, _ struct{}) (string, error) {
		for i := range 2000 {
			tools.Progress(ctx, fmt.Sprint("step ", i))
		}
		return "done", nil
	})
	r := newReplica(t, mcp.TaskOptions{Store: store, PollInterval: time.Second}, flood)
	var ids []string
	for range 300 {
		ids = append(ids, r.begin("flood"))
	}
	for _, id := range ids {
		r.until(id, "completed")
		if info, err := store.Info(t.Context(), "mcp-task-"+id); err != nil || info.Records > 6 {
			t.Fatalf("%v, %d records", err, info.Records)
		}
	}
}

// What a task reports of its progress is its message, in all processes.
func TestTaskMessage(t *testing.T) {
	store, letGo := &memory.RAM{}, make(chan struct{})
	says := tools.Func("says", "Reports.", func(ctx context.Context, _ struct{}) (string, error) {
		tools.Progress(ctx, "half of it")
		<-letGo
		return "done", nil
	})
	one, two := newReplica(t, mcp.TaskOptions{Store: store}, says), newReplica(t, mcp.TaskOptions{Store: store}, says)
	id := one.begin("says")
	eventually(t, "the message is there", func() bool {
		return rawjson.GetString(two.until(id, "working"), "statusMessage") == "half of it"
	})
	close(letGo)
	if got := two.until(id, "completed"); rawjson.GetString(got, "statusMessage") != "" || len(rawjson.Get(got, "result")) == 0 {
		t.Errorf("%s", got)
	}
}

// A question that nobody answers in time has its default, or none.
func TestTaskQuestionExpires(t *testing.T) {
	asks := tools.RawWith("asks", "Asks.", nil, func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		host, _ := tools.HostOf(ctx)
		notes, err := host.Notes(ctx, "deadline")
		if err == nil && len(notes) == 0 {
			raw, _ := json.Marshal(time.Now().Add(50 * time.Millisecond))
			notes, err = []json.RawMessage{raw}, host.Note(ctx, "deadline", raw)
		}
		if err != nil {
			return tools.Result{}, err
		}
		var deadline time.Time
		if err := json.Unmarshal(notes[0], &deadline); err != nil {
			return tools.Result{}, err
		}
		answer, err := host.Ask(ctx, tools.Question{Key: "q", Prompt: "Well?", Deadline: deadline, Default: json.RawMessage(`"never mind"`)})
		return tools.Text(string(answer.Value)), err
	}, tools.Options{})
	r := newReplica(t, mcp.TaskOptions{}, asks)
	id := r.begin("asks")
	if got := string(r.until(id, "completed")); !strings.Contains(got, "never mind") {
		t.Errorf("%s", got)
	}
}

// bare is a store without abilities.
type bare struct{ store memory.Store }

func (b bare) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	return b.store.Append(ctx, id, at, records...)
}
func (b bare) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return b.store.Load(ctx, id, from)
}
func (b bare) Info(ctx context.Context, id string) (memory.Info, error) { return b.store.Info(ctx, id) }
func (b bare) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	return b.store.List(ctx, q)
}
func (b bare) Delete(ctx context.Context, id string) error { return b.store.Delete(ctx, id) }

// TaskOptions that can't work are refused.
func TestTaskOptions(t *testing.T) {
	for name, o := range map[string]mcp.TaskOptions{
		"no leases": {Store: bare{store: &memory.RAM{}}}, "negative": {TTL: -1},
	} {
		if _, err := mcp.NewTasks(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A client's call goes on over a restart of the server in the middle of its task: in the
// same run, and in one that was cut off meanwhile.
func TestTaskOverARestartOfTheServer(t *testing.T) {
	for name, cut := range map[string]bool{"same run": false, "another run": true} {
		t.Run(name, func(t *testing.T) {
			store, h := &memory.RAM{}, newHeld(tools.Traits{Repeatable: true}, "")
			var up atomic.Pointer[replica]
			var polls atomic.Int64
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Mcp-Method") == "tasks/get" {
					polls.Add(1)
				}
				if now := up.Load(); now != nil {
					now.Config.Handler.ServeHTTP(w, r)
					return
				}
				panic(http.ErrAbortHandler)
			}))
			t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
			o := mcp.TaskOptions{Store: store, PollInterval: 50 * time.Millisecond}
			first := newReplica(t, o, h)
			up.Store(first)
			sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(
				simulator.Do(simulator.Call("held", map[string]any{})), simulator.Say("Done."))})
			client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.CloseIdleConnections)
			fresh := func() *agent.Agent {
				a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{list(t, overHandlerAt(t, front.URL))["held"]}})
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			restarted := make(chan struct{})
			go func() {
				defer close(restarted)
				eventually(t, "the client follows the task", func() bool { return polls.Load() > 0 })
				up.Store(nil)
				_ = first.tasks.Close(t.Context())
				if cut {
					stop()
				}
				time.Sleep(120 * time.Millisecond)
				close(h.letGo)
				up.Store(newReplica(t, o, h))
			}()
			res, err := fresh().Run(ctx, agent.Input{Prompt: "Do it."})
			<-restarted
			if cut {
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("the first run: %v", err)
				}
				res, err = fresh().Run(t.Context(), agent.Input{Log: res.Log})
			}
			if err != nil || res.Text != "Done." || h.begun.Load() != 2 {
				t.Fatalf("%q, %v, the tool was run %d times", res.Text, err, h.begun.Load())
			}
			if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, "done, noted") {
				t.Errorf("the model is told %s", m)
			}
		})
	}
}

func overHandlerAt(t *testing.T, url string) *mcp.Client {
	t.Helper()
	c, err := mcp.HTTP(t.Context(), url, freshClient(), mcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Whatever clients do at once, at two replicas: a tool runs once, its answers are taken
// once, and a task that has ended stays as it is.
func TestTaskHammer(t *testing.T) {
	store := &memory.RAM{}
	var begun, ended atomic.Int64
	once := tools.RawWith("once", "Asks, and does it.", nil, func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		host, _ := tools.HostOf(ctx)
		begun.Add(1)
		answer, err := host.Ask(ctx, tools.Question{Key: "n", Prompt: "Which?", Schema: json.RawMessage(`{"type":"integer"}`)})
		if err != nil {
			return tools.Result{}, err
		}
		ended.Add(1)
		return tools.Text("number " + string(answer.Value)), nil
	}, tools.Options{})
	o := mcp.TaskOptions{Store: store}
	replicas := []*replica{newReplica(t, o, once), newReplica(t, o, once)}
	for round := range 5 {
		id := replicas[0].begin("once")
		replicas[1].until(id, "input_required")
		var all sync.WaitGroup
		var results sync.Map
		for worker := range 8 {
			r := replicas[worker%2]
			all.Go(func() {
				for n := range 6 {
					if _, failed := r.about("tasks/update", id, fmt.Sprintf(`,"inputResponses":{"n":{"action":"accept","content":{"answer":%d}}}`, 10*worker+n)); failed != nil {
						t.Errorf("tasks/update: %s", failed)
					}
					got, failed := r.about("tasks/get", id, "")
					if failed != nil {
						t.Errorf("tasks/get: %s", failed)
					}
					if rawjson.GetString(got, "status") == "completed" {
						results.Store(string(rawjson.Get(got, "result")), true)
						if _, failed := r.about("tasks/cancel", id, ""); failed != nil {
							t.Errorf("tasks/cancel: %s", failed)
						}
					}
				}
			})
		}
		all.Wait()
		results.Store(string(rawjson.Get(replicas[0].until(id, "completed"), "result")), true)
		n := 0
		results.Range(func(any, any) bool { n++; return true })
		if want := int64(round + 1); n != 1 || begun.Load() != 2*want || ended.Load() != want {
			t.Fatalf("round %d: %d results, the tool was begun %d times and ended %d times", round, n, begun.Load(), ended.Load())
		}
	}
}

// A client that gives up its call when it is about to become a task has it cancelled, or
// has made a task: a tool is never left to run without one.
func TestCallGivenUpAtItsTask(t *testing.T) {
	h := newHeld(tools.Traits{}, "")
	store := &memory.RAM{}
	r := newReplica(t, mcp.TaskOptions{Store: store, Rule: func(string) mcp.TaskRule { return mcp.TaskRule{After: 10 * time.Millisecond} }}, h)
	for i := range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(5+i/4)*time.Millisecond)
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"held","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "held"} {
			req.Header.Set(key, value)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
		cancel()
	}
	tasks := func() (n int64) {
		for _, err := range store.List(t.Context(), memory.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n
	}
	eventually(t, "all others are cancelled", func() bool { return h.begun.Load()-h.cancelled.Load() <= tasks() })
	if err := r.tasks.Close(t.Context()); err != nil || h.cancelled.Load() != h.begun.Load() {
		t.Errorf("%v; begun %d times, cancelled %d times", err, h.begun.Load(), h.cancelled.Load())
	}
}

// A call that can't become a task ends with its request.
func TestCallGivenUpWithoutATask(t *testing.T) {
	h, log := newHeld(tools.Traits{}, ""), new(logged)
	r := newReplica(t, mcp.TaskOptions{MaxRunning: 1, Logger: log.logger(), Rule: func(string) mcp.TaskRule { return mcp.TaskRule{After: 10 * time.Millisecond} }}, h)
	defer close(h.letGo)
	r.begin("held")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"held","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "held"} {
		req.Header.Set(key, value)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	eventually(t, "the call goes on without a task", func() bool { return strings.Contains(log.String(), "has not become a task") })
	cancel()
	<-done
	eventually(t, "its tool is cancelled", func() bool { return h.cancelled.Load() == 1 })
}

// A server whose store is away for a while fails requests about its tasks, and the
// client's call goes on.
func TestTaskWhileTheStoreIsAway(t *testing.T) {
	store, h := &stuck{RAM: &memory.RAM{}}, newHeld(tools.Traits{}, "")
	r := newReplica(t, mcp.TaskOptions{Store: store, PollInterval: 20 * time.Millisecond}, h)
	var failed atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Mcp-Method") == "tasks/get" {
			switch failed.Add(1) {
			case 1:
				store.away.Store(true)
			case 3:
				store.away.Store(false)
				close(h.letGo)
			}
		}
		r.Config.Handler.ServeHTTP(w, req)
	}))
	t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	if got := call(t, list(t, overHandlerAt(t, front.URL))["held"], `{}`); !strings.HasPrefix(got, "done") || failed.Load() < 3 {
		t.Errorf("%s, after %d requests", got, failed.Load())
	}
}
