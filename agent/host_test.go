package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/protect"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// hosted is a tool that is given its Host.
func hosted(name string, f func(ctx context.Context, h tools.Host) (tools.Result, error)) fake {
	return fake{name: name, call: func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		h, ok := tools.HostOf(ctx)
		if !ok {
			return tools.Result{}, errors.New("no host")
		}
		return f(ctx, h)
	}}
}

// A question is asked once, outlives the process, and its answer comes to the tool
// when that is called again; what runs beside it runs once.
func TestAQuestionIsAnsweredFromOutside(t *testing.T) {
	for _, answered := range []string{"answer", "decline", "other"} {
		store, beside, ran := new(memory.RAM), 0, 0
		book := hosted("book", func(ctx context.Context, h tools.Host) (tools.Result, error) {
			ran++
			a, err := h.Ask(ctx, tools.Question{Kind: "user", Prompt: "Window or aisle?", Choices: []tools.Choice{{Value: json.RawMessage(`"window"`)}, {Value: json.RawMessage(`"aisle"`)}}})
			if err != nil {
				return tools.Result{}, fmt.Errorf("book: %w", err)
			}
			return tools.Text("booked " + string(a.Value) + " by " + a.By), nil
		})
		s := &script{replies: []any{reply(t, "tool_use", use("a", "book", `{}`), use("b", "t", `{}`)), reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{}, book, during("t", func(context.Context) { beside++ }))
		in := agent.Input{Store: store, Session: "s", Prompt: "go"}
		for range 2 { // the second time nothing has come
			_, err := a.Run(t.Context(), in)
			if !errors.Is(err, tools.ErrWaiting) || !errors.Is(err, agent.ErrAwaitingApproval) || ran != 1 || beside != 1 {
				t.Fatalf("%s: ran %d and %d times: %v", answered, ran, beside, err)
			}
			in.Prompt = ""
		}
		log := openLog(t, store)
		raw, err := json.Marshal(agent.Questions(log))
		if err != nil {
			t.Fatal(err)
		}
		var questions []agent.PendingQuestion
		if err := json.Unmarshal(raw, &questions); err != nil || len(questions) != 1 || questions[0].Name != "book" || questions[0].Call != "2-a" || questions[0].Question.Kind != "user" {
			t.Fatalf("%v: %s", err, raw)
		}
		if wait := agent.Next(log); !wait.Waits() || len(wait.Questions) != 1 || len(wait.Calls) != 0 {
			t.Errorf("Next says %#v", agent.Next(log))
		}
		q, want := questions[0], ""
		if err := q.Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(`"wing"`)}); err == nil || len(agent.Questions(log)) != 1 {
			t.Errorf("an answer that is none of the choices: %v", err)
		}
		switch answered {
		case "answer":
			err, want = q.Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(`"aisle"`), By: "ann"}), `booked \"aisle\" by ann`
		case "decline":
			err, want = q.Decline(t.Context(), log, "the user is asleep"), "declined: the user is asleep"
		case "other":
			want = "nobody answered what it asked"
			in.Prompt = "never mind"
		}
		if err != nil {
			t.Fatal(err)
		}
		var wrong *agent.DecisionError
		if err := q.Decline(t.Context(), openLog(t, store), ""); want != "nobody answered what it asked" && (!errors.As(err, &wrong) || wrong.Why != "decided") {
			t.Errorf("%s: answered twice: %v", answered, err)
		} else if answered == "other" && err != nil {
			t.Errorf("declined: %v", err)
		}
		if answered == "other" {
			continue
		}
		res, err := a.Run(t.Context(), in)
		if err != nil || res.Text != "done" || beside != 1 || ran != 2 {
			t.Fatalf("%s: %q, ran %d and %d times, %v", answered, res.Text, ran, beside, err)
		}
		checkValid(t, res.Log)
		if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, want) {
			t.Errorf("%s: the model is told %s", answered, m)
		}
	}
}

// A new message ends the wait, and the model is told.
func TestAMessageInTheWaitForAnAnswer(t *testing.T) {
	ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		_, err := h.Ask(ctx, tools.Question{Prompt: "?"})
		return tools.Result{}, err
	})
	s := &script{replies: []any{reply(t, "tool_use", use("a", "ask", `{}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, ask)
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if !errors.Is(err, tools.ErrWaiting) {
		t.Fatal(err)
	}
	if res, err = a.Run(t.Context(), agent.Input{Log: res.Log, Prompt: "never mind"}); err != nil {
		t.Fatal(err)
	}
	checkValid(t, res.Log)
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, "nobody answered what it asked") || len(agent.Questions(res.Log)) != 0 {
		t.Errorf("the model is told %s", m)
	}
}

// A tool that waits for nothing would wait for ever: it is answered with an error.
func TestWaitingForNothing(t *testing.T) {
	bad := hosted("bad", func(context.Context, tools.Host) (tools.Result, error) { return tools.Result{}, tools.ErrWaiting })
	s := &script{replies: []any{reply(t, "tool_use", use("a", "bad", `{}`)), reply(t, "end_turn", text("done"))}}
	res, err := newAgent(t, s, agent.Options{}, bad).Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), "waits for an answer to nothing") {
		t.Errorf("%v", err)
	}
}

// A question whose time is over is answered by its default, or by nothing.
func TestQuestionsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for byDefault, want := range map[string]string{`"no"`: `got \"no\"`, "": "not answered in time"} {
			ask := hosted("ask", func(ctx context.Context, h tools.Host) (tools.Result, error) {
				q := tools.Question{Key: "q", Prompt: "?", Deadline: time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC), Default: json.RawMessage(byDefault)}
				if byDefault == "" {
					q.Default = nil
				}
				a, err := h.Ask(ctx, q)
				return tools.Text("got " + string(a.Value)), err
			})
			s := &script{replies: []any{reply(t, "tool_use", use("a", "ask", `{}`)), reply(t, "end_turn", text("done"))}}
			a := newAgent(t, s, agent.Options{}, ask)
			start := time.Now()
			res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
			if time.Now().Before(time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)) {
				if !errors.Is(err, tools.ErrWaiting) {
					t.Fatal(err, start)
				}
				time.Sleep(2 * time.Hour)
				res, err = a.Run(t.Context(), agent.Input{Log: res.Log})
			}
			if m := string(res.Log.Messages()[2].AppendJSON(nil)); err != nil || !strings.Contains(m, want) {
				t.Errorf("default %s: %v, %s", byDefault, err, m)
			}
		}
	})
}

// Inner calls go through the gate, run once however often the outer one does, and
// are told apart in the log.
func TestInnerCalls(t *testing.T) {
	paid, outer := 0, 0
	pay := fake{name: "pay", call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
		paid++
		return tools.Text("paid " + string(in)), nil
	}}
	batch := hosted("batch", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		outer++
		var texts []string
		for _, c := range []transport.ToolCall{{Name: "pay", Input: []byte(`{"usd":1}`)}, {Name: "forbidden"}, {Name: "none"}} {
			res, err := h.CallTool(ctx, c)
			if err != nil {
				return tools.Result{}, err
			}
			texts = append(texts, transport.Message{Content: res.Content}.Text())
		}
		if _, err := h.Ask(ctx, tools.Question{Prompt: "go on?"}); err != nil {
			return tools.Result{}, err
		}
		return tools.Text(strings.Join(texts, "; ")), nil
	})
	var judged []string
	gate := func(_ context.Context, req agent.ToolRequest) agent.Decision {
		judged = append(judged, req.Call.Name)
		if req.Call.Name == "forbidden" {
			return agent.Decision{Permission: agent.Deny, Reason: "no"}
		}
		return agent.Decision{}
	}
	s := &script{replies: []any{reply(t, "tool_use", use("a", "batch", `{}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{Gate: gate}, batch, pay, echo("forbidden"))
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if !errors.Is(err, tools.ErrWaiting) || paid != 1 {
		t.Fatalf("paid %d times: %v", paid, err)
	}
	if err := agent.Questions(res.Log)[0].Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage(`true`)}); err != nil {
		t.Fatal(err)
	}
	if res, err = a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil || paid != 1 || outer != 2 {
		t.Fatalf("paid %d times, ran %d times: %v", paid, outer, err)
	}
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); !strings.Contains(m, `paid {\"usd\":1}; This call was not permitted: no; There is no tool \"none\"`) {
		t.Errorf("the model is told %s", m)
	}
	if got := strings.Join(judged, " "); got != "batch pay forbidden batch" {
		t.Errorf("the gate was asked about %s", got)
	}
}

// An inner call that needs an approval leaves the outer one open, and is decided on
// like a question, each by itself. One that nobody approves is not run.
func TestInnerCallsThatNeedApproval(t *testing.T) {
	for value, want := range map[string]string{`"allow"`: `paid {\"n\":1}; This call was not permitted.`, `"deny"`: "This call was not permitted.; This call was not permitted.", "": "nobody approved it; This call was not permitted."} {
		ran := 0
		pay := fake{name: "pay", traits: tools.Traits{NeedsApproval: true, Untrusted: true}, call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
			ran++
			return tools.Text("paid " + string(in)), nil
		}}
		batch := hosted("batch", func(ctx context.Context, h tools.Host) (tools.Result, error) {
			var texts []string
			var waits error
			for n, id := range []string{"p", "q"} {
				res, err := h.CallTool(ctx, transport.ToolCall{ID: id, Name: "pay", Input: fmt.Appendf(nil, `{"n":%d}`, n+1)})
				if err != nil {
					waits = err
				}
				texts = append(texts, transport.Message{Content: res.Content}.Text())
			}
			return tools.Text(strings.Join(texts, "; ")), waits
		})
		s := &script{replies: []any{reply(t, "tool_use", use("a", "batch", `{}`)), reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{}, batch, pay)
		res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
		list := agent.Questions(res.Log)
		if !errors.Is(err, tools.ErrWaiting) || len(list) != 2 || list[0].Question.Kind != "approval" || !strings.Contains(string(list[0].Question.Data), `"input":{"n":1}`) {
			t.Fatalf("%v, %+v", err, list)
		}
		if value == "" {
			err = list[0].Decline(t.Context(), res.Log, "")
		} else {
			err = list[0].Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage(value)})
		}
		if e := list[1].Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage(`"deny"`)}); err != nil || e != nil {
			t.Fatal(err, e)
		}
		res, err = a.Run(t.Context(), agent.Input{Log: res.Log})
		allowed := value == `"allow"`
		if m := string(res.Log.Messages()[2].AppendJSON(nil)); err != nil || !strings.Contains(m, want) || (ran == 1) != allowed || ran > 1 {
			t.Errorf("%s: %v, ran %d times, %s", value, err, ran, m)
		}
		if taint.Of(res.Log).Untrusted != allowed { // as what the inner tool has read
			t.Errorf("%s: the labels are %+v", value, taint.Of(res.Log))
		}
	}
}

// A tool that asks for something else when it runs again is told where it differs.
func TestDivergingCalls(t *testing.T) {
	n := 0
	batch := hosted("batch", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		n++
		if _, err := h.CallTool(ctx, transport.ToolCall{Name: "echo", Input: fmt.Appendf(nil, `{"n":%d}`, n)}); err != nil {
			return tools.Result{}, err
		}
		_, err := h.Ask(ctx, tools.Question{Prompt: "?"})
		return tools.Result{}, err
	})
	s := &script{replies: []any{reply(t, "tool_use", use("a", "batch", `{}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, batch, echo("echo"))
	res, _ := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err := agent.Questions(res.Log)[0].Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage(`1`)}); err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Log: res.Log})
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); err != nil || !strings.Contains(m, "differs from the one that was recorded") {
		t.Errorf("%v, %s", err, m)
	}
}

// A tool that asks for the same again finds what was recorded, whatever letters its
// arguments and questions are of, and whatever of them the store leaves out.
func TestWhatIsRecordedIsFoundAgain(t *testing.T) {
	for _, in := range []string{`{"q":"a<b> & c"}`, `{ "q": 1,  "r": 1e2 }`, "{\"q\":\"a\u2028b\"}", "{\"q\":\"a\xff\xfeb\"}", `{"q":"\ud800"}`, " {} ", `{"key":"sk-12345"}`} {
		ran, store := 0, protect.Redacted(new(memory.RAM), func(r *memory.Record) error {
			if r.Kind == memory.KindNote {
				r.Data = bytes.ReplaceAll(r.Data, []byte("sk-12345"), []byte("[left out]"))
			}
			return nil
		})
		count := fake{name: "count", call: func(context.Context, json.RawMessage) (tools.Result, error) {
			ran++
			return tools.Text("<" + fmt.Sprint(ran) + ">"), nil
		}}
		batch := hosted("batch", func(ctx context.Context, h tools.Host) (tools.Result, error) {
			res, err := h.CallTool(ctx, transport.ToolCall{ID: "k\xff", Name: "count", Input: []byte(in)})
			if err != nil {
				return tools.Result{}, err
			}
			answer, err := h.Ask(ctx, tools.Question{Key: "k\xff", Prompt: "Is it " + in + "?"})
			return tools.Text((transport.Message{Content: res.Content}).Text() + string(answer.Value)), err
		})
		s := &script{replies: []any{reply(t, "tool_use", use("a", "batch", `{}`)), reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{}, batch, count)
		res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"})
		if questions := agent.Questions(res.Log); len(questions) != 1 {
			t.Errorf("%q: %v", in, err)
		} else if err := questions[0].Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage("7")}); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if _, err = a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); err != nil || ran != 1 {
			t.Errorf("%q: it ran %d times, and then: %v", in, ran, err)
		} else if m := s.requests[1].Messages; !strings.Contains(string(m[len(m)-1].AppendJSON(nil)), `"<1>7"`) {
			t.Errorf("%q: %s", in, m[len(m)-1].AppendJSON(nil))
		}
	}
}

// A call that a tool had begun when the process died is not made again, though the tool
// itself runs again because it has asked something.
func TestInnerCallsOfADeadProcess(t *testing.T) {
	store, ran := new(memory.RAM), 0
	pay := fake{name: "pay", call: func(context.Context, json.RawMessage) (tools.Result, error) {
		ran++
		return tools.Text("paid"), nil
	}}
	batch := hosted("batch", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		if _, err := h.Ask(ctx, tools.Question{Prompt: "?"}); err != nil {
			return tools.Result{}, err
		}
		return h.CallTool(ctx, transport.ToolCall{Name: "pay"})
	})
	s := &script{replies: []any{reply(t, "tool_use", use("a", "batch", `{}`)), reply(t, "end_turn", text("done")), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{}, batch, pay)
	if _, err := begin(t, a, store); !errors.Is(err, tools.ErrWaiting) {
		t.Fatal(err)
	}
	log := openLog(t, store)
	if err := agent.Questions(log)[0].Answer(t.Context(), log, tools.Answer{Value: json.RawMessage(`1`)}); err != nil {
		t.Fatal(err)
	}
	whole, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil || ran != 1 {
		t.Fatalf("it ran %d times, %v", ran, err)
	}
	store = killed(t, whole.Log, func(r memory.Record) bool { return r.Kind == memory.KindNote && r.Note == notes.Started })
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s"}); err != nil {
		t.Fatal(err)
	}
	m := s.requests[2].Messages
	if told := string(m[len(m)-1].AppendJSON(nil)); ran != 1 || !strings.Contains(told, "may or may not have taken effect") {
		t.Errorf("it ran %d times, and the model was told %s", ran, told)
	}
}

// Notes and bytes are there when the call runs again, and for other calls the bytes.
func TestNotesAndKeptBytes(t *testing.T) {
	for name, in := range map[string]agent.Input{"in memory": {}, "in a store": {Store: new(memory.RAM), Session: "s"}} {
		var ref string
		first := true
		keep := hosted("keep", func(ctx context.Context, h tools.Host) (tools.Result, error) {
			notes, err := h.Notes(ctx, "task")
			if err != nil {
				return tools.Result{}, err
			}
			if first != (len(notes) == 0) {
				t.Errorf("%s: %d notes, first %t", name, len(notes), first)
			}
			if first {
				first = false
				var err2 error
				ref, err2 = h.Keep(ctx, []byte("\x00bytes\xff"), "image/png")
				if err := errors.Join(err2, h.Note(ctx, "task", json.RawMessage(`{"id":7}`))); err != nil {
					return tools.Result{}, err
				}
			}
			_, err = h.Ask(ctx, tools.Question{Prompt: "?"})
			return tools.Text("kept"), err
		})
		look := hosted("look", func(ctx context.Context, h tools.Host) (tools.Result, error) {
			data, typ, err := h.Kept(ctx, ref)
			if string(data) != "\x00bytes\xff" || typ != "image/png" {
				t.Errorf("%s: %q of type %q", name, data, typ)
			}
			if _, _, e := h.Kept(ctx, "sha256:00"); !errors.Is(e, fs.ErrNotExist) {
				t.Errorf("%s: bytes that nobody kept: %v", name, e)
			}
			return tools.Text("seen"), err
		})
		s := &script{replies: []any{reply(t, "tool_use", use("a", "keep", `{}`)), reply(t, "tool_use", use("b", "look", `{}`)), reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{}, keep, look)
		in.Prompt = "go"
		res, err := a.Run(t.Context(), in)
		if !errors.Is(err, tools.ErrWaiting) {
			t.Fatalf("%s: %v", name, err)
		}
		if err := agent.Questions(res.Log)[0].Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage(`1`)}); err != nil {
			t.Fatal(err)
		}
		if res, err = a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil || res.Text != "done" {
			t.Fatalf("%s: %q, %v", name, res.Text, err)
		}
		checkValid(t, res.Log)
	}
}

// A note is JSON, and is found by its name.
func TestNotesHaveNames(t *testing.T) {
	note := hosted("note", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		if err := h.Note(ctx, "bad", json.RawMessage(`{`)); err == nil {
			t.Error("a note that is no JSON was taken")
		}
		if err := errors.Join(h.Note(ctx, "one", json.RawMessage(`1`)), h.Note(ctx, "two", json.RawMessage(`2`))); err != nil {
			return tools.Result{}, err
		}
		list, err := h.Notes(ctx, "two")
		return tools.Text(fmt.Sprintf("%s", list)), err
	})
	s := &script{replies: []any{reply(t, "tool_use", use("a", "note", `{}`)), reply(t, "end_turn", text("done"))}}
	res, err := newAgent(t, s, agent.Options{}, note).Run(t.Context(), agent.Input{Prompt: "go"})
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); err != nil || !strings.Contains(m, `"[2]"`) {
		t.Errorf("%v, %s", err, m)
	}
}

// A read-only tool may start before the response is in the log; its notes come
// behind that.
func TestHostOfACallThatStartsEarly(t *testing.T) {
	read := hosted("read", func(ctx context.Context, h tools.Host) (tools.Result, error) {
		if err := h.Note(ctx, "n", json.RawMessage(`1`)); err != nil {
			return tools.Result{}, err
		}
		notes, err := h.Notes(ctx, "n")
		return tools.Text(fmt.Sprint(len(notes), " ", tools.CallKey(ctx))), err
	})
	read.traits.ReadOnly = true
	a, _ := live(t, simulator.Script(simulator.Do(simulator.Text("let me see"), simulator.Call("read", map[string]any{})), simulator.Say("done")), agent.Options{Tools: []tools.Tool{read}})
	run, early := a.NewRun(agent.Input{Prompt: "go"}), false
	for ev, err := range run.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventResponse && ev.Step == 1 && !early {
			t.Error("the call did not start early: the test tests nothing")
		}
		early = early || ev.Type == agent.EventToolStart
	}
	res, err := run.Result()
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); err != nil || !strings.Contains(m, "1 2-toolu") {
		t.Errorf("%v, %s", err, m)
	}
}
