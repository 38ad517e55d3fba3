package agent_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A tap keeps the body of each request that goes by.
type tap struct {
	mu     sync.Mutex
	bodies [][]byte
	next   http.RoundTripper
}

func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body.Close()
	t.mu.Lock()
	t.bodies = append(t.bodies, body)
	t.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(body))
	return t.next.RoundTrip(req)
}

// live makes an agent that talks to a simulator over HTTP.
func live(t testing.TB, model simulator.Model, opts agent.Options) (*agent.Agent, *tap) {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	wire := &tap{next: base}
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: "any", HTTPClient: &http.Client{Transport: wire}})
	if err != nil {
		t.Fatal(err)
	}
	opts.Client, opts.Model = client, cmp.Or(opts.Model, "claude-opus-5-5")
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return a, wire
}

type query struct {
	Query string `json:"query"`
	Limit int    `json:"limit,omitempty"`
}

func lookup(bytes int) tools.Tool {
	text := strings.Repeat("x", bytes)
	return tools.Func("lookup", "Looks something up.", func(context.Context, query) (string, error) { return text, nil })
}

// withoutMarks is a request's body without its cache_control marks.
func withoutMarks(body []byte) string {
	s := strings.ReplaceAll(string(body), `,"cache_control":{"type":"ephemeral"}`, "")
	return strings.ReplaceAll(s, `,"cache_control":{"type":"ephemeral","ttl":"1h"}`, "")
}

// list is the text between the brackets of a request's list.
func list(t testing.TB, body, name string) string {
	t.Helper()
	l := string(rawjson.Get([]byte(body), name))
	if l == "" {
		return ""
	}
	return l[1 : len(l)-1]
}

// Invariant 2: each request begins with all of the one before it, and is
// answered from the cache but for what is new.
func TestPrefixIsStableAndRead(t *testing.T) {
	a, wire := live(t, simulator.Loop{Turns: 12, Parallel: 15, Think: true}, agent.Options{
		System: strings.Repeat("Be thorough. ", 400), Tools: []tools.Tool{lookup(300)},
	})
	run := a.Run(context.Background(), "go")
	var written, read int64
	for ev, err := range run.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type == agent.EventResponse {
			u := ev.Response.Usage
			if ev.Step > 1 && u.CacheReadInputTokens < written+read {
				t.Errorf("step %d read %d tokens, of %d that were there", ev.Step, u.CacheReadInputTokens, written+read)
			}
			written, read = u.CacheCreationInputTokens, u.CacheReadInputTokens
		}
	}
	if written == 0 {
		t.Error("nothing was cached")
	}
	for i := 1; i < len(wire.bodies); i++ {
		before, now := withoutMarks(wire.bodies[i-1]), withoutMarks(wire.bodies[i])
		for _, name := range []string{"tools", "system", "messages"} {
			if b, n := list(t, before, name), list(t, now, name); !strings.HasPrefix(n, b) {
				t.Fatalf("request %d: %s do not begin with those of request %d", i+1, name, i)
			}
		}
		if n := bytes.Count(wire.bodies[i], []byte(`"cache_control"`)); n > 4 {
			t.Errorf("request %d has %d marks", i+1, n)
		}
	}
}

// Invariant 5: the transcript doesn't depend on who listens, and every block
// goes back as it came.
func TestRandomConversationsKeepEveryByte(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var mu sync.Mutex
		model := simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
			mu.Lock()
			defer mu.Unlock()
			var parts []simulator.Part
			for range rng.IntN(3) {
				parts = append(parts, simulator.Thinking(fmt.Sprintf("Thought é \"%d\" <&> \u2028", rng.Int())))
			}
			if rng.IntN(3) > 0 {
				parts = append(parts, simulator.Text(fmt.Sprintf("Text \\ \n\t 世界 %d", rng.Int())))
			}
			stop := transport.StopEndTurn
			if len(turn.Messages) < 30 && rng.IntN(12) > 0 {
				stop = transport.StopToolUse
				for range 1 + rng.IntN(4) {
					parts = append(parts, simulator.Raw([]byte(fmt.Sprintf(
						`{"type":"tool_use","id":"toolu_%d","name":"lookup","input":{"query":"<b> \u00e9 \"q\"","limit":%d},"caller":{"type":"direct"}}`,
						rng.Uint64(), 9007199254740993+rng.Int64N(1000)))))
				}
			}
			return &simulator.Reply{Content: parts, StopReason: stop}, nil
		})
		a, wire := live(t, model, agent.Options{Tools: []tools.Tool{lookup(10)}})
		res, err := a.Run(context.Background(), "go").Result()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		last := withoutMarks(wire.bodies[len(wire.bodies)-1])
		for _, r := range res.Log.Records(0) {
			if r.Kind != memory.KindResponse || r.Response == res.Response {
				continue
			}
			for _, b := range r.Response.Content {
				if !strings.Contains(last, string(b.Raw())) {
					t.Fatalf("seed %d: the last request doesn't hold %s", seed, b.Raw())
				}
			}
		}
		if !strings.Contains(last, `"messages":`) {
			t.Fatal("no messages")
		}
	}
}

func TestSimulatorTakesTheNextRequestAfterAnything(t *testing.T) {
	// A run that is cut at each place in turn goes on without a refusal.
	for stop := range 12 {
		a, _ := live(t, simulator.Loop{Turns: 2, Parallel: 3, Think: true}, agent.Options{Tools: []tools.Tool{lookup(10)}})
		run := a.Run(context.Background(), "go")
		n := 0
		for ev, err := range run.Events() {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Type == agent.EventStream && n%3 > 0 {
				continue
			}
			if n++; n > stop {
				break
			}
		}
		res, err := a.Continue(context.Background(), run.Log(), transport.UserText("again")).Result()
		if err != nil {
			t.Fatalf("stopped at event %d: %v", stop, err)
		}
		checkValid(t, res.Log)
	}
}

// What a tool marks inside its result is counted: the service takes each request.
func TestMarksInsideResults(t *testing.T) {
	for _, ttl := range []string{"", `,"ttl":"1h"`} {
		marked, err := transport.ParseBlock([]byte(`{"type":"text","text":"x","cache_control":{"type":"ephemeral"` + ttl + `}}`))
		if err != nil {
			t.Fatal(err)
		}
		times := 0
		lookup := tools.Func("lookup", "Looks something up.", func(context.Context, query) (tools.Result, error) {
			if times++; times > 2 {
				return tools.Text("y"), nil
			}
			return tools.Result{Content: []transport.Block{marked, marked}}, nil
		})
		a, _ := live(t, simulator.Loop{Turns: 4, Parallel: 1}, agent.Options{System: strings.Repeat("Be thorough. ", 300), Tools: []tools.Tool{lookup}})
		if res, err := a.Run(context.Background(), "go").Result(); err != nil || res.Steps != 5 {
			t.Errorf("%v", err)
		}
	}
}
