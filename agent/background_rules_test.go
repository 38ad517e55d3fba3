package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// began is the note of a sub-agent that works in the background.
func began(child string) memory.Record {
	data, _ := json.Marshal(begunNote{Child: child, Tool: "helper", Agent: "helper"})
	return memory.Record{Kind: memory.KindNote, Note: notes.Began, Data: data}
}

// hosting is ctx as the call "a" of the run's newest response has it.
func hosting(ctx context.Context, r *Run, name string) context.Context {
	j := &job{owner: r, record: 1}
	j.call.ID, j.host.job = "a", j
	return tools.WithCall(withRun(ctx, r), tools.CallInfo{ID: "a", Key: j.key(), Name: name, Host: &j.host})
}

// A sub-agent in the background begins as a run of its own would: within its own limits,
// and with the configuration that its requests are written with. A call that is run again
// begins nothing twice, and lets nothing work that has ended.
func TestBeginInTheBackground(t *testing.T) {
	sub := Sub{Agent: made(t, Options{System: "You help.", Limits: Limits{Steps: 7}}), Name: "helper", Background: true}
	a := made(t, Options{Limits: Limits{Steps: 3}, Tools: []tools.Tool{sub}})
	of := underWay(t, a, Input{}).log
	begin := func(actions int) *Run {
		r := underWay(t, a, Input{Log: of, Actions: actions})
		if err := r.startBackground(t.Context()); err != nil {
			t.Fatal(err)
		}
		res, err := sub.Call(hosting(t.Context(), r, "helper"), json.RawMessage(`{"task":"help"}`))
		if err != nil || !strings.Contains(string(res.Content[0].Raw()), "its id is 1-a") {
			t.Fatalf("%v, %v", res.Content, err)
		}
		return r
	}
	for range 2 {
		if r := begin(1); len(r.atWork) != 0 {
			t.Error("a sub-agent works beside the one action of its caller's run")
			r.stopBackground()
		}
	}
	below, err := openChild(t.Context(), of, "/1-a")
	if err != nil {
		t.Fatal(err)
	}
	var records []memory.Record
	for _, rec := range below.Records(0) {
		records = append(records, rec)
	}
	if len(records) != 2 || records[0].Limits.Steps != 7 || !strings.Contains(string(records[0].Data), "You help.") || records[1].Message.Text() != "help" {
		t.Fatalf("it begins with %+v", records)
	}
	n := of.Len()
	r := begin(0)
	if len(r.atWork) != 1 || of.Len() != n {
		t.Errorf("%d work, and the log has %d records more", len(r.atWork), of.Len()-n)
	}
	r.stopBackground()
	if err := r.appendEnd(t.Context(), &child{begunNote: begunNote{Child: "/1-a"}}, "done", false); err != nil {
		t.Fatal(err)
	}
	if r := begin(0); len(r.atWork) != 0 {
		t.Error("one that has ended works again, and its end is told twice")
		r.stopBackground()
	}
}

// A sub-agent whose session is gone has ended, which the model is told. One that can't be
// loaded now goes on in a later run.
func TestWhoCannotGoOn(t *testing.T) {
	b := begunNote{Child: "/4-a", Tool: "helper", Agent: "helper"}
	for _, tt := range []struct {
		err  error
		told string // to the model
	}{
		{memory.ErrNoSession, "did not finish (its session is gone)"}, {memory.ErrReplaced, "did not finish (its session is gone)"},
		{memory.ErrUnavailable, ""}, {memory.ErrLocked, ""},
	} {
		r := made(t, Options{Tools: []tools.Tool{Sub{Agent: made(t, Options{}), Name: "helper", Background: true}}}).NewRun(Input{Log: talked(t, began(b.Child))})
		n := r.log.Len()
		err := r.letGoOn(t.Context(), b, nil, tt.err)
		if gone := tt.told != ""; gone != (err == nil) || gone == slices.Contains(r.log.State().Background, b.Child) || !gone && (!errors.Is(err, tt.err) || r.log.Len() != n) {
			t.Errorf("%v: %v, at work are %v", tt.err, err, r.log.State().Background)
		}
		if m := r.log.Messages(); !strings.Contains(m[len(m)-1].Text(), tt.told) {
			t.Errorf("%v: the model is told %q", tt.err, m[len(m)-1].Text())
		}
	}
}

// A fork has notes of its original's sub-agents, which are not its own: it is not told
// that they are gone.
func TestAForkHasNoBackground(t *testing.T) {
	log := talked(t, began("/4-a"))
	if _, err := log.Child("4-a", func() (*memory.Log, error) { return talked(t), nil }); err != nil {
		t.Fatal(err)
	}
	fork := log.Fork()
	if its, forks := begunOf(log, log.State()), begunOf(fork, fork.State()); len(its) != 1 || len(forks) != 0 {
		t.Errorf("in the background of the log work %v, and of its fork %v", its, forks)
	}
	r := made(t, Options{}).NewRun(Input{Log: fork})
	n := fork.Len()
	if err := r.startBackground(t.Context()); err != nil || fork.Len() != n || !Next(fork).Done() || !Next(log).Waits() {
		t.Errorf("%v; the fork has %d records more, and has to do %+v", err, fork.Len()-n, Next(fork))
	}
}

// What a sub-agent has read is in all that the tools for the background say of it, and
// what its caller has read is in what the caller tells it.
func TestLabelsOfToolsForTheBackground(t *testing.T) {
	labels := taint.Labels{Untrusted: true, Private: true}
	ended := memory.Record{Kind: memory.KindNote, Note: notes.Ended, Data: []byte(`{"child":"/4-a","how":"gone"}`)}
	tell := func(ctx context.Context) error { _, err := tellAgent(ctx, agentMessage{"4-a", "go on"}); return err }
	for _, tt := range []struct {
		name   string
		more   []memory.Record // of the caller
		works  bool
		down   bool // the caller has the labels, and the sub-agent gets them
		called func(context.Context) error
	}{
		{"look", nil, false, false, func(ctx context.Context) error { _, err := lookAtAgents(ctx, struct{}{}); return err }},
		{"look at one at work", nil, true, false, func(ctx context.Context) error { _, err := lookAtAgents(ctx, struct{}{}); return err }},
		{"wait for one that has ended", []memory.Record{ended}, false, false, func(ctx context.Context) error { _, err := waitForAgent(ctx, agentID{"4-a"}); return err }},
		{"cancel", nil, false, false, func(ctx context.Context) error { _, err := cancelAgent(ctx, agentID{"4-a"}); return err }},
		{"cancel one at work", nil, true, false, func(ctx context.Context) error { _, err := cancelAgent(ctx, agentID{"4-a"}); return err }},
		{"tell", []memory.Record{taint.Note(labels, "mail", "a")}, false, true, tell},
		{"tell one at work", []memory.Record{taint.Note(labels, "mail", "a")}, true, true, tell},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := made(t, Options{})
			log := talked(t, append([]memory.Record{began("/4-a")}, tt.more...)...)
			below, err := log.Child("4-a", func() (*memory.Log, error) {
				if tt.down {
					return talked(t), nil
				}
				return talked(t, taint.Note(labels, "mail", "a")), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			r := a.NewRun(Input{Log: log})
			if tt.works {
				c := &child{begunNote: begunNote{Child: "/4-a", Tool: "helper", Agent: "helper"}, log: below, done: make(chan struct{}), run: a.NewRun(Input{Log: below})}
				c.cancel = func() { close(c.done) }
				r.atWork = append(r.atWork, c)
			}
			if err := tt.called(withRun(t.Context(), r)); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			got := log
			if tt.down {
				got = below
			}
			if taint.Of(got) != labels {
				t.Errorf("%s: labels %v, want %v", tt.name, taint.Of(got), labels)
			}
		})
	}
}

// What a sub-agent in a log without an inbox is told lands in its run if it works, and in
// its log if it doesn't.
func TestTellWithoutAnInbox(t *testing.T) {
	for _, works := range []bool{false, true} {
		a, log := made(t, Options{}), talked(t, began("/4-a"))
		below := talked(t)
		if _, err := log.Child("4-a", func() (*memory.Log, error) { return below, nil }); err != nil {
			t.Fatal(err)
		}
		r, its := a.NewRun(Input{Log: log}), a.NewRun(Input{Log: below})
		if works {
			r.atWork = append(r.atWork, &child{begunNote: begunNote{Child: "/4-a"}, log: below, run: its})
		}
		if said, err := tellAgent(withRun(t.Context(), r), agentMessage{"4-a", "hurry"}); err != nil || said != "It is told." {
			t.Fatalf("%q, %v", said, err)
		}
		m := below.Messages()
		if landed := m[len(m)-1].Text() == "hurry"; landed == works || (len(its.steers) == 1) != works {
			t.Errorf("at work %v: the log ends with %q, the run has %d messages", works, m[len(m)-1].Text(), len(its.steers))
		}
	}
}

// What the model is told of a sub-agent's end is as long as a result may be.
func TestLengthOfAnEnd(t *testing.T) {
	for most, whole := range map[int]bool{300: false, 9000: true, -1: true} {
		r := made(t, Options{Limits: Limits{ResultBytes: most}}).NewRun(Input{Log: talked(t, began("/4-a"))})
		if err := r.appendEnd(t.Context(), &child{begunNote: begunNote{Child: "/4-a"}, text: strings.Repeat("x", 5000)}, "done", true); err != nil {
			t.Fatal(err)
		}
		m := r.log.Messages()
		if n := strings.Count(m[len(m)-1].Text(), "x"); (n >= 5000) != whole || n < 200 {
			t.Errorf("limit %d: %d of 5000 bytes are told", most, n)
		}
	}
}

// What wait_for_agent says of a sub-agent that works no more: its end, once; that it was
// canceled; or nothing, where it can go on in the next run.
func TestWaitForWhatWorksNoMore(t *testing.T) {
	overloaded := &transport.Error{Type: transport.ErrOverloaded}
	for _, tt := range []struct {
		name           string
		err            error
		over, canceled bool
		said           string
		open           bool // the call goes on in the next run
		how            string
	}{
		{"done", nil, true, false, "has ended.\n\n42", false, `"done"`},
		{"failed", errors.New("no"), true, false, "did not finish (no). So far: 42", false, `"failed"`},
		{"stopped", overloaded, false, false, "", true, ""},
		{"canceled by another call", context.Canceled, false, true, "The agent was canceled.", false, ""},
	} {
		log := talked(t, began("/4-a"))
		below, err := log.Child("4-a", func() (*memory.Log, error) { return talked(t), nil })
		if err != nil {
			t.Fatal(err)
		}
		r := made(t, Options{}).NewRun(Input{Log: log})
		c := &child{begunNote: begunNote{Child: "/4-a", Tool: "helper", Agent: "helper"}, log: below, done: make(chan struct{}), text: "42", err: tt.err, over: tt.over}
		c.canceled.Store(tt.canceled)
		close(c.done)
		r.atWork = append(r.atWork, c)
		n := log.Len()
		said, err := waitForAgent(withRun(t.Context(), r), agentID{"4-a"})
		var unfinished *unfinishedError
		if errors.As(err, &unfinished) != tt.open || !tt.open && err != nil || !strings.Contains(said, tt.said) {
			t.Errorf("%s: %q, %v", tt.name, said, err)
		}
		how := ""
		for _, rec := range log.Records(n) {
			how += string(rec.Data)
			if rec.Kind == memory.KindInput {
				t.Errorf("%s: what the call answers is a message, too: %q", tt.name, rec.Message.Text())
			}
		}
		if !strings.Contains(how, tt.how) || (how == "") != (tt.how == "") || len(r.atWork) != 0 {
			t.Errorf("%s: the log has %s, and %d work", tt.name, how, len(r.atWork))
		}
	}
}

// A call that waits for a sub-agent ends with its run.
func TestWaitEndsWithTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&child{done: make(chan struct{})}).wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// look_at_agents says what a sub-agent waits for, and not all that it has said.
func TestLookAtWhatWaits(t *testing.T) {
	below := memory.NewLog()
	long, _ := json.Marshal(strings.Repeat("x", 5000))
	err := below.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("q")},
		memory.Record{Kind: memory.KindResponse, Response: stopped(t, "tool_use", "", `{"type":"text","text":`+string(long)+`}`, aCall)})
	if err != nil {
		t.Fatal(err)
	}
	its := underWay(t, made(t, Options{}), Input{Log: below})
	ctx := hosting(t.Context(), its, "f")
	if _, err := tools.CallOf(ctx).Host.Ask(ctx, tools.Question{Prompt: "Which one?"}); !errors.Is(err, tools.ErrWaiting) {
		t.Fatal(err)
	}
	log := talked(t, began("/4-a"))
	if _, err := log.Child("4-a", func() (*memory.Log, error) {
		return below, below.Append(t.Context(), memory.Record{Kind: memory.KindStarted, Calls: []string{"a"}})
	}); err != nil {
		t.Fatal(err)
	}
	list, err := lookAtAgents(withRun(t.Context(), made(t, Options{}).NewRun(Input{Log: log})), struct{}{})
	if err != nil || len(list) != 1 || list[0].State != "waiting" || !slices.Equal(list[0].Waits, []string{"an answer to: Which one?"}) {
		t.Fatalf("%+v, %v", list, err)
	}
	if n := strings.Count(list[0].Said, "x"); n < 1000 || n > 2010 || !strings.Contains(list[0].Said, "[cut") {
		t.Errorf("%d of 5000 bytes are shown", n)
	}
}

// wait_for_agent lets a sub-agent go on that was stopped before, and gives its answer.
func TestWaitForWhatWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := replayed{{Type: transport.EventMessageStop, Response: stopped(t, "end_turn", "", `{"type":"text","text":"42"}`)}}
		sub := Sub{Agent: made(t, Options{Client: answers}), Name: "helper", Background: true}
		log := talked(t)
		r := made(t, Options{Tools: []tools.Tool{sub}}).NewRun(Input{Log: log})
		if err := r.startBackground(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := log.Append(t.Context(), began("/4-a")); err != nil {
			t.Fatal(err)
		}
		if _, err := log.Child("4-a", func() (*memory.Log, error) {
			return talked(t, memory.Record{Kind: memory.KindInput, Message: transport.UserText("go on")}), nil
		}); err != nil {
			t.Fatal(err)
		}
		if said, err := waitForAgent(withRun(t.Context(), r), agentID{"4-a"}); err != nil || !strings.HasSuffix(said, "has ended.\n\n42") || len(log.State().Background) != 0 {
			t.Errorf("%q, %v", said, err)
		}
		r.stopBackground()
	})
}

// cancel_agent stops a sub-agent, and answers once it has ended, with what it had come to.
func TestCancelWhatWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := talked(t, began("/4-a"))
		r := made(t, Options{}).NewRun(Input{Log: log})
		c := &child{begunNote: begunNote{Child: "/4-a"}, log: talked(t), done: make(chan struct{})}
		c.cancel = func() {
			time.AfterFunc(time.Second, func() {
				c.text, c.err = "half", context.Canceled
				close(c.done)
			})
		}
		r.atWork = append(r.atWork, c)
		said, err := cancelAgent(withRun(t.Context(), r), agentID{"4-a"})
		if err != nil || said != "The agent is canceled. So far: half" || !c.canceled.Load() || len(r.atWork) != 0 || len(log.State().Background) != 0 {
			t.Errorf("%q, %v; %d work", said, err, len(r.atWork))
		}
		if m := log.Messages(); m[len(m)-1].Text() != "a" {
			t.Errorf("the model is told once more: %q", m[len(m)-1].Text())
		}
	})
}
