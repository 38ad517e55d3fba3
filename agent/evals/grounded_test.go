package evals_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/evals"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/anthropic/cassette"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestGrounded(t *testing.T) {
	for quote, want := range map[string]bool{"The snail is slow.": true, "The snail is fast.": false} {
		log := memory.NewLog()
		document, err := transport.ParseBlock([]byte(`{"type":"document","title":"Snails","citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain","data":"The snail is slow. It has a house."}}`))
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.ParseResponse(fmt.Appendf(nil, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5-5","content":[{"type":"text","text":"It is not fast.","citations":[{"type":"char_location","cited_text":%q,"document_index":0,"document_title":"Snails","start_char_index":0,"end_char_index":18}]}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}`, quote))
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.Message{Role: "user", Content: []transport.Block{document, transport.Text("Is it fast?")}}},
			memory.Record{Kind: memory.KindResponse, Response: response}); err != nil {
			t.Fatal(err)
		}
		if v := evals.Grounded().Do(t.Context(), &evals.Outcome{Log: log}); v.Pass != want {
			t.Errorf("%q: %+v", quote, v)
		}
	}
}

// All cases in one batch, at half the price.
func TestAtHalfPrice(t *testing.T) {
	opts := options(t, support{})
	sim := simulator.StartTest(t, simulator.Options{Model: support{}})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	_, whole := run(t, evals.Suite{Agent: opts, Live: true}, refundCase(evals.NoErrors()))
	opts.Client = c.Batcher(anthropic.BatcherOptions{Poll: time.Millisecond, Delay: time.Millisecond})
	problems, half := run(t, evals.Suite{Agent: opts, Live: true}, refundCase(evals.NoErrors()))
	if ratio := half.Bill.Cost.USD / whole.Bill.Cost.USD; problems != "" || ratio < 0.45 || ratio > 0.55 {
		t.Errorf("%v, at the full price %v: %s", half.Bill.Cost, whole.Bill.Cost, problems)
	}
}

// 200 sessions of 50 steps are forked at step 25, one after the other.
func TestManyForks(t *testing.T) {
	store := new(memory.RAM)
	steps := simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		if len(turn.Messages) >= 99 {
			r := simulator.Say("done")
			return &r, nil
		}
		r := simulator.Do(simulator.Call("find_order", map[string]any{"id": 7}))
		return &r, nil
	})
	opts := options(t, steps)
	opts.Limits = agent.Limits{Steps: 100}
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Store: store, Session: "0", Prompt: "go"}); err != nil {
		t.Fatal(err)
	}
	info, err := store.Info(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 200; i++ {
		if _, err := memory.ForkSession(t.Context(), store, "0", info.Records, fmt.Sprint(i), nil); err != nil {
			t.Fatal(err)
		}
	}
	cases, err := evals.Recorded(t.Context(), store, memory.Query{}, 50, evals.StepsAtMost(1), evals.Equals("done"))
	if err != nil || len(cases) != 200 {
		t.Fatal(len(cases), err)
	}
	start := time.Now()
	problems, report := run(t, evals.Suite{Agent: opts, Live: true}, cases...)
	t.Logf("200 forks of sessions of 50 steps: %v", time.Since(start).Round(time.Millisecond))
	if problems != "" || report.Bill.Requests != 200 {
		t.Error(problems)
	}
}

// 100 cases are replayed from cassettes.
func TestManyCassettes(t *testing.T) {
	dir := t.TempDir()
	sim := simulator.StartTest(t, simulator.Options{Model: support{}})
	tape, err := cassette.New(filepath.Join(dir, "refund.json"), cassette.Options{Record: true, Transport: toSimulator{sim.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	opts := options(t, support{})
	live := opts
	if live.Client, err = anthropic.New(anthropic.Options{APIKey: secret.New("any"), HTTPClient: tape.HTTPClient()}); err != nil {
		t.Fatal(err)
	}
	live.Approver = allow
	a, err := agent.New(live)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), refundCase().Input); err != nil {
		t.Fatal(err)
	}
	if err := tape.Save(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "refund.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []evals.Case
	for i := range 100 {
		c := refundCase(evals.NoErrors())
		c.Name = fmt.Sprint("case ", i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("case_%d.json", i)), data, 0o644); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	start := time.Now()
	problems, report := run(t, evals.Suite{Agent: opts, Cassettes: dir}, cases...)
	t.Logf("100 cases from cassettes: %v", time.Since(start).Round(time.Millisecond))
	if problems != "" || report.Bill.Requests != 300 {
		t.Error(problems)
	}
}
