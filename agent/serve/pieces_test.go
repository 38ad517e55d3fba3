package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// asks is a handler whose user is named by the request, and that runs nothing: what is to
// be run is noted.
func asks(t *testing.T, change func(*Options)) (h *Handler, store *memory.RAM, ran *[]memory.Info) {
	t.Helper()
	store, ran = new(memory.RAM), new([]memory.Info)
	h = runsNothing(t, func(o *Options) {
		o.Store = store
		o.User = func(r *http.Request) (User, error) {
			name := r.Header.Get("X-User")
			return User{ID: name, All: name == "root"}, nil
		}
		o.Run = func(_ context.Context, _ User, s memory.Info) (*agent.Agent, agent.Input, error) {
			*ran = append(*ran, s)
			return nil, agent.Input{}, memory.ErrConflict
		}
		if change != nil {
			change(o)
		}
	})
	return h, store, ran
}

// ask is the answer to a request of a user's.
func ask(h *Handler, user, method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-User", user)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// put begins a session with records.
func put(t *testing.T, store memory.Store, id string, start *memory.Start, records ...memory.Record) *memory.Log {
	t.Helper()
	log, err := memory.Create(store, id, start)
	if err == nil {
		err = log.Append(t.Context(), append([]memory.Record{{Kind: memory.KindInput, Message: transport.UserText("hi")}}, records...)...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func block(t *testing.T, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What an event says of each kind of item, and of each kind of record; what is the
// agent's own is not told.
func TestEventOf(t *testing.T) {
	h := runsNothing(t, func(*Options) {})
	at := feed.Position{Records: 3, Response: "r", Offset: 7}
	when := time.Date(2026, 11, 28, 10, 0, 0, 0, time.FixedZone("", 3600))
	answer, err := transport.ParseResponse([]byte(`{"id":"m","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"c","name":"f","input":{"n":1}},{"type":"redacted_thinking","data":"SECRET"}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	record := func(r memory.Record) feed.Item { return feed.Item{Kind: feed.Record, Record: r} }
	result := func(more string) feed.Item {
		return record(memory.Record{Kind: memory.KindResult, Block: block(t, `{"type":"tool_result","tool_use_id":"c"`+more+`}`)})
	}
	for _, tt := range []struct {
		name string
		it   feed.Item
		want string // empty is not told
	}{
		{"begin", feed.Item{Kind: feed.Begin}, `"kind":"begin"`},
		{"block", feed.Item{Kind: feed.Block, Block: 2, Type: "tool_use", Name: "f", ID: "c"}, `"kind":"block","call_id":"c","block":2,"type":"tool_use","name":"f"`},
		{"delta", feed.Item{Kind: feed.Delta, Block: 1, Delta: "text_delta", Text: "x"}, `"kind":"delta","block":1,"delta":"text_delta","text":"x"`},
		{"stop", feed.Item{Kind: feed.Stop, Block: 4}, `"kind":"stop","block":4`},
		{"progress", feed.Item{Kind: feed.Progress, ID: "c", Text: "half"}, `"kind":"progress","call_id":"c","text":"half"`},
		{"end", feed.Item{Kind: feed.End}, `"kind":"end"`},
		{"end in a wait", feed.Item{Kind: feed.End, Err: fmt.Errorf("x: %w", agent.ErrAwaitingApproval)}, `"kind":"end"`},
		{"end in an error", feed.Item{Kind: feed.End, Err: errors.New("SECRET")}, `"kind":"end","problem":{"type":"failed","title":"Something went wrong.","status":500}`},
		{"message", record(memory.Record{Kind: memory.KindInput, Time: when, Message: transport.UserText("hi")}), `"kind":"message","time":"2026-11-28T09:00:00Z","n":3,"role":"user","content":[{"type":"text","text":"hi"}]`},
		{"instructions", record(memory.Record{Kind: memory.KindInput, Message: transport.SystemText("SECRET")}), ""},
		{"response", record(memory.Record{Kind: memory.KindResponse, Response: answer}), `"kind":"response","n":3,"role":"assistant","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"c","name":"f","input":{"n":1}},{"type":"redacted_thinking"}],"model":"claude-x","stop_reason":"tool_use"`},
		{"result", result(`,"content":"a\"b"`), `"kind":"result","n":3,"content":[{"type":"text","text":"a\"b"}],"call_id":"c"`},
		{"failure", result(`,"is_error":true,"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]`), `"kind":"result","n":3,"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"call_id":"c","is_error":true`},
		{"nothing", result(``), `"kind":"result","n":3,"call_id":"c"`},
		{"picture", result(`,"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]`), `"kind":"result","n":3,"content":[{"type":"image","raw":{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}}],"call_id":"c"`},
		{"summary", record(memory.Record{Kind: memory.KindSummary, Message: transport.UserText("so far")}), `"kind":"summary","n":3,"text":"so far"`},
		{"approval", record(memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "c", Approve: true}}), `"kind":"decision","n":3,"call_id":"c","decision":"allow"`},
		{"denial", record(memory.Record{Kind: memory.KindDecision, Decision: &memory.Decision{CallID: "c", Reason: "no"}}), `"kind":"decision","n":3,"call_id":"c","decision":"deny","reason":"no"`},
		{"note", record(memory.Record{Kind: memory.KindNote, Note: "x", Data: []byte(`"SECRET"`)}), ""},
		{"run", record(memory.Record{Kind: memory.KindRun, Limits: &memory.Limits{}}), ""},
	} {
		tt.it.Session, tt.it.At = "s", at
		e, ok := h.event(tt.it)
		raw, _ := json.Marshal(e)
		want := strings.Replace(`{"v":1,KIND,"session":"s","at":"3.7.r."`, "KIND", strings.SplitN(tt.want, ",", 2)[0], 1)
		if _, rest, more := strings.Cut(tt.want, ","); more {
			want += "," + rest
		}
		if ok != (tt.want != "") || ok && string(raw) != want+"}" {
			t.Errorf("%s: %v %s\nwant %s}", tt.name, ok, raw, want)
		}
	}
}

// What is the service's own is left out at any depth, and all else stays as it is.
func TestShown(t *testing.T) {
	for raw, want := range map[string]string{
		`{"a":[{"b":{"signature":"S","c":12345678901234567890}},[{"data":"S"}]],"encrypted_content":"S"}`: `{"a":[{"b":{"c":12345678901234567890}},[{}]]}`,
		`{"encrypted_index":"S","cache_control":{"type":"ephemeral"},"x":1.0}`:                            `{"x":1.0}`,
		`"data"`: `"data"`, `null`: `null`, `{`: ``, ``: ``,
	} {
		if got := string(Shown([]byte(raw))); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

// A message is its blocks and then its text, from places that a user may name.
func TestMessageOf(t *testing.T) {
	m, err := Message("and this", json.RawMessage(`{"type":"text","text":"see"}`), json.RawMessage(`{"type":"image","source":{"type":"url","url":"http://x/y.png"}}`))
	if err != nil || m.Role != transport.RoleUser || len(m.Content) != 3 || m.Content[2].Type() != "text" || !strings.HasSuffix(m.Text(), "and this") {
		t.Errorf("%v: %+v", err, m)
	}
	for _, source := range []string{`{"type":"file","file_id":"f"}`, `{"type":"url","url":"https://"}`, `{"type":"url","url":"//x/y.png"}`, `{"type":"url","url":"javascript:alert(1)"}`, `{"type":"url"}`} {
		if _, err := Message("", json.RawMessage(`{"type":"image","source":`+source+`}`)); err == nil {
			t.Errorf("%s is taken", source)
		}
	}
}

// A body is one JSON value of the right type, or none at all, of so many bytes.
func TestBodies(t *testing.T) {
	for _, tt := range []struct {
		typ, body string
		strict    bool
		status    int
	}{
		{"", `{}`, true, 0}, {"application/json; charset=utf-8", `{"text":"a"}`, true, 0}, {"application/json", ``, true, 0}, {"application/json", " \n", true, 0}, {"application/json", "{}\n ", true, 0},
		{"text/plain", `{}`, true, 415}, {"application/json;;", `{}`, true, 415}, {"", `{} x`, true, 400}, {"", `[]`, true, 400}, {"", `{"more":1}`, true, 400}, {"", `{"more":1}`, false, 0},
		{"", `{"text":"` + strings.Repeat("a", 39) + `"}`, true, 0}, {"", `{"text":"` + strings.Repeat("a", 40) + `"}`, true, 413},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.typ)
		if tt.typ == "" {
			r.Header.Del("Content-Type")
		}
		h := runsNothing(t, func(*Options) {})
		c := &call{w: httptest.NewRecorder(), r: r, max: 50}
		err := c.decode(new(message), tt.strict)
		if status := 0; err != nil {
			if status = h.problemOf(err).Status; status != tt.status {
				t.Errorf("%q %s: %d %v, want %d", tt.typ, tt.body, status, err, tt.status)
			}
		} else if tt.status != 0 {
			t.Errorf("%q %s is taken", tt.typ, tt.body)
		}
	}
	for accept, want := range map[string]bool{"": false, "text/event-stream": true, "text/event-stream; q=1": true, "TEXT/Event-Stream": true, "application/json": false, "*/*": false} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Accept", accept)
		if wantsStream(r) != want {
			t.Errorf("Accept: %q", accept)
		}
	}
}

// A list has the user's own sessions, none of sub-agents unless their caller is named, as
// many as were asked for.
func TestLists(t *testing.T) {
	h, store, _ := asks(t, nil)
	for i := range 51 {
		put(t, store, fmt.Sprintf("a%02d", i), &memory.Start{Meta: map[string]string{"user": "ann"}})
	}
	put(t, store, "b", &memory.Start{Meta: map[string]string{"user": "bob"}})
	put(t, store, "child", &memory.Start{Parent: "b", Meta: map[string]string{"user": "bob"}})
	for _, tt := range []struct {
		user, query string
		status, n   int
	}{
		{"ann", "", 200, 50}, {"ann", "?limit=500", 200, 51}, {"ann", "?limit=1", 200, 1}, {"ann", "?limit=0", 400, 0}, {"ann", "?limit=501", 400, 0}, {"ann", "?limit=-1", 400, 0},
		{"bob", "", 200, 1}, {"bob", "?parent=b", 200, 1}, {"root", "?limit=500", 200, 52}, {"root", "?parent=b", 200, 1}, {"eve", "", 200, 0},
	} {
		status, body := ask(h, tt.user, "GET", "/sessions"+tt.query, "")
		var list struct{ Sessions []Session }
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != tt.status || len(list.Sessions) != tt.n || tt.status == 200 && list.Sessions == nil {
			t.Errorf("%s %s: %d, %d sessions, %v", tt.user, tt.query, status, len(list.Sessions), err)
		}
	}
	if _, body := ask(h, "ann", "GET", "/budget", ""); body != "{\"left_usd\":null}\n" {
		t.Error(body)
	}
}

// A fork is the user's who makes it, of records that there are; a new session has the
// metadata that it was given, and its user's name whatever that says.
func TestBeginnings(t *testing.T) {
	h, store, ran := asks(t, nil)
	put(t, store, "s", &memory.Start{Meta: map[string]string{"user": "ann", "tag": "x"}}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("more")})
	for records, want := range map[int]int{0: 422, -1: 422, 3: 422, 1: 200, 2: 200} {
		id := fmt.Sprint("f", records)
		if status, body := ask(h, "root", "POST", "/forks/s", fmt.Sprintf(`{"records":%d,"id":%q}`, records, id)); status != want {
			t.Errorf("%d records: %d %s", records, status, body)
		}
		if info, err := store.Info(t.Context(), id); (err == nil) != (want == 200) || err == nil && (info.Meta["user"] != "root" || info.Records != records) {
			t.Errorf("%d records: %+v, %v", records, info, err)
		}
	}
	if status, body := ask(h, "ann", "POST", "/forks/s", `{"records":1,"id":"s"}`); status != 409 || !strings.Contains(body, `"exists"`) {
		t.Errorf("%d %s", status, body)
	}
	status, body := ask(h, "ann", "POST", "/sessions", `{"meta":{"user":"bob","tag":"y","whorl.stop":"1"}}`)
	var made Session
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != 200 || len(made.ID) != 26 || made.Meta["user"] != "ann" || made.Meta["tag"] != "y" || made.Running {
		t.Errorf("%v, %d: %s", err, status, body)
	}
	if info, err := store.Info(t.Context(), made.ID); err != nil || len(info.Meta) != 2 {
		t.Errorf("a client writes what processes tell each other: %v, %v", info.Meta, err)
	}
	if status, body := ask(h, "ann", "POST", "/messages/new", `{"text":"hi","meta":{"user":"bob","tag":"z"}}`); status != 409 {
		t.Errorf("%d %s", status, body)
	}
	if s := (*ran)[0]; s.ID != "new" || s.Meta["user"] != "ann" || s.Meta["tag"] != "z" || len(*ran) != 1 {
		t.Errorf("the agent is chosen for %+v", *ran)
	}
	if _, err := store.Info(t.Context(), "new"); !errors.Is(err, memory.ErrNoSession) {
		t.Errorf("what was refused has begun a session: %v", err)
	}
	a, err := h.Access(withUser("ann"), "other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), Change{Meta: map[string]string{"user": "bob", "tag": "z"}, Record: func(context.Context) error { t.Error("it is written"); return nil }}); !errors.Is(err, memory.ErrConflict) {
		t.Errorf("%v", err)
	}
	if s := (*ran)[1]; s.Meta["user"] != "ann" || s.Meta["tag"] != "z" {
		t.Errorf("the agent is chosen for %+v", s)
	}
}

func withUser(name string) *http.Request {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("X-User", name)
	return r
}

// A session that runs is not deleted, a server that ends runs nothing, and the one request's
// values, not its end, go on to the next run.
func TestRunning(t *testing.T) {
	h, store, _ := asks(t, nil)
	put(t, store, "s", &memory.Start{Meta: map[string]string{"user": "ann"}})
	cancelled := context.Cause
	ctx, cancel := context.WithCancelCause(t.Context())
	over := make(chan struct{})
	context.AfterFunc(ctx, func() { close(over) })
	running := &running{cancel: cancel, over: over}
	h.set("s", running)
	if status, body := ask(h, "ann", "DELETE", "/sessions/s", ""); status != 409 || !strings.Contains(body, `"busy"`) {
		t.Errorf("%d %s", status, body)
	}
	if _, body := ask(h, "ann", "GET", "/sessions/s", ""); !strings.Contains(body, `"running":true`) {
		t.Error(body)
	}
	r := h.drive(t.Context(), User{}, memory.Info{ID: "s"}, nil, agent.Input{})
	if r != running || !r.again {
		t.Error("what runs isn't told that something has come")
	}
	if _, body := ask(h, "ann", "POST", "/stop/s", ""); !strings.Contains(body, "true") || !Stopped(cancelled(ctx)) || running.again {
		t.Errorf("%s, %v, again %v", body, cancelled(ctx), running.again)
	}
	if next := h.drive(t.Context(), User{}, memory.Info{ID: "s"}, nil, agent.Input{}); next == r || next != r.next || r.again {
		t.Error("what comes after a stop has no run of its own")
	}
	h.set("s", nil)
	if status, _ := ask(h, "ann", "DELETE", "/sessions/s", ""); status != 204 {
		t.Error(status)
	}
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = h.drive(t.Context(), User{}, memory.Info{ID: "s"}, nil, agent.Input{})
	if <-r.over; !errors.Is(r.err, errClosed) || h.isRunning("s") {
		t.Errorf("after the end: %v", r.err)
	}
	h.set("s", running)
	h.leave("s", running) // what waits behind it never begins, and whoever listens hears that
	if <-running.next.over; !errors.Is(running.next.err, errClosed) || h.isRunning("s") {
		t.Errorf("behind the last run: %v", running.next.err)
	}
	type key string
	request, end := context.WithCancel(context.WithValue(t.Context(), key("a"), 1))
	end()
	v := values{context.WithValue(context.WithValue(t.Context(), key("a"), 3), key("b"), 2), request}
	if v.Value(key("a")) != 1 || v.Value(key("b")) != 2 || v.Err() != nil {
		t.Errorf("%v %v %v", v.Value(key("a")), v.Value(key("b")), v.Err())
	}
}

// An event is written with the place to go on from, whatever a text holds; after a failed
// write nothing more is.
func TestEventsAsText(t *testing.T) {
	w := httptest.NewRecorder()
	out := &sse{w: w, control: http.NewResponseController(w), timeout: time.Second}
	out.comment("c")
	out.event(Event{Version: 1, Kind: "delta", Session: "s", At: "3.0..", Text: "a\n\ndata: b"})
	out.event(Event{Version: 1, Kind: "end", Session: "s"})
	want := ": c\n\nid: 3.0..\ndata: {\"v\":1,\"kind\":\"delta\",\"session\":\"s\",\"at\":\"3.0..\",\"text\":\"a\\n\\ndata: b\"}\n\ndata: {\"v\":1,\"kind\":\"end\",\"session\":\"s\"}\n\n"
	if got := w.Body.String(); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
	out.err = errors.New("gone")
	if out.comment("d"); w.Body.String() != want {
		t.Error("it is written on")
	}
}
