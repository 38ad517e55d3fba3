package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/internal/stage"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

type in struct {
	N int `json:"n"`
}

// model calls what the last message of the user names, and then says "Done: " and that
// message.
func model(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	last, called := "", false
	for _, m := range turn.Messages {
		for _, b := range m.Content {
			if b.ToolUseID() != "" {
				called = true
			} else if m.Role == "user" && b.Type() == "text" {
				last, called = m.Text(), false
			}
		}
	}
	r := simulator.Say("Done: " + last)
	if last == "slowly" {
		r = simulator.Say("Slow and steady wins the race.")
		r.Delay, r.DeltaBytes = 100*time.Millisecond, 3
	}
	if name, ok := strings.CutPrefix(last, "call "); ok && !called {
		name, twice := strings.CutSuffix(name, " twice")
		r = simulator.Do(simulator.Call(name, map[string]any{"n": 1}))
		if twice {
			r = simulator.Do(simulator.Call(name, map[string]any{"n": 1}), simulator.Call(name, map[string]any{"n": 2}))
		}
		if name == "helper" {
			r = simulator.Do(simulator.Call(name, map[string]any{"task": "call careful"}))
		}
		if name == "outer" {
			r = simulator.Do(simulator.Call(name, map[string]any{"task": "call helper"}))
		}
	}
	return &r, nil
}

// A site is a server and a client of it.
type site struct {
	t     *testing.T
	store memory.Store
	h     *serve.Handler
	url   string
	user  string
	calls *atomic.Int32
	hold  chan struct{} // the tool "slow" waits for it
}

func start(t *testing.T, change func(*serve.Options)) *site {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(model)})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, store: new(memory.RAM), user: "ann", calls: new(atomic.Int32), hold: make(chan struct{})}
	careful := tools.FuncWith("careful", "Asks.", func(context.Context, in) (string, error) { s.calls.Add(1); return "ok", nil }, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	helper, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", Tools: []tools.Tool{careful}})
	if err != nil {
		t.Fatal(err)
	}
	sub := agent.Sub{Agent: helper, Name: "helper", Description: "Helps."}
	outer, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", Tools: []tools.Tool{sub}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", System: "The system prompt.", Tools: []tools.Tool{
		sub,
		agent.Sub{Agent: outer, Name: "outer", Description: "Has others help."},
		careful,
		tools.Func("t", "Counts.", func(context.Context, in) (string, error) { s.calls.Add(1); return "ok", nil }),
		tools.Func("slow", "Waits.", func(ctx context.Context, _ in) (string, error) {
			s.calls.Add(1)
			select {
			case <-s.hold:
				return "ok", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}),
		tools.Func("nested", "Calls careful.", func(ctx context.Context, _ in) (string, error) {
			host, _ := tools.HostOf(ctx)
			_, err := host.CallTool(ctx, transport.ToolCall{Name: "careful", Input: json.RawMessage(`{"n":7}`)})
			return "done", err
		}),
		tools.Func("which", "Asks the user.", func(ctx context.Context, _ in) (string, error) {
			host, _ := tools.HostOf(ctx)
			a, err := host.Ask(ctx, tools.Question{Kind: "user", Prompt: "Which?", Choices: []tools.Choice{{Value: json.RawMessage(`"a"`)}, {Value: json.RawMessage(`"b"`)}}})
			return string(a.Value), err
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	o := serve.Options{
		Store: s.store,
		Run: func(context.Context, serve.User, memory.Info) (*agent.Agent, agent.Input, error) {
			return a, agent.Input{}, nil
		},
		User: func(r *http.Request) (serve.User, error) {
			name := r.Header.Get("X-User")
			return serve.User{ID: name, All: name == "root"}, nil
		},
	}
	if change != nil {
		change(&o)
	}
	if s.h, err = serve.New(o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/agent", s.h))
	s.url = server.URL + "/agent"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.h.Close(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return s
}

func (s *site) as(user string) *site {
	other := *s
	other.user = user
	return &other
}

// request makes a request, whose stream ends after a minute whatever comes.
func (s *site) request(method, path, body string, header ...string) *http.Response {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("X-User", s.user)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp
}

// do is a request that ends; it returns the status and the body.
func (s *site) do(method, path, body string, header ...string) (int, string) {
	s.t.Helper()
	resp := s.request(method, path, body, header...)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// A listener reads events.
type listener struct {
	t    *testing.T
	resp *http.Response
	scan *bufio.Scanner
	last string
}

func (s *site) listen(method, path, body string, header ...string) *listener {
	s.t.Helper()
	resp := s.request(method, path, body, append(header, "Accept", "text/event-stream")...)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		data, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, data)
	}
	scan := bufio.NewScanner(resp.Body)
	scan.Buffer(nil, 1<<20)
	l := &listener{t: s.t, resp: resp, scan: scan}
	s.t.Cleanup(func() { resp.Body.Close() })
	return l
}

// next is the next event; ok is false at the end of the stream.
func (l *listener) next() (e serve.Event, ok bool) {
	for l.scan.Scan() {
		line := l.scan.Text()
		if id, found := strings.CutPrefix(line, "id: "); found {
			l.last = id
		}
		if data, found := strings.CutPrefix(line, "data: "); found {
			if err := json.Unmarshal([]byte(data), &e); err != nil || e.Version != 1 {
				l.t.Fatalf("%v: %s", err, data)
			}
			return e, true
		}
	}
	return e, false
}

// until reads to the first event of a kind and a state.
func (l *listener) until(kind, state string) (all []serve.Event) {
	l.t.Helper()
	for {
		e, ok := l.next()
		if !ok {
			l.t.Fatalf("no %s %s in %+v", kind, state, all)
		}
		all = append(all, e)
		if e.Kind == kind && (state == "" || e.State == state) {
			return all
		}
	}
}

// text is what the events come to for a reader: complete responses, and what is written
// of one that is not.
func text(events []serve.Event) string {
	var done, live string
	for _, e := range events {
		switch e.Kind {
		case "response":
			live = ""
			for _, c := range e.Content {
				if c.Type == "text" {
					done += c.Text + "\n"
				}
			}
		case "begin", "over":
			live = ""
		case "delta":
			if e.Delta == "text_delta" {
				live += e.Text
			}
		}
	}
	return done + live
}

func TestAMessageIsAnswered(t *testing.T) {
	s := start(t, nil)
	var events []serve.Event
	l := s.listen("POST", "/messages/one", `{"text":"call t"}`)
	for e, ok := l.next(); ok; e, ok = l.next() {
		events = append(events, e)
	}
	if last := events[len(events)-1]; text(events) != "Done: call t\n" || last.Kind != "end" || last.Problem != nil || s.calls.Load() != 1 {
		t.Errorf("%s: %+v", text(events), events)
	}
	raw, _ := json.Marshal(events)
	if strings.Contains(string(raw), "The system prompt") {
		t.Errorf("the system prompt is told: %s", raw)
	}
	kinds := map[string]bool{}
	for _, e := range events {
		kinds[e.Kind] = true
	}
	if kinds["record"] {
		t.Error("records that users aren't told of are told")
	}
	for _, k := range []string{"message", "response", "result", "state", "end"} {
		if !kinds[k] {
			t.Errorf("no %s", k)
		}
	}
	status, body := s.do("GET", "/sessions", "")
	var list struct{ Sessions []serve.Session }
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 || len(list.Sessions) != 1 || list.Sessions[0].ID != "one" || list.Sessions[0].Meta["user"] != "ann" {
		t.Errorf("%v: %s", err, body)
	}
	if status, body := s.do("GET", "/bill/one", ""); status != 200 || !strings.Contains(body, `"requests":2`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.do("POST", "/messages/one", `{"text":"again"}`); status != 202 || !strings.Contains(body, `"id":"one"`) {
		t.Errorf("%d %s", status, body)
	}
	all := s.listen("GET", "/events/one", "").until("state", "idle")
	if !strings.Contains(text(all), "Done: call t\n") {
		t.Error(text(all))
	}
}

// An answer is seen while it is written.
func TestPiecesOfAnAnswer(t *testing.T) {
	s := start(t, nil)
	events := s.listen("POST", "/messages/s", `{"text":"slowly"}`).until("end", "")
	live := ""
	for _, e := range events {
		if e.Kind == "delta" && e.Delta == "text_delta" {
			live += e.Text
		}
	}
	if live == "" || !strings.HasPrefix("Slow and steady wins the race.", live) || text(events) != "Slow and steady wins the race.\n" {
		raw, _ := json.Marshal(events)
		t.Errorf("%q, then %q: %s", live, text(events), raw)
	}
}

// Instructions, signatures and what is encrypted are not told.
func TestWhatIsNotTold(t *testing.T) {
	s := start(t, nil)
	s.begin("s")
	log, err := memory.Open(t.Context(), s.store, "s")
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.ParseResponse([]byte(`{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[` +
		`{"type":"thinking","thinking":"hm","signature":"SECRET1"},{"type":"redacted_thinking","data":"SECRET2"},` +
		`{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"q"}},` +
		`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"u","title":"t","encrypted_content":"SECRET3","page_age":null}]},` +
		`{"type":"text","text":"so","citations":[{"type":"web_search_result_location","url":"u","title":"t","encrypted_index":"SECRET4","cited_text":"c"}]}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")},
		memory.Record{Kind: memory.KindInput, Message: transport.SystemText("SECRET5")}, memory.Record{Kind: memory.KindResponse, Response: response}); err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(s.listen("GET", "/events/s", "").until("response", ""))
	if strings.Contains(string(raw), "SECRET") || !strings.Contains(string(raw), `"cited_text":"c"`) || !strings.Contains(string(raw), `"hm"`) {
		t.Errorf("%s", raw)
	}
}

// Nobody sees anything of another's sessions, or decides on them.
func TestOthersSessionsAreNotThere(t *testing.T) {
	s := start(t, nil)
	s.listen("POST", "/messages/secret", `{"text":"call careful"}`).until("state", "waiting")
	eve := s.as("eve")
	for _, r := range [][2]string{
		{"GET", "/sessions/secret"}, {"DELETE", "/sessions/secret"}, {"POST", "/stop/secret"}, {"POST", "/decisions/secret"}, {"POST", "/answers/secret"},
		{"POST", "/forks/secret"}, {"GET", "/bill/secret"}, {"POST", "/messages/secret"}, {"GET", "/events/secret"}, {"GET", "/sessions?parent=secret"},
	} {
		body := ""
		if r[0] == "POST" {
			body = `{"text":"x"}`
		}
		if status, text := eve.do(r[0], r[1], body); status != 404 || strings.Contains(text, "ann") {
			t.Errorf("%v: %d %s", r, status, text)
		}
	}
	if status, body := eve.do("GET", "/sessions", ""); status != 200 || strings.Contains(body, "secret") {
		t.Errorf("%d %s", status, body)
	}
	for want, site := range map[string]*site{"Bearer": s, `Basic realm="agents"`: start(t, func(o *serve.Options) { o.Challenge = `Basic realm="agents"` })} {
		resp := site.as("").request("GET", "/sessions", "")
		if resp.Body.Close(); resp.StatusCode != 401 || resp.Header.Get("WWW-Authenticate") != want {
			t.Errorf("nobody: %d, %v", resp.StatusCode, resp.Header)
		}
	}
	if status, body := eve.do("POST", "/sessions", `{"id":"x","meta":{"user":"ann"}}`); status != 200 || strings.Contains(body, "ann") {
		t.Errorf("%d %s", status, body)
	}
	if status, _ := s.as("root").do("GET", "/sessions/secret", ""); status != 200 {
		t.Errorf("root: %d", status)
	}
}

func TestApprovalsAndQuestions(t *testing.T) {
	s := start(t, nil)
	l := s.listen("GET", "/events/"+s.begin("s"), "")
	s.do("POST", "/messages/s", `{"text":"call careful"}`)
	events := l.until("state", "waiting")
	calls := events[len(events)-1].Calls
	if len(calls) != 1 || calls[0].Name != "careful" || s.calls.Load() != 0 {
		t.Fatalf("%+v", calls)
	}
	decide := func(c agent.PendingCall, more string) (int, string) {
		raw, _ := json.Marshal(c)
		return s.do("POST", "/decisions/s", `{"call":`+string(raw)+more+`}`)
	}
	other := calls[0]
	other.Hash = "other"
	if status, body := decide(other, `,"decision":"allow"`); status != 409 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := decide(calls[0], `,"decision":"maybe"`); status != 400 {
		t.Errorf("%d %s", status, body)
	}
	for _, input := range []string{`"{\"a\":1}"`, `[]`, `3`} {
		if status, body := decide(calls[0], `,"decision":"allow","input":`+input); status != 400 || !strings.Contains(body, "not a JSON object") {
			t.Errorf("input %s: %d %s", input, status, body)
		}
	}
	if status, body := decide(calls[0], `,"decision":"allow","input":null`); status != 204 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := decide(calls[0], `,"decision":"deny"`); status != 409 {
		t.Errorf("twice: %d %s", status, body)
	}
	if all := l.until("end", ""); text(all) != "Done: call careful\n" && !strings.Contains(text(append(all, l.until("end", "")...)), "Done: call careful\n") || s.calls.Load() != 1 {
		t.Errorf("%d calls: %s", s.calls.Load(), text(all))
	}

	s.do("POST", "/messages/s", `{"text":"call which"}`)
	events = l.until("state", "waiting")
	questions := events[len(events)-1].Questions
	if len(questions) != 1 || questions[0].Question.Prompt != "Which?" {
		t.Fatalf("%+v", questions)
	}
	raw, _ := json.Marshal(questions[0])
	if status, body := s.do("POST", "/answers/s", `{"question":`+string(raw)+`,"value":"c"}`); status != 422 || !strings.Contains(body, "none of the choices") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.do("POST", "/answers/s", `{"question":`+string(raw)+`,"value":"b"}`); status != 204 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.do("POST", "/answers/s", `{"question":`+string(raw)+`,"value":"b"}`); status != 409 {
		t.Errorf("twice: %d %s", status, body)
	}
	for all := []serve.Event(nil); !strings.Contains(text(all), "Done: call which"); {
		all = append(all, l.until("response", "")...)
	}
}

func (s *site) begin(id string) string {
	s.t.Helper()
	if status, body := s.do("POST", "/sessions", `{"id":"`+id+`"}`); status != 200 {
		s.t.Fatalf("%d %s", status, body)
	}
	return id
}

// A message that comes while a run goes on reaches it, or the next one; ten at once are
// answered in the end.
func TestManyMessagesAtOnce(t *testing.T) {
	s := start(t, nil)
	s.do("POST", "/messages/s", `{"text":"call slow"}`)
	stage.Until(t, "the tool runs", func() bool { return s.calls.Load() > 0 })
	if status, body := s.do("POST", "/messages/s", `{"text":"x","idle":true}`); status != 409 || !strings.Contains(body, `"busy"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.do("DELETE", "/sessions/s", ""); status != 409 {
		t.Errorf("%d %s", status, body)
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if status, body := s.do("POST", "/messages/s", fmt.Sprintf(`{"text":"m%d"}`, i)); status != 202 {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	wg.Wait()
	close(s.hold)
	deadline := time.Now().Add(20 * time.Second)
	for {
		log, err := memory.Open(t.Context(), s.store, "s")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range log.Records(0) {
			if r.Kind == memory.KindInput {
				n++
			}
		}
		if next := agent.Next(log); next.Done() && n == 11 && next.Err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d messages, %#v", n, agent.Next(log))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Ten messages begin one session, if there is none.
func TestManyMessagesBeginOneSession(t *testing.T) {
	s := start(t, nil)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if status, body := s.do("POST", "/messages/s", fmt.Sprintf(`{"text":"m%d"}`, i)); status != 202 {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for l := s.listen("GET", "/events/s", ""); len(seen) < 10; {
		e, ok := l.next()
		if !ok {
			t.Fatalf("only %v", seen)
		}
		if e.Kind == "message" {
			seen[e.Content[0].Text] = true
		}
	}
}

// A call of a sub-agent's is decided on, and the caller's run goes on.
func TestDecisionsInTheTree(t *testing.T) {
	for _, caller := range []string{"helper", "outer"} { // which has the sub-agent, and which has one that has it
		t.Run(caller, func(t *testing.T) { decideInTheTree(t, caller) })
	}
}

func decideInTheTree(t *testing.T, caller string) {
	s := start(t, nil)
	l := s.listen("GET", "/events/"+s.begin("s"), "")
	s.do("POST", "/messages/s", `{"text":"call `+caller+`"}`)
	l.until("state", "waiting")
	var waits []waiting.Item
	for deadline := time.Now().Add(10 * time.Second); len(waits) == 0 && time.Now().Before(deadline); {
		_, body := s.do("GET", "/sessions/s", "")
		var got serve.Session
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		waits = got.Waits
	}
	if len(waits) != 1 || waits[0].Session == "s" || waits[0].Tool != "careful" || waits[0].Call == nil {
		t.Fatalf("%+v", waits)
	}
	if status, _ := s.as("eve").do("POST", "/decisions/"+waits[0].Session, `{}`); status != 404 {
		t.Errorf("somebody else: %d", status)
	}
	if status, body := s.do("POST", "/messages/"+url.PathEscape(waits[0].Session), `{"text":"hello"}`); status != 409 || !strings.Contains(body, `"sub_agent"`) {
		t.Errorf("its session is run past its caller: %d %s", status, body)
	}
	call, _ := json.Marshal(waits[0].Call)
	if status, body := s.do("POST", "/decisions/"+url.PathEscape(waits[0].Session), `{"call":`+string(call)+`,"decision":"allow"}`); status != 204 {
		t.Fatalf("%d %s", status, body)
	}
	for {
		e, ok := l.next()
		if !ok {
			t.Fatal("the caller does not go on")
		}
		if e.Kind == "response" && e.Session == "s" && e.StopReason == "end_turn" {
			break
		}
	}
	if s.calls.Load() != 1 {
		t.Errorf("%d calls", s.calls.Load())
	}
}

func TestStopForkAndDelete(t *testing.T) {
	s := start(t, nil)
	l := s.listen("GET", "/events/"+s.begin("s"), "")
	s.do("POST", "/messages/s", `{"text":"call slow"}`)
	stage.Until(t, "the tool runs", func() bool { return s.calls.Load() > 0 })
	if status, body := s.do("POST", "/stop/s", ""); status != 200 || !strings.Contains(body, "true") {
		t.Errorf("%d %s", status, body)
	}
	events := l.until("end", "")
	if p := events[len(events)-1].Problem; p == nil || p.Type != "stopped" {
		t.Errorf("%+v", p)
	}
	if status, body := s.do("POST", "/stop/s", ""); status != 200 || !strings.Contains(body, "false") {
		t.Errorf("%d %s", status, body)
	}
	for status := 0; status != 200; {
		var body string
		if status, body = s.do("POST", "/forks/s", `{"records":1,"id":"f"}`); status != 200 && status != 409 {
			t.Fatalf("%d %s", status, body)
		}
	}
	if status, body := s.do("POST", "/forks/s", `{"records":99}`); status != 422 {
		t.Errorf("%d %s", status, body)
	}
	if got := s.listen("POST", "/messages/f", `{"text":"hello"}`).until("end", ""); text(got) != "Done: hello\n" {
		t.Error(text(got))
	}
	s.delete("f")
	if status, _ := s.do("GET", "/sessions/f", ""); status != 404 {
		t.Error(status)
	}
}

// However often the connection is cut, and wherever, the reader comes to the same text.
func TestReconnecting(t *testing.T) {
	s := start(t, nil)
	s.listen("POST", "/messages/s", `{"text":"call t"}`).until("end", "")
	whole := s.listen("GET", "/events/s", "").until("state", "idle")
	for cut := 1; cut < len(whole); cut++ {
		l := s.listen("GET", "/events/s", "")
		var got []serve.Event
		for range cut {
			e, _ := l.next()
			got = append(got, e)
		}
		l.resp.Body.Close()
		rest := s.listen("GET", "/events/s", "", "Last-Event-ID", l.last)
		got = append(got, rest.until("state", "idle")...)
		if text(got) != text(whole) {
			t.Errorf("cut after %d of %d events: %q, not %q", cut, len(whole), text(got), text(whole))
		}
	}
	for _, c := range []struct {
		id     string
		status int
	}{{"nonsense", 400}, {"9999.0..", 410}, {"1.0..other", 410}} {
		if status, body := s.do("GET", "/events/s", "", "Last-Event-ID", c.id); status != c.status || !strings.Contains(body, `"type"`) {
			t.Errorf("%s: %d %s", c.id, status, body)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := start(t, func(o *serve.Options) { o.MaxBody = 1000 })
	s.begin("s")
	for _, c := range []struct {
		method, path, body, header string
		status                     int
		typ                        string
	}{
		{"POST", "/messages/s", `{"text":`, "", 400, "bad_body"},
		{"POST", "/messages/s", `{"text":"a","more":1}`, "", 400, "bad_body"},
		{"POST", "/messages/s", `{"text":"a"} {}`, "", 400, "bad_body"},
		{"POST", "/messages/s", `{"text":"` + strings.Repeat("a", 2000) + `"}`, "", 413, "too_large"},
		{"POST", "/messages/s", `text=a`, "application/x-www-form-urlencoded", 415, "not_json"},
		{"POST", "/messages/s", `{}`, "", 422, "bad_message"},
		{"POST", "/messages/s", `{"content":[{"type":"tool_result","tool_use_id":"x","content":"y"}]}`, "", 422, "bad_message"},
		{"POST", "/messages/s", `{"content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}`, "", 422, "bad_message"},
		{"POST", "/messages/s", `{"content":[3]}`, "", 422, "bad_message"},
		{"POST", "/messages/s", `{"content":[{"type":"container_upload","file_id":"file_1"}]}`, "", 422, "bad_message"},
		{"POST", "/sessions", `{"id":"s"}`, "", 409, "exists"},
		{"POST", "/sessions", `{"id":"a/b"}`, "", 422, "bad_id"},
		{"GET", "/sessions?limit=x", "", "", 400, "bad_limit"},
		{"GET", "/nothing", "", "", 404, "no_such_request"},
		{"GET", "/sessions/none", "", "", 404, "no_session"},
		{"GET", "/events/none", "", "", 404, "no_session"},
	} {
		var header []string
		if c.header != "" {
			header = []string{"Content-Type", c.header}
		}
		resp := s.request(c.method, c.path, c.body, header...)
		data, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		var p serve.Problem
		if err := json.Unmarshal(data, &p); err != nil || resp.StatusCode != c.status || p.Type != c.typ || p.Status != c.status || p.Title == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %.60s: %d %s", c.method, c.path, c.body, resp.StatusCode, data)
		}
	}
}

// What Options.Run says is told before a stream begins, and nothing is written.
func TestErrorsBeforeTheStream(t *testing.T) {
	fail := error(&agent.BudgetError{})
	s := start(t, func(o *serve.Options) {
		o.Run = func(context.Context, serve.User, memory.Info) (*agent.Agent, agent.Input, error) {
			return nil, agent.Input{}, fail
		}
	})
	status, body := s.do("POST", "/messages/s", `{"text":"hi"}`, "Accept", "text/event-stream")
	if status != 402 || !strings.Contains(body, `"budget"`) {
		t.Errorf("%d %s", status, body)
	}
	if _, err := s.store.Info(t.Context(), "s"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("a session was begun: %v", err)
	}
	fail = errors.New("dial tcp 10.0.0.7: secret")
	if status, body := s.do("POST", "/messages/s", `{"text":"hi"}`); status != 500 || strings.Contains(body, "10.0.0.7") {
		t.Errorf("%d %s", status, body)
	}
	s = start(t, func(o *serve.Options) {
		o.Problem = func(error) serve.Problem { return serve.Problem{Type: "mine", Title: "Mine."} }
		o.Run = func(context.Context, serve.User, memory.Info) (*agent.Agent, agent.Input, error) {
			return nil, agent.Input{}, fail
		}
	})
	if status, body := s.do("POST", "/messages/s", `{"text":"hi"}`); status != 500 || !strings.Contains(body, "Mine.") {
		t.Errorf("%d %s", status, body)
	}
}

// A reader that stops reading harms nobody, and is dropped.
func TestASlowReader(t *testing.T) {
	// Long enough for those that read, on a busy machine too.
	const patience = 2 * time.Second
	s := start(t, func(o *serve.Options) { o.WriteTimeout = patience })
	big := `{"text":"` + strings.Repeat("word ", 200_000) + `"}`
	slow := s.request("GET", "/events/"+s.begin("s"), "")
	defer slow.Body.Close()
	for range 12 {
		l := s.listen("POST", "/messages/s", big)
		l.scan.Buffer(nil, 64<<20)
		l.until("end", "")
	}
	time.Sleep(patience + patience/2)
	data, err := io.Copy(io.Discard, slow.Body)
	if err == nil && data > 20<<20 {
		t.Errorf("it got all %d bytes", data)
	}
}

func TestListPages(t *testing.T) {
	s := start(t, func(o *serve.Options) {
		o.Left = func(context.Context, serve.User) (float64, error) { return 1.5, nil }
	})
	for i := range 5 {
		s.begin(fmt.Sprint("s", i))
	}
	seen, after := map[string]bool{}, ""
	for range 5 {
		_, body := s.do("GET", "/sessions?limit=2&after="+after, "")
		var list struct{ Sessions []serve.Session }
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		for _, x := range list.Sessions {
			seen[x.ID], after = true, x.Cursor
		}
		if len(list.Sessions) < 2 {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%v", seen)
	}
	if _, body := s.do("GET", "/budget", ""); !strings.Contains(body, "1.5") {
		t.Error(body)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, o := range map[string]serve.Options{"Store is nil": {}, "Run is nil": {Store: new(memory.RAM)}} {
		if _, err := serve.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
