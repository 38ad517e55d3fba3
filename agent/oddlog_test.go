package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// Invariant 3: streams as no model writes them, in any order and with any indexes,
// leave no log that the service would refuse, whatever else happens to it.
func FuzzOddStreamsInALog(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { talkOddly(t, seed) })
}

func TestRandomOddStreamsInALog(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 600
	}
	if raceEnabled { // one goroutine at a time, mostly
		n = 100
	}
	var sum oddTalk
	for seed := range uint64(n) {
		s := talkOddly(t, seed)
		sum.requests += s.requests
		sum.answers += s.answers
		sum.calls += s.calls
		sum.broken += s.broken
		if t.Failed() {
			return
		}
	}
	if sum.requests < 5*n || sum.answers < 2*n || sum.calls < n/2 || sum.broken < n/2 {
		t.Errorf("%+v in %d conversations: too little to tell", sum, n)
	}
}

// An oddTalk counts what happened in conversations.
type oddTalk struct{ requests, answers, calls, broken int }

// An oddWire asks a strict simulator about each request, and answers with an odd
// stream in its place.
type oddWire struct {
	mu      sync.Mutex // for rng and the counts: a call may start early
	sim     http.Handler
	rng     *rand.Rand
	last    []byte // body
	refused string
	oddTalk
}

func (w *oddWire) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body.Close()
	in := req.Clone(req.Context())
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	rec := httptest.NewRecorder()
	w.sim.ServeHTTP(rec, in)
	w.requests++
	w.last = body
	resp := rec.Result()
	if resp.StatusCode != http.StatusOK {
		w.refused = rec.Body.String()
		return resp, nil
	}
	resp.ContentLength = -1
	resp.Header.Del("Content-Length")
	w.mu.Lock()
	defer w.mu.Unlock()
	resp.Body = io.NopCloser(strings.NewReader(oddEvents(w.rng)))
	return resp, nil
}

// oddEvents is a stream of events that are each well formed, mostly.
func oddEvents(rng *rand.Rand) string {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	index := func() string {
		return pick(`"index":0`, `"index":0`, `"index":0`, `"index":1`, `"index":1`, `"index":2`, `"index":"1"`, `"index":-1`, `"index":null`, `"x":1`, `"index":1.0`)
	}
	id := func() string { return fmt.Sprint("toolu_", rng.IntN(6)) }
	begin := `{"type":"message_start","message":{"id":"` + pick("msg_1", "msg_2", "") + `","type":"message","role":"assistant","model":"claude-opus-5-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":1}}}`
	events := []string{begin}
	calm := rng.IntN(3) > 0 // blocks one behind the other, each whole
	if calm {
		index = func() string { return `"x":0` }
	}
	n := rng.IntN(12)
	if calm {
		n = 1 + rng.IntN(4)
	}
	for range n {
		kind := rng.IntN(8)
		if calm && kind > 2 && kind != 7 {
			kind = 0
		}
		switch kind {
		case 0, 1, 2:
			events = append(events, `{"type":"content_block_start",`+index()+`,"content_block":`+pick(
				`{"type":"text","text":""}`, `{"type":"text","text":"\n "}`, `{"type":"text","text":"a","citations":null}`,
				`{"type":"thinking","thinking":"","signature":""}`, `{"type":"thinking","thinking":"hm","signature":"c2ln"}`, `{"type":"redacted_thinking","data":"ZA=="}`,
				`{"type":"tool_use","id":"`+id()+`","name":"f","input":{}}`, `{"type":"tool_use","id":"`+id()+`","name":"g","input":{"q":1}}`,
				`{"type":"tool_use","id":"`+id()+`","name":"again","input":{}}`,
				`{"type":"tool_use","id":null,"name":"f","input":null}`, `{"type":"tool_use","id":"`+id()+`","name":"no.such tool","input":[]}`,
				`{"type":"tool_use","name":"g"}`, `{"type":"tool_use","id":"`+id()+`"}`,
				`{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}`, `{"type":"server_tool_use","id":"srvtoolu_2","name":"web_search","input":{"query":"q"}}`,
				`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}`, `{"text":""}`, `null`)+`}`)
			if calm && strings.Contains(events[len(events)-1], `"content_block":{"type"`) {
				events = append(events, `{"type":"content_block_stop",`+index()+`}`)
			}
		case 3, 4, 5:
			events = append(events, `{"type":"content_block_delta",`+index()+`,"delta":`+pick(
				`{"type":"text_delta","text":"a\ud83d"}`, `{"type":"text_delta","text":"b"}`, `{"type":"text_delta","text":""}`, `{"type":"thinking_delta","thinking":"b"}`, `{"type":"signature_delta","signature":"c2ln"}`,
				`{"type":"input_json_delta","partial_json":"{\"q\""}`, `{"type":"input_json_delta","partial_json":":1}"}`, `{"type":"input_json_delta","partial_json":"[]"}`, `{"type":"input_json_delta","partial_json":""}`,
				`{"type":"new_delta","y":1}`, `{}`, `null`)+`}`)
		case 6:
			events = append(events, `{"type":"content_block_stop",`+index()+`}`)
		default:
			events = append(events, pick(`{"type":"ping"}`, `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":-1}}`, begin, `{"type":"new"}`, `{"type":"error","error":{"type":"overloaded_error","message":"no"}}`))
			if calm {
				events = events[:len(events)-1]
			}
		}
	}
	if calm || rng.IntN(6) > 0 {
		events = append(events, `{"type":"message_delta","delta":{"stop_reason":"`+pick("tool_use", "tool_use", "end_turn", "pause_turn", "max_tokens", "refusal", "model_context_window_exceeded", "odd")+`"},"usage":{"output_tokens":2}}`, `{"type":"message_stop"}`)
	}
	var s strings.Builder
	for _, e := range events {
		var v struct{ Type string }
		_ = json.Unmarshal([]byte(e), &v)
		fmt.Fprintf(&s, "event: %s\ndata: %s\n\n", v.Type, e)
	}
	return s.String()
}

// talkOddly has a conversation of several runs, some of them stopped, in a store that
// is opened again, and forked, and fails the test at the first request that is refused,
// by the service or by the client.
func talkOddly(t *testing.T, seed uint64) (talk oddTalk) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(seed, 5))
		w := &oddWire{sim: simulator.New(simulator.Options{Foreign: true, Now: time.Now}), rng: rng}
		client, err := anthropic.New(anthropic.Options{BaseURL: "http://localhost", APIKey: secret.New("any"), Features: anthropic.AllFeatures(), MaxRetries: -1, MaxRestarts: -1, HTTPClient: &http.Client{Transport: w}})
		if err != nil {
			t.Fatal(err)
		}
		tool := func(name string, traits tools.Traits) fake {
			return fake{name: name, traits: traits, call: func(ctx context.Context, in json.RawMessage) (tools.Result, error) {
				w.mu.Lock()
				w.calls++
				fate := rng.IntN(8)
				w.mu.Unlock()
				switch fate {
				case 0:
					return tools.Result{}, errors.New("no")
				case 1:
					<-ctx.Done()
					return tools.Result{}, ctx.Err()
				}
				return tools.Text(string(in)), nil
			}}
		}
		a, err := agent.New(agent.Options{
			Client: client, Model: "claude-opus-5-5", Thinking: &transport.Thinking{Type: "adaptive"}, Limits: agent.Limits{Parallel: 1, Steps: 6, ToolTime: time.Second},
			Tools: []tools.Tool{tool("f", tools.Traits{ReadOnly: true}), tool("g", tools.Traits{}), tool("again", tools.Traits{Repeatable: true}), tools.WebSearch{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		store := new(memory.RAM)
		in := agent.Input{Store: store, Session: "s"}
		for round := range 8 {
			if in.Prompt = ""; round == 0 || rng.IntN(2) == 0 {
				in.Prompt = fmt.Sprint("go ", round)
			}
			in.Actions = rng.IntN(4) // 0 for all
			run := a.NewRun(in)
			ctx, cancel := context.WithCancel(t.Context())
			n, stop, breaks := 0, rng.IntN(60), rng.IntN(2) == 0
			for ev, err := range run.Events(ctx) {
				if re := (*transport.RequestError)(nil); errors.As(err, &re) {
					t.Fatalf("seed %d, round %d: the client refuses a request of the log: %v", seed, round, err)
				}
				if err != nil {
					w.broken++
				} else if ev.Type == agent.EventResponse {
					w.answers++
				}
				if w.refused != "" {
					t.Fatalf("seed %d, round %d: the log has a request that is refused: %s\n%s", seed, round, w.refused, w.last)
				}
				if n++; n == stop {
					if breaks {
						break
					}
					cancel()
				}
			}
			cancel()
			if rng.IntN(5) == 0 {
				log, err := memory.Open(t.Context(), store, "s")
				if err != nil {
					t.Fatal(err)
				}
				in.Store, in.Session, in.Log = nil, "", log.Fork()
			}
			if in.Log != nil {
				in.Log = run.Log()
			}
		}
		talk = w.oddTalk
	})
	return talk
}
