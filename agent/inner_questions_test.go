package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// Two calls that a tool makes ask under one key, and are told apart: each gets its own
// answer and sees its own notes. The tool's call runs again for each answer, and for
// nothing else, although it may not be repeated.
func TestInnerCallsAskUnderOneKey(t *testing.T) {
	outer := 0
	confirm := fake{name: "confirm", call: func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
		h, _ := tools.HostOf(ctx)
		seen, err := h.Notes(ctx, "begun")
		if err == nil && len(seen) == 0 {
			err = h.Note(ctx, "begun", in)
		} else if err == nil && (len(seen) != 1 || string(seen[0]) != string(in)) {
			t.Errorf("the call for %s has the notes %s", in, seen)
		}
		if err != nil {
			return tools.Result{}, err
		}
		a, err := h.Ask(ctx, tools.Question{Key: "sure", Prompt: "Sure about " + string(in) + "?"})
		return tools.Text(string(a.Value) + " for " + string(in)), err
	}}
	both := hosted("both", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		if outer++; outer > 5 {
			return tools.Result{}, tools.Fatal(errors.New("run again and again"))
		}
		var texts []string
		var waits error
		for _, id := range []string{"one", "two"} {
			res, err := h.CallTool(ctx, transport.ToolCall{ID: id, Name: "confirm", Input: fmt.Appendf(nil, `{"id":%q}`, id)})
			if err != nil {
				waits = err
			}
			texts = append(texts, transport.Message{Content: res.Content}.Text())
		}
		return tools.Text(strings.Join(texts, "; ")), waits
	})
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		outer = 0
		store := new(memory.RAM)
		s := &script{replies: []any{reply(t, "tool_use", use("a", "both", `{}`)), reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{}, both, confirm)
		_, err := begin(t, a, store)
		log := openLog(t, store)
		list := agent.Questions(log)
		if !errors.Is(err, tools.ErrWaiting) || len(list) != 2 || list[0].Question.Key != "sure" || list[1].Question.Key != "sure" {
			t.Fatalf("%v, %+v", err, list)
		}
		for n, i := range order {
			if err := list[i].Answer(t.Context(), log, tools.Answer{Value: fmt.Append(nil, i)}); err != nil {
				t.Fatalf("question %d: %v", i, err)
			}
			if left := agent.Questions(log); len(left) != 1-n {
				t.Fatalf("after %d answers %+v are left", n+1, left)
			}
			for range 2 { // the second time nothing has come
				if _, err = a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); n == 0 && (!errors.Is(err, tools.ErrWaiting) || outer != 2) {
					t.Fatalf("ran %d times: %v", outer, err)
				}
			}
			log = openLog(t, store)
		}
		if m := string(log.Messages()[2].AppendJSON(nil)); err != nil || outer != 3 || !strings.Contains(m, `0 for {\"id\":\"one\"}; 1 for {\"id\":\"two\"}`) {
			t.Errorf("ran %d times: %v, %s", outer, err, m)
		}
	}
}

// A question is found in a later step too, and behind many notes of its call. It can be
// answered on a log that was opened before it was asked, and whoever answers can't say
// that the time was over.
func TestAQuestionOfALaterStep(t *testing.T) {
	store := new(memory.RAM)
	var before *memory.Log
	ran := 0
	ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		if ran++; ran > 2 {
			return tools.Result{}, tools.Fatal(errors.New("run again and again"))
		}
		if before == nil {
			before = openLog(t, store)
			for i := range 40 {
				if err := h.Note(ctx, "n", fmt.Append(nil, i)); err != nil {
					return tools.Result{}, err
				}
			}
		}
		a, err := h.Ask(ctx, tools.Question{Prompt: "?"})
		return tools.Text(fmt.Sprint(string(a.Value), " late: ", a.Expired)), err
	})
	s := &script{replies: []any{reply(t, "tool_use", use("a", "echo", `{}`)), reply(t, "tool_use", use("b", "ask", `{}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, ask, echo("echo"))
	if _, err := begin(t, a, store); !errors.Is(err, tools.ErrWaiting) {
		t.Fatal(err)
	}
	list := agent.Questions(openLog(t, store))
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	if err := list[0].Answer(t.Context(), before, tools.Answer{Value: json.RawMessage(`7`), Expired: true}); err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if m := string(res.Log.Messages()[4].AppendJSON(nil)); err != nil || !strings.Contains(m, "7 late: false") {
		t.Errorf("%v, %s", err, m)
	}
}

// The wait of a sub-agent ends when its question does, and says whether it has an
// Approver, so that the session is woken and nobody is asked in vain.
func TestTheWaitOfASubAgentHasItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, deadline := new(memory.RAM), time.Now().Add(time.Hour).UTC()
		ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
			a, err := h.Ask(ctx, tools.Question{Prompt: "?", Deadline: deadline, Default: json.RawMessage(`"no"`)})
			return tools.Text("got " + string(a.Value)), err
		})
		child := newAgent(t, &script{replies: []any{reply(t, "tool_use", use("x", "ask", `{}`)), reply(t, "end_turn", text("asked"))}}, agent.Options{}, ask)
		s := &script{replies: []any{reply(t, "tool_use", use("a", "asker", `{"task":"ask"}`)), reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{}, agent.Sub{Name: "asker", Agent: child})
		if _, err := begin(t, a, store); !errors.Is(err, tools.ErrWaiting) {
			t.Fatal(err)
		}
		w := agent.Next(openLog(t, store))
		if len(w.Questions) != 1 || !w.Until().Equal(deadline) || strings.Contains(string(w.Questions[0].Question.Data), "approver") {
			t.Fatalf("it waits until %v for %+v", w.Until(), w.Questions)
		}
		time.Sleep(2 * time.Hour)
		if res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); err != nil || res.Text != "done" {
			t.Errorf("%q, %v", res.Text, err)
		}
	})
}

// A question of a call that is made in a call that is made in a call is one of the
// model's call, whose answer lets all of them go on.
func TestAQuestionFarBelow(t *testing.T) {
	runs := 0
	ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		if runs++; runs > 5 {
			return tools.Result{}, tools.Fatal(errors.New("run again and again"))
		}
		a, err := h.Ask(ctx, tools.Question{Prompt: "Sure?"})
		return tools.Text("said " + string(a.Value)), err
	})
	calls := func(name, other string) fake {
		return hosted(name, func(ctx context.Context, h tools.Host) (tools.Result, error) {
			return h.CallTool(ctx, transport.ToolCall{Name: other})
		})
	}
	store := new(memory.RAM)
	s := &script{replies: []any{reply(t, "tool_use", use("a", "outer", `{}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, calls("outer", "middle"), calls("middle", "ask"), ask)
	_, err := begin(t, a, store)
	log := openLog(t, store)
	list := agent.Questions(log)
	if !errors.Is(err, tools.ErrWaiting) || len(list) != 1 || list[0].Root != "2-a" {
		t.Fatalf("%v, %+v", err, list)
	}
	if err := list[0].Answer(t.Context(), log, tools.Answer{Value: json.RawMessage("7")}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); err != nil {
		t.Fatal(err)
	}
	if m := s.requests[1].Messages; !strings.Contains(string(m[len(m)-1].AppendJSON(nil)), "said 7") {
		t.Errorf("%s", m[len(m)-1].AppendJSON(nil))
	}
}
