package agent_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
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
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A tap keeps the body of each request that goes by.
type tap struct {
	mu     sync.Mutex
	bodies [][]byte
	whole  bool // responses are asked for as one JSON object, not as a stream
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
	if t.whole {
		body = bytes.Replace(body, []byte(`"stream":true`), []byte(`"stream":false`), 1)
		req.ContentLength = int64(len(body))
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := t.next.RoundTrip(req)
	if err == nil && t.whole && !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		resp.Body.Close()
		return nil, errors.New("a stream came, though none was asked for")
	}
	return resp, err
}

// live makes an agent that talks to a simulator over HTTP.
func live(t testing.TB, model simulator.Model, opts agent.Options) (*agent.Agent, *tap) {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	wire := &tap{next: base}
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: &http.Client{Transport: wire}})
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
	run := a.NewRun(agent.Input{Prompt: "go"})
	var written, read int64
	for ev, err := range run.Events(context.Background()) {
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

// Invariant 7: what is sent is what [agent.Agent.Request] shows beforehand, and
// no text in it is the library's own.
func TestNoHiddenWords(t *testing.T) {
	a, wire := live(t, simulator.Echo{}, agent.Options{MaxTokens: 100})
	log := memory.NewLog()
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}); err != nil {
		t.Fatal(err)
	}
	shown, err := a.Request(log).StreamBody()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(t.Context(), agent.Input{Log: log}); err != nil {
		t.Fatal(err)
	}
	const want = `{"model":"claude-opus-5-5","max_tokens":100,"stream":true,"diagnostics":{"previous_message_id":null},"messages":[{"role":"user","content":[{"type":"text","text":"go"}]}]}`
	if sent := string(wire.bodies[0]); sent != string(shown.Bytes()) || withoutMarks(wire.bodies[0]) != want {
		t.Errorf("sent  %s\nshown %s\nwant, but for marks, %s", sent, shown.Bytes(), want)
	}
}

// chatter is a model that thinks, talks and calls tools at random.
func chatter(seed uint64) simulator.Model {
	rng := rand.New(rand.NewPCG(seed, 7))
	var mu sync.Mutex
	return simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
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
}

// Invariant 1: every block goes back as it came.
func TestRandomConversationsKeepEveryByte(t *testing.T) {
	for seed := range uint64(40) {
		a, wire := live(t, chatter(seed), agent.Options{Tools: []tools.Tool{lookup(10)}})
		res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
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
	}
}

// Invariant 5: what is sent doesn't depend on whether responses come as streams
// or whole, nor on whether anybody listens.
func TestOnePath(t *testing.T) {
	steps := 0
	for seed := range uint64(20) {
		talk := func(whole, listen bool) []string {
			a, wire := live(t, chatter(seed), agent.Options{Tools: []tools.Tool{lookup(10)}})
			wire.whole = whole
			if listen {
				for _, err := range a.NewRun(agent.Input{Prompt: "go"}).Events(context.Background()) {
					if err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
				}
			} else if _, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			var sent []string
			for _, body := range wire.bodies {
				sent = append(sent, list(t, withoutMarks(body), "messages"))
			}
			return sent
		}
		want := talk(false, false)
		steps += len(want)
		for name, got := range map[string][]string{"whole": talk(true, false), "listened to": talk(false, true), "whole, listened to": talk(true, true)} {
			if !slices.Equal(got, want) {
				t.Errorf("seed %d, %s: sent\n%s\nwant\n%s", seed, name, got, want)
			}
		}
	}
	if steps < 100 {
		t.Errorf("%d steps in all: the model hardly calls tools", steps)
	}
}

func TestSimulatorTakesTheNextRequestAfterAnything(t *testing.T) {
	// A run that is cut at each place in turn goes on without a refusal.
	for stop := range 12 {
		a, _ := live(t, simulator.Loop{Turns: 2, Parallel: 3, Think: true}, agent.Options{Tools: []tools.Tool{lookup(10)}})
		run := a.NewRun(agent.Input{Prompt: "go"})
		n := 0
		for ev, err := range run.Events(context.Background()) {
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
		res, err := a.Run(context.Background(), agent.Input{Log: run.Log(), Prompt: "again"})
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
		if res, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil || res.Steps != 5 {
			t.Errorf("%v", err)
		}
	}
}

// The service compares a request with the one whose response is named.
func TestDiagnosticsNameTheNewestResponse(t *testing.T) {
	a, wire := live(t, simulator.Loop{Turns: 2, Parallel: 1}, agent.Options{Tools: []tools.Tool{lookup(10)}})
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range res.Log.Records(0) {
		if r.Kind == memory.KindResponse {
			ids = append(ids, r.Response.ID)
		}
	}
	if len(ids) != len(wire.bodies) || len(ids) < 2 {
		t.Fatalf("%d responses to %d requests", len(ids), len(wire.bodies))
	}
	for i, body := range wire.bodies[1:] {
		if got := rawjson.GetString(rawjson.Get(body, "diagnostics"), "previous_message_id"); got != ids[i] {
			t.Errorf("request %d names %q, want %q", i+1, got, ids[i])
		}
	}
}
