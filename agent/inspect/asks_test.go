package inspect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/todo"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// asker is an agent with tools of its own that talks to a simulator.
func asker(t testing.TB, model simulator.Model, list ...tools.Tool) *agent.Agent {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5", Tools: list})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// An asking is the arguments of ask_user.
type asking struct {
	Question string   `json:"question"`
	Choices  []string `json:"choices,omitempty"`
	Several  bool     `json:"several,omitempty"`
}

// A waitSight is what the page is told of something that waits.
type waitSight struct {
	Session, Kind, Tool, Why, Call string
	Agents                         []string
	Since, Until                   int64
	Question                       *struct {
		Key, Hash, Data, Schema, Default string
		Several                          bool
		Choices                          []struct{ Value, Label string }
		Fields                           []struct{ Name, Title, Kind string }
	}
}

// waitsOf is what a page that is opened now shows as waiting, by the words of it.
func waitsOf(t testing.TB, server, session string) map[string]waitSight {
	t.Helper()
	status, body, _ := do(t, "GET", server+api+"/"+session+"/waits", "")
	var got struct{ Waits []waitSight }
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("status %d, %v: %s", status, err, body)
	}
	found := make(map[string]waitSight)
	for _, w := range got.Waits {
		found[w.Why] = w
	}
	return found
}

// form is the part of an answer that says what is answered.
func (w waitSight) form() string {
	return fmt.Sprintf(`"session":%q,"call":%q,"key":%q,"hash":%q`, w.Session, w.Call, w.Question.Key, w.Question.Hash)
}

// Questions with choices, with several, in free words and of another kind are shown
// whole and answered; what isn't the one that was shown is refused.
func TestAnswers(t *testing.T) {
	store := new(memory.RAM)
	weigh := tools.External("weigh", "Weighs.", json.RawMessage(`{"type":"object","properties":{"what":{"type":"string"}}}`),
		tools.ExternalOptions{Output: json.RawMessage(`{"type":"number"}`), Deadline: time.Hour, Default: json.RawMessage(`0`)})
	a := asker(t, simulator.Script(simulator.Do(
		simulator.Call("ask_user", asking{Question: "Which?", Choices: []string{"red", "blue"}}),
		simulator.Call("ask_user", asking{Question: "Which of them?", Choices: []string{"a", "b", "c"}, Several: true}),
		simulator.Call("ask_user", asking{Question: "Why? " + evil}),
		simulator.Call("ask_user", asking{Question: "Whose?"}),
		simulator.Call("weigh", map[string]string{"what": "A-1"}),
	), simulator.Say("ok")), tools.AskUser(tools.AskOptions{}), weigh)
	run(t, a, store, "s", transport.UserText("go"))
	var resumed []string
	server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond, Resume: func(id string) { resumed = append(resumed, id) }})
	if all := events(t, server.URL+api+"/s/stream", "", 1); !strings.Contains(all[len(all)-1].data, `"doing":"answer"`) || !strings.Contains(all[len(all)-1].data, `"asks":true`) || strings.Count(all[len(all)-1].data, `"toolu_`) != 5 {
		t.Errorf("the state is %s", all[len(all)-1].data)
	}
	shown := waitsOf(t, server.URL, "s")
	which, several, why, whose, heavy := shown["Which?"], shown["Which of them?"], shown["Why? "+evil], shown["Whose?"], shown["What is the result of weigh?"]
	if len(shown) != 5 || which.Question == nil || several.Question == nil || why.Question == nil || whose.Question == nil || heavy.Question == nil {
		t.Fatalf("shown are %v", shown)
	}
	if q := which; q.Session != "s" || q.Kind != "user" || q.Tool != "ask_user" || q.Since == 0 || q.Until != 0 || fmt.Sprint(q.Question.Choices) != `[{"red" red} {"blue" blue}]` || fmt.Sprint(q.Question.Fields) != "[{  text}]" {
		t.Errorf("the first is %+v %+v", q, q.Question)
	}
	if q := heavy; q.Kind != "external" || q.Until <= q.Since || fmt.Sprint(q.Question.Fields) != "[{  number}]" || q.Question.Schema != "" || q.Question.Default != "0" || !strings.Contains(q.Question.Data, "A-1") {
		t.Errorf("the last is %+v %+v", q, q.Question)
	}
	for _, tt := range []struct {
		name, body string
		want       int
	}{
		{"not JSON", `red`, 400},
		{"a question of nobody", `{"session":"s","call":"9-x","key":"1","hash":"","value":"1"}`, 409},
		{"no hash", `{` + strings.Replace(which.form(), which.Question.Hash, "", 1) + `,"value":"\"red\""}`, 409},
		{"the hash of another", `{` + strings.Replace(which.form(), which.Question.Hash, several.Question.Hash, 1) + `,"value":"\"red\""}`, 409},
		{"another session", `{` + strings.Replace(which.form(), `"session":"s"`, `"session":"t"`, 1) + `,"value":"\"red\""}`, 409},
		{"neither a value nor declined", `{` + which.form() + `}`, 400},
		{"both", `{` + which.form() + `,"value":"\"red\"","decline":true}`, 400},
		{"a value that is no JSON", `{` + which.form() + `,"value":"red"}`, 400},
		{"a value that doesn't fit", `{` + heavy.form() + `,"value":"\"much\""}`, 400},
		{"a value and a form", `{` + heavy.form() + `,"value":"1","given":{"":["1"]}}`, 400},
		{"no number in a form", `{` + heavy.form() + `,"given":{"":["much"]}}`, 400},
		{"nothing in a form", `{` + heavy.form() + `,"given":{}}`, 400},
		{"a choice", `{` + which.form() + `,"value":"\"blue\""}`, 200},
		{"the choice once more", `{` + which.form() + `,"value":"\"red\""}`, 409},
		{"two of them", `{` + several.form() + `,"value":"[\"a\",\"c\"]"}`, 200},
		{"free words", `{` + why.form() + `,"given":{"":["because"]}}`, 200},
		{"declined", `{` + whose.form() + `,"decline":true,"reason":"none of your business"}`, 200},
		{"a number", `{` + heavy.form() + `,"given":{"":["2.50"]}}`, 200},
	} {
		if status, text, _ := do(t, "POST", server.URL+api+"/s/answers", tt.body); status != tt.want {
			t.Errorf("%s: status %d, want %d: %s", tt.name, status, tt.want, text)
		}
	}
	if left := waitsOf(t, server.URL, "s"); len(left) != 0 || fmt.Sprint(resumed) != "[s]" {
		t.Errorf("%d wait, resumed %v, want once, after the last answer", len(left), resumed)
	}
	run(t, a, store, "s")
	log, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	var results strings.Builder
	for _, r := range log.Records(0) {
		if r.Kind == memory.KindResult {
			results.Write(r.Block.Raw())
		}
	}
	for _, want := range []string{"blue", "because", "none of your business", "2.50"} {
		if !strings.Contains(results.String(), want) {
			t.Errorf("the model isn't told %q: %s", want, results.String())
		}
	}
	if !agent.Next(log).Done() || strings.Contains(results.String(), "red") {
		t.Errorf("%+v: %s", agent.Next(log), results.String())
	}
	if status, _, _ := do(t, "GET", server.URL+api+"/nobody/waits", ""); status != 404 {
		t.Errorf("no session: status %d", status)
	}
	if status, _, _ := do(t, "POST", server.URL+api+"/nobody/answers", `{}`); status != 404 {
		t.Errorf("an answer to no session: status %d", status)
	}
	readOnly := serve(t, store, inspect.Options{ReadOnly: true})
	if status, _, _ := do(t, "POST", readOnly.URL+api+"/s/answers", `{`+which.form()+`,"value":"1"}`); status != 403 {
		t.Errorf("read-only: status %d", status)
	}
	if status, _, _ := do(t, "POST", server.URL+api+"/s/answers", `{}`, "Authorization", "Bearer x"); status != 401 {
		t.Errorf("another token: status %d", status)
	}
}

// What a sub-agent asks is shown and answered at its caller's session too, and the
// outermost session is run on, wherever it was answered.
func TestAnswersBelow(t *testing.T) {
	for _, at := range []string{"root", "below"} {
		store := new(memory.RAM)
		inner := asker(t, simulator.Script(simulator.Do(simulator.Call("ask_user", asking{Question: "Which?"})), simulator.Say("It is blue.")), tools.AskUser(tools.AskOptions{}))
		a := asker(t, simulator.Script(simulator.Do(simulator.Call("helper", map[string]string{"task": "help"})), simulator.Say("ok")), agent.Sub{Agent: inner, Name: "helper", Description: "Helps."})
		if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
			t.Fatal(err)
		}
		var resumed []string
		server := serve(t, store, inspect.Options{Poll: 5 * time.Millisecond, Resume: func(id string) { resumed = append(resumed, id) }})
		if all := events(t, server.URL+api+"/root/stream", "", 1); !strings.Contains(all[len(all)-1].data, `"doing":"below"`) {
			t.Errorf("the state is %s", all[len(all)-1].data)
		}
		w := waitsOf(t, server.URL, "root")["Which?"]
		if w.Question == nil || !strings.HasPrefix(w.Session, "root/") || fmt.Sprint(w.Agents) != "[helper]" {
			t.Fatalf("%+v", w)
		}
		path := "root"
		if at == "below" {
			path = strings.ReplaceAll(w.Session, "/", "%2F")
			if w = waitsOf(t, server.URL, path)["Which?"]; w.Question == nil {
				t.Fatal("it isn't shown at its own session")
			}
		}
		if status, text, _ := do(t, "POST", server.URL+api+"/"+path+"/answers", `{`+w.form()+`,"value":"\"blue\""}`); status != 200 || fmt.Sprint(resumed) != "[root]" {
			t.Errorf("status %d: %s, resumed %v", status, text, resumed)
		}
		res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "root"})
		if err != nil || res.Text != "ok" {
			t.Errorf("%v: %v", res, err)
		}
	}
}

// A decision on a sub-agent's call, too, has the outermost session run on.
func TestDecisionBelow(t *testing.T) {
	store, ran := new(memory.RAM), 0
	pay := tools.FuncWith("pay", "Pays.", func(context.Context, struct{}) (string, error) { ran++; return "paid", nil }, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	inner := asker(t, simulator.Script(simulator.Do(simulator.Call("pay", map[string]any{})), simulator.Say("paid")), pay)
	a := asker(t, simulator.Script(simulator.Do(simulator.Call("helper", map[string]string{"task": "help"})), simulator.Say("ok")), agent.Sub{Agent: inner, Name: "helper", Description: "Helps."})
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "root", Prompt: "go"}); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	items, err := waiting.List(t.Context(), store, "root")
	if err != nil || len(items) != 1 || items[0].Session == "root" {
		t.Fatalf("%+v, %v", items, err)
	}
	var resumed []string
	server := serve(t, store, inspect.Options{Resume: func(id string) { resumed = append(resumed, id) }})
	call := items[0].Call
	form := fmt.Sprintf(`{"record":%d,"call":%q,"hash":%q,"approve":true}`, call.Record, call.CallID, call.Hash)
	if status, text, _ := do(t, "POST", server.URL+api+"/"+strings.ReplaceAll(items[0].Session, "/", "%2F")+"/decisions", form); status != 200 || fmt.Sprint(resumed) != "[root]" {
		t.Errorf("status %d: %s, resumed %v", status, text, resumed)
	}
	if info, err := store.Info(t.Context(), "root"); err != nil || info.Due.IsZero() {
		t.Errorf("the session is due %v, %v", info.Due, err)
	}
	if res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "root"}); err != nil || res.Text != "ok" || ran != 1 {
		t.Errorf("%v: %v, ran %d times", res, err, ran)
	}
}

// A question that the log holds under the same call and key, but that is another one
// by now, doesn't take the answer that a stale page gives.
func TestStaleAnswer(t *testing.T) {
	store := new(memory.RAM)
	ask := func(q string) {
		a := asker(t, simulator.Script(simulator.Do(simulator.Call("ask_user", asking{Question: q}).WithID("call_1"))), tools.AskUser(tools.AskOptions{}))
		run(t, a, store, "s", transport.UserText("go"))
	}
	ask("May I look?")
	server := serve(t, store, inspect.Options{})
	stale := waitsOf(t, server.URL, "s")["May I look?"]
	if err := store.Delete(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	ask("May I delete it?")
	now := waitsOf(t, server.URL, "s")["May I delete it?"]
	if now.Question == nil || now.Call != stale.Call || now.Question.Key != stale.Question.Key {
		t.Fatalf("%+v is no other question of the same name as %+v", now, stale)
	}
	if status, text, _ := do(t, "POST", server.URL+api+"/s/answers", `{`+stale.form()+`,"value":"\"yes\""}`); status != 409 {
		t.Errorf("status %d: %s", status, text)
	}
	if left := waitsOf(t, server.URL, "s"); len(left) != 1 {
		t.Errorf("%d wait", len(left))
	}
}

// The page tells the newest list of what is to be done.
func TestStateTellsWhatIsToBeDone(t *testing.T) {
	store := new(memory.RAM)
	list := func(first, second todo.Status) simulator.Reply {
		return simulator.Do(simulator.Call("todo", todo.List{Items: []todo.Item{{Text: "look " + evil, Status: first}, {Text: "write", Status: second}}}))
	}
	a := asker(t, simulator.Script(list(todo.InProgress, todo.Pending), list(todo.Completed, todo.InProgress), simulator.Say("ok")), todo.New())
	if _, err := a.Run(context.Background(), agent.Input{Store: store, Session: "s", Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	all := events(t, serve(t, store, inspect.Options{}).URL+api+"/s/stream", "", 1)
	var state struct {
		Todo []struct{ Text, Status string }
	}
	if err := json.Unmarshal([]byte(all[len(all)-1].data), &state); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(state.Todo), fmt.Sprintf("[{look %s completed} {write in_progress}]", evil); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
