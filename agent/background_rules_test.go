package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/internal/notes"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
	"github.com/whorl-go/whorl/tools"
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
	r, end := begin(1), &child{begunNote: begunNote{Child: "/1-a"}}
	if len(r.atWork) != 0 {
		t.Error("a sub-agent works beside the one action of its caller's run")
	}
	child, err := openChild(t.Context(), of, "/1-a")
	if err != nil {
		t.Fatal(err)
	}
	records := slices.Collect(func(yield func(memory.Record) bool) {
		for _, rec := range child.Records(0) {
			if !yield(rec) {
				return
			}
		}
	})
	if len(records) != 2 || records[0].Limits.Steps != 7 || !strings.Contains(string(records[0].Data), "You help.") || records[1].Message.Text() != "help" {
		t.Fatalf("it begins with %+v", records)
	}
	n := of.Len()
	if r := begin(0); len(r.atWork) != 1 || of.Len() != n {
		t.Errorf("%d work, and the log has %d records more", len(r.atWork), of.Len()-n)
	} else {
		r.stopBackground()
	}
	if err := r.appendEnd(t.Context(), end, "done", false); err != nil {
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
	}
}
