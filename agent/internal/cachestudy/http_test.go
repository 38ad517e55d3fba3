package cachestudy

import (
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// direct is HTTP without a network, so that it works on the time of a test.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	d.ServeHTTP(w, req)
	return w.Result(), nil
}

// A witness keeps what went over the wire.
type witness struct {
	*anthropic.Client
	exchanges []exchange
	before    func(*transport.Request) // may change a copy of what is sent; nil changes nothing
}

type exchange struct {
	at   time.Time
	req  *transport.Request
	resp *transport.Response
}

func (w *witness) Stream(ctx context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		at := time.Now()
		if w.before != nil {
			changed := *req
			w.before(&changed)
			req = &changed
		}
		for ev, err := range w.Client.Stream(ctx, req) {
			if ev.Type == transport.EventMessageStop {
				w.exchanges = append(w.exchanges, exchange{at, req, ev.Response})
			}
			if !yield(ev, err) {
				return
			}
		}
	}
}

// simulated makes the options of an agent on a simulator that goes by the test's time. Its tool
// takes the times given, by turns.
func simulated(t *testing.T, model simulator.Model, rule simulator.LookbackRule, bytes int, took ...time.Duration) (agent.Options, *witness) {
	t.Helper()
	sim := simulator.New(simulator.Options{Model: model, Lookback: rule, Now: time.Now})
	client, err := anthropic.New(anthropic.Options{BaseURL: "http://localhost", APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: &http.Client{Transport: direct{sim}}})
	if err != nil {
		t.Fatal(err)
	}
	type query struct {
		Query string `json:"query"`
		Limit int    `json:"limit,omitempty"`
	}
	n := 0
	lookup := tools.Func("lookup", "Looks something up.", func(context.Context, query) (string, error) {
		n++
		time.Sleep(took[n%len(took)])
		return strings.Repeat("x", bytes), nil
	})
	w := &witness{Client: client}
	return agent.Options{
		Client: w, Model: "claude-opus-5", System: strings.Repeat("Be thorough. ", 600), Tools: []tools.Tool{lookup},
		Limits: agent.Limits{ToolTime: -1, Time: -1, Steps: -1, Parallel: 1},
	}, w
}

func newAgent(t *testing.T, opts agent.Options) *agent.Agent {
	t.Helper()
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The study's cache and the simulator's, over HTTP, say the same of the same
// requests: which earlier request's whole prompt was read, and for how long the
// rest was written. So does the least cost.
func TestStudyAgreesWithSimulator(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	tests := []struct {
		name    string
		turns   int // of the user
		model   simulator.Loop
		took    []time.Duration // by the tool
		between time.Duration   // turns
		limit   float64
	}{
		{"40 steps", 1, simulator.Loop{Turns: 40, Parallel: 1}, []time.Duration{time.Second}, 0, 1.02},
		{"12 steps of 30 parallel calls", 1, simulator.Loop{Turns: 12, Parallel: 30}, []time.Duration{time.Second}, 0, 1.02},
		{"thinking", 3, simulator.Loop{Turns: 6, Parallel: 2, Think: true}, []time.Duration{time.Second}, time.Minute, 1.02},
		{"every 5th tool takes 6 min", 1, simulator.Loop{Turns: 30, Parallel: 1}, []time.Duration{6 * time.Minute, time.Second, time.Second, time.Second, time.Second}, 0, 1.10},
		{"every tool takes 6 min", 1, simulator.Loop{Turns: 30, Parallel: 1}, []time.Duration{6 * time.Minute}, 0, 1.10},
		{"turns 40 min apart", 8, simulator.Loop{Turns: 6, Parallel: 1}, []time.Duration{time.Second}, 40 * time.Minute, 1.10},
		{"turns 2 h apart", 4, simulator.Loop{Turns: 6, Parallel: 1}, []time.Duration{time.Second}, 2 * time.Hour, 1.10},
	}
	for _, tt := range tests {
		for rule, name := range []string{"blocks", "runs"} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					opts, w := simulated(t, tt.model, simulator.LookbackRule(rule), 4000, tt.took...)
					a := newAgent(t, opts)
					log := memory.NewLog()
					for i := range tt.turns {
						if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: fmt.Sprintf("go on %d", i)}); err != nil {
							t.Fatal(err)
						}
						time.Sleep(tt.between)
					}
					agree(t, w.exchanges, reading{runs: rule == 1}, tt.limit)
				})
			})
		}
	}
}

// agree replays the requests with the study's cache.
func agree(t *testing.T, exchanges []exchange, r reading, limit float64) {
	model, _ := models.Lookup("claude-opus-5")
	minimum := int64(model.Limits.MinCacheTokens)
	cache := studyCache{reading: r, minimum: minimum, entries: map[uint64]studyEntry{}}
	least := leastCost{price: model.Prices[0], minimum: minimum, blocks: map[uint64]studySent{}}
	seed := maphash.MakeSeed()
	prompts := map[bool]map[int64]int{true: {0: -1}, false: {0: -1}} // the request that had a prompt of that size
	var cost, bound float64
	if len(exchanges) < 10 {
		t.Fatalf("only %d requests", len(exchanges))
	}
	for n, x := range exchanges {
		list := layOut(nil, studyConfig{}, x.req.Tools, x.req.System, x.req.Messages, func(i, j int) uint64 {
			return maphash.Bytes(seed, x.req.Messages[i].Content[j].Raw())
		})
		mark(list, x.req.Breakpoints)
		mine := cache.charge(list, x.at)
		theirs := memory.Request{}
		u := x.resp.Usage
		theirs.Prompt, theirs.Read = u.PromptTokens(), u.CacheReadInputTokens
		theirs.Written1h = u.CacheCreation.Ephemeral1hInputTokens
		theirs.Written5m = u.CacheCreationInputTokens - theirs.Written1h
		from, known := prompts[true][mine.Read]
		fromTheirs, knownTheirs := prompts[false][theirs.Read]
		if from != fromTheirs || known != knownTheirs || mine.Written1h > 0 != (theirs.Written1h > 0) || mine.Written5m > 0 != (theirs.Written5m > 0) {
			t.Fatalf("request %d: the study reads request %d's prompt (%v) of %+v, the simulator request %d's (%v) of %+v", n, from, known, mine, fromTheirs, knownTheirs, theirs)
		}
		prompts[true][mine.Prompt], prompts[false][theirs.Prompt] = n, n
		cost += usd(mine, model.Prices[0])
		bound += least.add(list, x.at)
	}
	if ratio := cost / bound; ratio > limit || ratio < 1-1e-9 {
		t.Errorf("%.4f times the least cost; at most %.2f", ratio, limit)
	} else {
		t.Logf("%.4f times the least cost over %d requests", ratio, len(exchanges))
	}
}

// On models that drop the thinking of earlier turns, the first request of a turn
// still reads all up to the input of the turn before, however often the calls of
// that turn have moved the newest mark.
func TestTurnsOfModelsThatDropThinking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, w := simulated(t, simulator.Loop{Turns: 15, Parallel: 2, Think: true}, simulator.LookbackBlocks, 4000, time.Second)
		opts.Model, opts.System = "claude-sonnet-4-5", strings.Repeat("Be thorough. ", 1600)
		opts.Thinking, opts.MaxTokens = &transport.Thinking{Type: "enabled", BudgetTokens: 1024}, 4096
		a := newAgent(t, opts)
		log := memory.NewLog()
		first := []int{} // the first request of each turn
		for i := range 4 {
			first = append(first, len(w.exchanges))
			if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: fmt.Sprint("turn ", i)}); err != nil {
				t.Fatal(err)
			}
		}
		for i := 1; i < len(first); i++ {
			before, now := w.exchanges[first[i-1]].resp.Usage, w.exchanges[first[i]].resp.Usage
			if now.CacheReadInputTokens < before.PromptTokens() {
				t.Errorf("turn %d reads %d tokens, the turn before began with %d", i, now.CacheReadInputTokens, before.PromptTokens())
			}
		}
		for i := 1; i < first[1]; i++ {
			before, now := w.exchanges[i-1].resp.Usage, w.exchanges[i].resp.Usage
			if now.CacheReadInputTokens != before.PromptTokens() {
				t.Errorf("step %d reads %d tokens of %d", i+1, now.CacheReadInputTokens, before.PromptTokens())
			}
		}
	})
}
