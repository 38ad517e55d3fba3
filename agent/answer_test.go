package agent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
)

// waitsFor runs a conversation up to the wait of a call, and returns the question
// after a way through JSON.
func waitsFor(t *testing.T, store memory.Store, session, input string, tool tools.Tool) (*agent.Agent, agent.PendingQuestion) {
	t.Helper()
	def, err := tool.Definition()
	if err != nil {
		t.Fatal(err)
	}
	s := &script{replies: []any{reply(t, "tool_use", use("a", def.Name(), input)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, tool)
	_, err = a.Run(t.Context(), agent.Input{Store: store, Session: session, Prompt: "go"})
	var wait *agent.ApprovalError
	if !errors.As(err, &wait) || len(wait.Questions) != 1 {
		t.Fatalf("the run ended with %v", err)
	}
	raw, err := json.Marshal(wait.Questions[0])
	if err != nil {
		t.Fatal(err)
	}
	var q agent.PendingQuestion
	if err := json.Unmarshal(raw, &q); err != nil {
		t.Fatal(err)
	}
	return a, q
}

func openSession(t *testing.T, store memory.Store, id string) *memory.Log {
	t.Helper()
	log, err := memory.Open(t.Context(), store, id)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

var weighing = tools.External("weigh", "Weighs a parcel.", json.RawMessage(`{"type":"object","properties":{"parcel":{"type":"string"}},"required":["parcel"]}`),
	tools.ExternalOptions{Output: json.RawMessage(`{"$defs":{"w":{"type":"number","minimum":0}},"anyOf":[{"$ref":"#/$defs/w"},{"type":"string"}]}`), MaxBytes: 50})

// An answer from outside is taken once, if it is one for what waits; all else is told
// by an error, and the call goes on waiting.
func TestAnswersFromOutside(t *testing.T) {
	store := new(memory.RAM)
	a, q := waitsFor(t, store, "s", `{"parcel":"A-1"}`, weighing)
	if q.Question.Kind != "external" || string(q.Question.Data) != `{"parcel":"A-1"}` || q.Name != "weigh" {
		t.Fatalf("%+v", q)
	}
	_, other := waitsFor(t, store, "other", `{"parcel":"A-1"}`, weighing)
	log := openSession(t, store, "s")
	answer := func(q agent.PendingQuestion, value string) error {
		return q.Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(value)})
	}
	changed := q
	changed.Question.Data = json.RawMessage(`{"parcel":"B-2"}`)
	never := q
	never.Call, never.Root = "2-zzz", "2-zzz"
	for _, c := range []struct {
		q           agent.PendingQuestion
		value, says string
		why         string // of a DecisionError
	}{
		{q, `-3`, "", ""},
		{q, `[1]`, "", ""},
		{q, `no JSON`, "quote a text", ""},
		{q, ``, "quote a text", ""},
		{q, `"` + strings.Repeat("x", 60) + `"`, "answer with a reference", ""},
		{other, `3`, `it waits in session "other", and this is "s"`, "changed"},
		{changed, `3`, "", "changed"},
		{never, `3`, "", "not_pending"},
	} {
		err := answer(c.q, c.value)
		var wrong *tools.AnswerError
		if c.why == "" && !errors.As(err, &wrong) || whyNot(err) != c.why || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.40s: %v", c.value, err)
		}
		if len(agent.Questions(log)) != 1 {
			t.Fatalf("%.40s: the question does not wait any more", c.value)
		}
	}
	big := json.RawMessage(`"` + strings.Repeat("x", 50<<20) + `"`)
	if err := answer(q, string(big)); err == nil || len(err.Error()) > 300 {
		t.Errorf("50 MB: %.300v", err)
	}
	// Many answer at the same time: one of them is taken, whichever log it goes by.
	var mu sync.Mutex
	var taken []string
	var all sync.WaitGroup
	for i := range 16 {
		mine := openSession(t, store, "s")
		all.Go(func() {
			value := fmt.Sprint(i % 4)
			err := q.Answer(t.Context(), mine, tools.Answer{Value: json.RawMessage(value)})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				taken = append(taken, value)
			} else if whyNot(err) != "decided" {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(taken) != 1 {
		t.Fatalf("%d answers were taken", len(taken))
	}
	if err := answer(q, "7"); whyNot(err) != "decided" {
		t.Errorf("doubled: %v", err)
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil || res.Text != "done" {
		t.Fatal(err)
	}
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, `"text":"`+taken[0]+`"`) {
		t.Errorf("%s was taken, and the model is told %s", taken[0], m)
	}
	if err := answer(q, "7"); whyNot(err) != "decided" {
		t.Errorf("after the end: %v", err)
	}
	// A call that was given up doesn't wait.
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "other", Prompt: "never mind"}); err == nil {
		t.Log("the script has no reply for that, which does no harm")
	}
	if err := other.Answer(t.Context(), openSession(t, store, "other"), tools.Answer{Value: json.RawMessage(`1`)}); whyNot(err) != "not_pending" {
		t.Errorf("given up: %v", err)
	}
}

// After its deadline a call has the default, and an answer is late, whether a run has
// seen to it or not.
func TestAnExternalCallHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for given, want := range map[string]string{`"unweighed"`: "unweighed", "": "was not answered in time"} {
			o := tools.ExternalOptions{Deadline: time.Hour}
			if given != "" {
				o.Default = json.RawMessage(given)
			}
			store := new(memory.RAM)
			a, q := waitsFor(t, store, "s", `{}`, tools.External("weigh", "Weighs.", nil, o))
			time.Sleep(2 * time.Hour)
			late := func() {
				t.Helper()
				err := q.Answer(t.Context(), openSession(t, store, "s"), tools.Answer{Value: json.RawMessage(`1`)})
				if whyNot(err) != "decided" {
					t.Errorf("late: %v", err)
				}
			}
			late()
			res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
			if err != nil {
				t.Fatal(err)
			}
			late()
			if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, want) {
				t.Errorf("the model is told %s", m)
			}
		}
	})
}

func TestAskUser(t *testing.T) {
	for _, c := range []struct{ input, answer, want string }{
		{`{"question":"Which seat?","choices":["window","aisle"]}`, `"aisle"`, `"text":"aisle"`},
		{`{"question":"Which seat?","choices":["window","aisle"]}`, `"neither, I'll walk"`, `I'll walk`},
		{`{"question":"Which?","choices":["a","b","c"],"several":true}`, `["c","a"]`, `[\"c\",\"a\"]`},
		{`{"question":"What is your name?"}`, `"Ann"`, `"text":"Ann"`},
	} {
		store := new(memory.RAM)
		a, q := waitsFor(t, store, "s", c.input, tools.AskUser(tools.AskOptions{}))
		log := openSession(t, store, "s")
		if err := q.Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(`{"a":1}`)}); err == nil {
			t.Errorf("%s: an object is an answer", c.input)
		}
		if err := q.Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(c.answer)}); err != nil {
			t.Errorf("%s: %v", c.input, err)
			continue
		}
		res, err := a.Run(t.Context(), agent.Input{Log: log})
		if err != nil {
			t.Fatal(err)
		}
		if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, c.want) {
			t.Errorf("%s: the model is told %s", c.input, m)
		}
	}
	for _, wrong := range []string{`{"question":" "}`, `{"question":"?","several":true}`, `{"question":"?","choices":["a","a"]}`, `{"question":"?","choices":["a"," "]}`} {
		s := &script{replies: []any{reply(t, "tool_use", use("a", "ask_user", wrong)), reply(t, "end_turn", text("done"))}}
		res, err := newAgent(t, s, agent.Options{}, tools.AskUser(tools.AskOptions{})).Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), `"is_error":true`) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
