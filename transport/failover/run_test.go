package failover_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/failover"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/simulator"
)

const steps = 30

// TestRun is a run of 30 steps with thinking, in which the first endpoint fails at one
// of them, at each in turn, in each of the ways in which it may, and at all of them.
// The second reads the first's thinking, as clouds do, or refuses it, as other vendors
// do. Every call runs once, in order, and the answer is the same.
func TestRun(t *testing.T) {
	faults := []simulator.Fault{{Status: 529}, {Status: 500}, {Reset: true}, {Status: 529, AfterEvents: 1}}
	for _, foreign := range []bool{false, true} {
		for fail := range steps + 1 {
			if testing.Short() && fail%7 != 3 {
				continue
			}
			list := make([]simulator.Fault, fail+1)
			list[fail] = faults[fail%len(faults)]
			oneRun(t, fmt.Sprintf("at step %d, foreign %v", fail, foreign), list, foreign, "")
		}
		all := make([]simulator.Fault, 2*steps)
		for i := range all {
			all[i] = faults[i%len(faults)]
		}
		oneRun(t, fmt.Sprintf("at all steps, foreign %v", foreign), all, foreign, "")
		half := make([]simulator.Fault, 2*steps)
		for i := range half {
			if i%3 == 1 {
				half[i] = faults[i%len(faults)]
			}
		}
		oneRun(t, fmt.Sprintf("at every third, foreign %v", foreign), half, foreign, "")
		oneRun(t, fmt.Sprintf("at every third on threads, foreign %v", foreign), half, foreign, "on")
	}
}

func oneRun(t *testing.T, name string, list []simulator.Fault, foreign bool, threads string) {
	t.Helper()
	var mu sync.Mutex
	var calls []string
	model := simulator.Loop{Turns: steps, Tool: "count", Answer: "counted", Think: true}
	secret := []byte("the same for both")
	first := simulator.StartTest(t, simulator.Options{Model: model, Secret: secret, Faults: list})
	other := simulator.Options{Model: model, Secret: secret, Seed: 99}
	if foreign {
		other.Secret = []byte("another vendor's")
	}
	second := simulator.StartTest(t, other)
	dear := models.Price{Input: 1000, CacheWrite5m: 1000, CacheWrite1h: 1000, CacheRead: 1000, Output: 1000}
	client := newClient(t, failover.Options{Rest: time.Nanosecond, Endpoints: []failover.Endpoint{
		{Name: "a", Client: direct(t, first, *anthropic.AllFeatures())},
		{Name: "b", Client: direct(t, second, transport.Features{}), Prices: []models.Model{{ID: "claude-opus-5-5", Prices: []models.Price{dear}}}},
	}})
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", MaxTokens: 4000, Models: client.Models(), Thinking: &transport.Thinking{Type: "adaptive"},
		System: strings.Repeat("Count on. ", 400), Threads: threads, Limits: agent.Limits{Steps: 2 * steps},
		Tools: []tools.Tool{tools.Func("count", "Counts.", func(_ context.Context, in struct {
			Query string `json:"query"`
			Limit int    `json:"limit"`
		}) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, in.Query)
			return fmt.Sprint(len(calls)), nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	run, told := a.NewRun(agent.Input{Prompt: "Count."}), 0
	for ev := range run.Events(t.Context()) {
		if ev.Type == agent.EventStream && ev.Stream.Type == failover.EventSwitched {
			told++
		}
	}
	res, err := run.Result()
	if err != nil || res.Text != "counted" || res.Steps != steps+1 {
		t.Errorf("%s: %d steps, %q, %v", name, res.Steps, res.Text, err)
		return
	}
	if told == 0 {
		t.Errorf("%s: no event reports the switch", name)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(calls) != steps {
		t.Errorf("%s: %d calls", name, len(calls))
	}
	for i, q := range calls {
		if q != fmt.Sprintf("step %d of %d, call 1", i+1, steps) {
			t.Errorf("%s: call %d is %q", name, i, q)
			break
		}
	}
	// The bill has each answer at the prices of its endpoint.
	want, by := 0.0, map[string]int{}
	table, _ := models.Lookup("claude-opus-5-5")
	costs := func(endpoint string, u transport.Usage, at time.Time) {
		m := table
		if endpoint == "b" {
			m = models.Model{ID: "claude-opus-5-5", Prices: []models.Price{dear}}
		}
		usd, _ := m.Cost(u, at)
		want += usd
	}
	for _, rec := range res.Log.Records(0) {
		if rec.Kind == memory.KindNote && rec.Note == "interrupted" { // what had begun is billed where it began
			var note struct {
				Endpoint string `json:"whorl_endpoint"`
			}
			begun, err := transport.ParseResponse(rec.Data)
			if err = errors.Join(err, json.Unmarshal(rec.Data, &note)); err != nil || note.Endpoint == "" {
				t.Fatalf("%s: %s: %v", name, rec.Data, err)
			}
			costs(note.Endpoint, begun.Usage, rec.Time)
		}
		if rec.Kind != memory.KindResponse {
			continue
		}
		data, err := rec.AppendJSON(nil)
		var kept memory.Record
		if err == nil {
			kept, err = memory.ParseRecord(data)
		}
		if err != nil || kept.Response.Meta.Endpoint != rec.Response.Meta.Endpoint {
			t.Errorf("%s: the record doesn't keep the endpoint: %s, %v", name, data, err)
		}
		by[rec.Response.Meta.Endpoint]++
		costs(rec.Response.Meta.Endpoint, rec.Response.Usage, rec.Time)
	}
	if by["a"]+by["b"] != steps+1 || by["b"] == 0 {
		t.Errorf("%s: the log has %v", name, by)
	}
	if math.Abs(res.Cost.USD-want) > 1e-9 {
		t.Errorf("%s: the bill is %v, and should be %v", name, res.Cost, want)
	}
}
