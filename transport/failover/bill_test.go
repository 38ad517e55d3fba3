package failover_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/failover"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/simulator"
)

// reader is a model that reads thirty pages, and sums up when it is asked to.
func reader() simulator.Model {
	var read atomic.Int64
	return simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("read")
		if strings.Contains(turn.LastUserText(), "Sum up") {
			r = simulator.Say("There was nothing on the pages so far.")
		} else if n := read.Add(1); n <= 30 {
			r = simulator.Reply{Content: []simulator.Part{simulator.Call("read", map[string]any{"query": fmt.Sprint(n)})}}
		}
		return &r, nil
	})
}

// TestBillOfSummaries reads a log again in which the second endpoint has made the
// summaries: the bill is that of the run, at the second's prices.
func TestBillOfSummaries(t *testing.T) {
	down := make([]simulator.Fault, 200)
	for i := range down {
		down[i] = simulator.Fault{Status: 529}
	}
	first := simulator.StartTest(t, simulator.Options{Faults: down})
	second := simulator.StartTest(t, simulator.Options{Model: reader()})
	dear := models.Price{Input: 1000, CacheWrite5m: 1000, CacheWrite1h: 1000, CacheRead: 1000, Output: 1000}
	client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{
		{Name: "a", Client: direct(t, first, transport.Features{})},
		{Name: "b", Client: direct(t, second, transport.Features{}), Prices: []models.Model{{ID: "claude-haiku-4-5", Prices: []models.Price{dear}}}},
	}})
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-haiku-4-5", MaxTokens: 4000, Models: client.Models(), Limits: agent.Limits{Steps: 60},
		Context: agent.ContextOptions{Compaction: &agent.Compaction{Over: 40_000, Prompt: "Sum up all of the above."}},
		Tools: []tools.Tool{tools.Func("read", "Reads.", func(_ context.Context, in struct {
			Query string `json:"query"`
		}) (string, error) {
			return fmt.Sprint(in.Query, strings.Repeat(" page", 3200)), nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	store := new(memory.RAM)
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "Read."})
	if err != nil {
		t.Fatal(err)
	}
	log, err := memory.Open(t.Context(), store, "s")
	if err != nil {
		t.Fatal(err)
	}
	summaries := 0
	for _, r := range log.Records(0) {
		if r.Kind == memory.KindSummary {
			summaries++
		}
	}
	if summaries == 0 {
		t.Fatal("nothing was summarized")
	}
	bill, err := agent.BillOf(t.Context(), log, client.Models()...)
	if err != nil || math.Abs(bill.Cost.USD-res.Cost.USD) > 1e-9 {
		t.Errorf("the bill of the log is %v, that of the run %v: %v", bill.Cost, res.Cost, err)
	}
}
