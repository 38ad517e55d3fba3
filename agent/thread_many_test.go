package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// An unsteadyGateway is HTTP without a network to a simulator. Now and then it drops
// the field thread, and it may tell nothing of what was used.
type unsteadyGateway struct {
	sim    http.Handler
	silent bool

	mu      sync.Mutex
	rng     *rand.Rand
	dropped int
	goneOn  int // requests that went on with a thread
}

var promptTokens = regexp.MustCompile(`"(input_tokens|cache_read_input_tokens|cache_creation_input_tokens)":[0-9]+`)

func (g *unsteadyGateway) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body.Close()
	if thread := rawjson.Get(body, "thread"); rawjson.GetString(thread, "type") == "continue" {
		g.mu.Lock()
		if g.goneOn++; g.rng.IntN(5) == 0 {
			g.dropped++
			body = bytes.Replace(body, append([]byte(`"thread":`), thread...), []byte(`"inference_geo":"us"`), 1)
		}
		g.mu.Unlock()
	}
	in := req.Clone(req.Context())
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	rec := httptest.NewRecorder()
	g.sim.ServeHTTP(rec, in)
	resp := rec.Result()
	if g.silent {
		whole, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(promptTokens.ReplaceAll(whole, []byte(`"$1":0`))))
	}
	return resp, nil
}

// counts is a model that looks things up twice in each turn, and says how much of the
// conversation it was sent.
var counts = simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	n := len(turn.Messages)
	r := simulator.Say(fmt.Sprint("message ", n))
	if n%6 < 4 {
		query := map[string]any{"query": fmt.Sprint("message ", n)}
		r = simulator.Do(simulator.Call("lookup", query), simulator.Call("lookup", query))
	}
	return &r, nil
})

// Many runs share a client, which may find at any time that the endpoint drops
// threads, or tells no usage: each ends with the conversation that it has without.
func TestThreadsOfManyRunsAtOnce(t *testing.T) {
	for _, silent := range []bool{false, true} {
		var want string
		for _, threads := range []string{"off", "on"} {
			goneOn, dropped := 0, 0
			for seed := range uint64(5) {
				g := &unsteadyGateway{sim: simulator.New(simulator.Options{Model: counts}), silent: silent, rng: rand.New(rand.NewPCG(seed, 3))}
				client, err := anthropic.New(anthropic.Options{BaseURL: "http://localhost", APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: &http.Client{Transport: g}, MaxRetryDelay: time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				a := threadAgent(t, nil, threads, 300, func(o *agent.Options) { o.Client = client })
				var wg sync.WaitGroup
				var logs [6]string
				for i := range logs {
					wg.Go(func() {
						log := memory.NewLog()
						for turn := range 3 {
							if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: fmt.Sprint("turn ", turn)}); err != nil {
								t.Errorf("silent %v, threads %s: %v", silent, threads, err)
								return
							}
						}
						logs[i] = sameIDs(content(log))
					})
				}
				wg.Wait()
				for _, got := range logs {
					if want == "" {
						want = got
					}
					if got != want {
						t.Fatalf("silent %v, threads %s: another conversation\n%.2000s\nwant\n%.2000s", silent, threads, got, want)
					}
				}
				goneOn, dropped = goneOn+g.goneOn, dropped+g.dropped
			}
			// Where no usage is told nobody would see a dropped thread, so there is none.
			if threads == "on" && ((goneOn > 0) == silent || !silent && dropped == 0) {
				t.Errorf("silent %v: %d requests went on with a thread, %d were dropped", silent, goneOn, dropped)
			}
			t.Logf("silent %v, threads %s: %d requests went on with a thread, %d were dropped", silent, threads, goneOn, dropped)
		}
	}
}
