package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/agenttest"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A threadWire is HTTP without a network to a simulator. It keeps what was sent, and
// may answer in the simulator's place.
type threadWire struct {
	sim    http.Handler
	bodies [][]byte
	// instead, if not nil, may answer request i, counted from 0.
	instead func(i int, body []byte) *http.Response
	// answer, if not nil, may change what the simulator answers to a body.
	answer func(body []byte, resp *http.Response)
	// change, if not nil, is what a gateway makes of a body.
	change func(body []byte) []byte
}

func (w *threadWire) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body.Close()
	w.bodies = append(w.bodies, body)
	if w.instead != nil {
		if resp := w.instead(len(w.bodies)-1, body); resp != nil {
			resp.Request = req
			return resp, nil
		}
	}
	if w.change != nil {
		body = w.change(body)
	}
	in := req.Clone(req.Context())
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	rec := httptest.NewRecorder()
	w.sim.ServeHTTP(rec, in)
	resp := rec.Result()
	if w.answer != nil {
		w.answer(body, resp)
	}
	return resp, nil
}

// An errReader is a connection that broke.
type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// kinds reports of each body whether it begins a thread, goes on with one, or is by
// itself: "c", "g" or "w".
func (w *threadWire) kinds() string {
	var s strings.Builder
	for _, b := range w.bodies {
		switch rawjson.GetString(rawjson.Get(b, "thread"), "type") {
		case "create":
			s.WriteByte('c')
		case "continue":
			s.WriteByte('g')
		default:
			s.WriteByte('w')
		}
	}
	return s.String()
}

func (w *threadWire) size() (n int) {
	for _, b := range w.bodies {
		n += len(b)
	}
	return n
}

// threadAgent makes an agent on a wire, whose tool gives results of so many bytes.
func threadAgent(t testing.TB, w *threadWire, threads string, result int, change func(*agent.Options)) *agent.Agent {
	t.Helper()
	client, err := anthropic.New(anthropic.Options{BaseURL: "http://localhost", APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: &http.Client{Transport: w}})
	if err != nil {
		t.Fatal(err)
	}
	type query struct {
		Query string `json:"query"`
		Limit int    `json:"limit,omitempty"`
	}
	text := strings.Repeat("x", result)
	opts := agent.Options{
		Client: client, Model: "claude-opus-5-5", System: strings.Repeat("Be thorough. ", 300), Threads: threads,
		Tools:  []tools.Tool{tools.Func("lookup", "Looks something up.", func(context.Context, query) (string, error) { return text, nil })},
		Limits: agent.Limits{Steps: -1, Time: -1, ToolTime: -1},
	}
	if change != nil {
		change(&opts)
	}
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func refusal(status int, typ, code string) *http.Response {
	details := ""
	if code != "" {
		details = fmt.Sprintf(`,"details":{"error_code":%q}`, code)
	}
	body := fmt.Sprintf(`{"type":"error","error":{"type":%q,"message":"no"%s}}`, typ, details)
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// content is what a log sends, in one piece.
func content(log *memory.Log) string {
	var s strings.Builder
	for _, m := range log.Messages() {
		s.Write(m.AppendJSON(nil))
		s.WriteByte('\n')
	}
	return s.String()
}

// Ids and signatures are others where an answer was lost and asked for again.
var ids = []*regexp.Regexp{regexp.MustCompile(`toolu_[A-Za-z0-9]+`), regexp.MustCompile(`"signature":"[^"]*"`)}

func sameIDs(s string) string {
	seen := map[string]string{}
	for _, re := range ids {
		s = re.ReplaceAllStringFunc(s, func(id string) string {
			if seen[id] == "" {
				seen[id] = fmt.Sprint("#", len(seen))
			}
			return seen[id]
		})
	}
	return s
}

// What is sent in a thread is what is new, and the parameters; the conversation is the
// same as without.
func TestThreadSendsWhatIsNew(t *testing.T) {
	if raceEnabled {
		t.Skip("compares sizes")
	}
	for _, tt := range []struct{ steps, result int }{{100, 5000}, {200, 5000}} {
		if testing.Short() && tt.steps > 100 {
			continue
		}
		var logs [2]string
		var sent [2]int
		for i, threads := range []string{"", "on"} {
			synctest.Test(t, func(t *testing.T) {
				w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: tt.steps}, Now: time.Now})}
				log := memory.NewLog()
				res, err := threadAgent(t, w, threads, tt.result, nil).Run(t.Context(), agent.Input{Log: log, Prompt: "go"})
				if err != nil {
					t.Fatal(err)
				}
				logs[i], sent[i] = content(log), w.size()
				if kinds := w.kinds(); threads == "on" && strings.Trim(kinds[3:], "g") != "" {
					t.Errorf("%s", kinds)
				}
				exchanges, err := agenttest.FromLog(log)
				if err != nil {
					t.Fatal(err)
				}
				agenttest.PrefixStable(t, exchanges)
				agenttest.CacheReadAtLeast(t, exchanges, 0.8)
				for n, x := range exchanges {
					told, err := x.Request.StreamBody()
					if err != nil || !bytes.Equal(told.Bytes(), w.bodies[n]) {
						t.Fatalf("request %d was\n%s\nand the log tells\n%s\n%v", n, w.bodies[n], told.Bytes(), err)
					}
					if x.Response.Meta.Sent != int64(len(w.bodies[n])) {
						t.Errorf("request %d: %d bytes sent, of %d", n, x.Response.Meta.Sent, len(w.bodies[n]))
					}
				}
				bill, err := agent.BillOf(t.Context(), log)
				if err != nil || bill.Sent != int64(w.size()) || res.Sent != bill.Sent {
					t.Errorf("the bill says that %d bytes were sent, and the result %d, of %d: %v", bill.Sent, res.Sent, w.size(), err)
				}
			})
		}
		if logs[0] != logs[1] {
			t.Error("the conversation is another one")
		}
		if fresh := len(logs[0]); float64(sent[1]) > 1.1*float64(fresh) {
			t.Errorf("%d steps: %d bytes were sent for %d new ones; without threads %d", tt.steps, sent[1], fresh, sent[0])
		}
		t.Logf("%d steps of %d bytes: %d bytes sent, without threads %d", tt.steps, tt.result, sent[1], sent[0])
	}
}

// Bytes per step are the same late as early.
func TestThreadBytesAreFlat(t *testing.T) {
	steps := 1000
	if testing.Short() {
		steps = 250
	}
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: steps}, Now: time.Now})}
		if _, err := threadAgent(t, w, "on", 1000, nil).Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{50, 200, steps - 1} {
			if got, early := len(w.bodies[n]), len(w.bodies[20]); got > early+20 {
				t.Errorf("step %d: %d bytes, step 20: %d", n, got, early)
			}
		}
	})
}

// Without being asked for, nothing goes into a thread; by itself only where the prompts
// cost no more. An endpoint that isn't known to have threads is asked for none.
func TestThreadsOnlyWhereTheyCostNothing(t *testing.T) {
	tests := []struct {
		name, threads string
		change        func(*agent.Options)
		want          string // of the last 20 requests
	}{
		{"default", "", nil, "w"},
		{"off", "off", nil, "w"},
		{"auto, insured against pauses", "auto", nil, "w"},
		{"auto, 5 minutes", "auto", func(o *agent.Options) { o.Cache.TTL = transport.TTL5m }, "g"},
		{"auto, no pauses", "auto", func(o *agent.Options) { o.Cache.Pause = time.Second }, "g"},
		{"on", "on", nil, "g"},
		{"on, an hour", "on", func(o *agent.Options) { o.Cache.TTL = transport.TTL1h }, "g"},
		{"on, no cache", "on", func(o *agent.Options) { o.Cache.Off = true }, "g"},
		{"on, told of pauses", "on", func(o *agent.Options) { o.Cache.Pause = 10 * time.Minute }, "w"},
		{"on, an unknown endpoint", "on", func(o *agent.Options) { o.Client = struct{ plainClient }{plainClient{o.Client}} }, "w"},
		{"on, with context editing", "on", func(o *agent.Options) {
			o.Template.ContextManagement = json.RawMessage(`{"edits":[{"type":"clear_tool_uses_20250919"}]}`)
		}, "w"},
		{"on, keeping all thinking", "on", func(o *agent.Options) {
			o.Template.ContextManagement = json.RawMessage(`{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}`)
		}, "g"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 40}, Now: time.Now})}
				if _, err := threadAgent(t, w, tt.threads, 1000, tt.change).Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
					t.Fatal(err)
				}
				if kinds := w.kinds(); strings.Trim(kinds[len(kinds)-20:], tt.want) != "" || len(kinds) != 41 {
					t.Errorf("%s", kinds)
				}
			})
		})
	}
	if _, err := agent.New(agent.Options{Client: plainClient{}, Model: "m", Threads: "always"}); err == nil || !strings.Contains(err.Error(), "always") {
		t.Errorf("%v", err)
	}
}

// A plainClient has no features.
type plainClient struct{ transport.Client }

func (plainClient) Features() transport.Features { return transport.Features{} }

// Both readings of which marks count are the same to an agent, over turns and with
// parallel calls: nothing is refused.
func TestThreadMarksUnderBothReadings(t *testing.T) {
	for _, counted := range []bool{false, true} {
		for _, parallel := range []int{1, 4, 12} {
			synctest.Test(t, func(t *testing.T) {
				w := &threadWire{sim: simulator.New(simulator.Options{
					Model: simulator.Loop{Turns: 8, Parallel: parallel}, Now: time.Now, Threads: simulator.ThreadOptions{CountEarlierMarks: counted},
				})}
				a, log := threadAgent(t, w, "on", 500, nil), memory.NewLog()
				for range 4 {
					if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); err != nil {
						t.Fatal(err)
					}
				}
				if kinds := w.kinds(); len(kinds) != 36 || parallel < 12 && strings.Count(kinds, "g") < 30 || parallel == 12 && strings.Count(kinds, "g") > 3 {
					t.Errorf("counted %v, %d parallel calls: %s", counted, parallel, kinds)
				}
			})
		}
	}
}

// However a thread is refused, at whichever step, the run ends as it would without
// one, with at most two requests a step, and each tool call is run once.
func TestThreadRefusedAtEachStep(t *testing.T) {
	steps := 12
	if raceEnabled { // one goroutine at a time
		steps = 4
	}
	if os.Getenv("WHORL_THREADS") != "" {
		steps = 30
	}
	refusals := []struct {
		status     int
		typ, code  string
		after      string // the kinds of the requests behind: of the conversation, and of another one with the client
		otherwise  string
		needsGoOn  bool
		streamOnly bool
	}{
		{404, "not_found_error", "thread_not_found", "cg", "g", true, false},
		{400, "invalid_request_error", "thread_already_continued", "cg", "g", true, false},
		{400, "invalid_request_error", "thread_continue_in_flight", "cg", "g", true, false},
		{400, "invalid_request_error", "thread_fingerprint_mismatch", "cg", "g", true, false},
		{400, "invalid_request_error", "thread_unsupported_request", "ww", "g", false, false},
		{400, "invalid_request_error", "", "ww", "w", false, false},
		{422, "invalid_request_error", "", "ww", "w", false, false},
	}
	want := ""
	for _, r := range refusals {
		for at := -1; at <= steps; at++ {
			if at == 0 && r.needsGoOn {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: steps, Parallel: 3}, Now: time.Now})}
				w.instead = func(i int, _ []byte) *http.Response {
					if i == at {
						return refusal(r.status, r.typ, r.code)
					}
					return nil
				}
				calls := 0
				a := threadAgent(t, w, "on", 0, func(o *agent.Options) {
					o.Tools = []tools.Tool{tools.Func("lookup", "Looks something up.", func(context.Context, map[string]any) (string, error) {
						calls++
						return fmt.Sprint("result ", calls, strings.Repeat(".", 100)), nil
					})}
					o.Limits.Parallel = 1
				})
				log := memory.NewLog()
				if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); err != nil {
					t.Fatalf("%s at %d: %v", r.code, at, err)
				}
				if want == "" {
					want = content(log)
				}
				kinds := w.kinds()
				if got := content(log); got != want || calls != 3*steps {
					t.Errorf("%d %s at %d: another conversation, or %d calls: %s", r.status, r.code, at, calls, kinds)
				}
				if at < 0 {
					return
				}
				if len(kinds) != steps+2 || !strings.HasPrefix(kinds[at+1:], r.after[:min(2, len(kinds)-at-1)]) {
					t.Errorf("%d %s at %d: %s", r.status, r.code, at, kinds)
				}
				before := len(w.bodies)
				if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
					t.Fatal(err)
				}
				if other := w.kinds()[before:]; !strings.HasSuffix(other, r.otherwise) {
					t.Errorf("%d %s at %d: another conversation of the client: %s", r.status, r.code, at, other)
				}
			})
		}
	}
}

// A run that is cancelled while its thread is refused was cancelled: the refusal is none
// of the conversation, which the next run sends whole.
func TestACancelledRunWhoseThreadIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 3}, Now: time.Now})}
		w.instead = func(i int, _ []byte) *http.Response {
			if i != 2 {
				return nil
			}
			cancel()
			return refusal(400, "invalid_request_error", "thread_already_continued")
		}
		a := threadAgent(t, w, "on", 0, nil)
		log := memory.NewLog()
		var refused *transport.Error
		if _, err := a.Run(ctx, agent.Input{Log: log, Prompt: "go"}); !errors.Is(err, context.Canceled) || errors.As(err, &refused) {
			t.Errorf("the run ended with %v", err)
		}
		if res, err := a.Run(t.Context(), agent.Input{Log: log}); err != nil || res.Steps != 4 {
			t.Errorf("the next run: %v", err)
		}
	})
}

// A gateway that drops the field answers a continue without the conversation. That is
// neither shown nor run nor in the log.
func TestThreadDroppedByAGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{}, Now: time.Now})}
		w.change = func(body []byte) []byte {
			out := []byte("{")
			for key, v := range rawjson.Members(body) {
				if key == "thread" {
					continue
				}
				if len(out) > 1 {
					out = append(out, ',')
				}
				out = append(rawjson.AppendString(out, key), ':')
				out = append(out, v...)
			}
			return append(out, '}')
		}
		a, log := threadAgent(t, w, "on", 1000, nil), memory.NewLog()
		started, spent := 0, 0.0
		for turn := range 5 {
			run := a.NewRun(agent.Input{Log: log, Prompt: fmt.Sprint("turn ", turn)})
			for ev := range run.Events(t.Context()) {
				if ev.Type == agent.EventStream && ev.Stream.Type == transport.EventMessageStart {
					started++
				}
			}
			res, err := run.Result()
			if err != nil || res.Steps != 1 {
				t.Fatalf("%v, %d steps", err, res.Steps)
			}
			spent += res.Cost.USD
		}
		if kinds := w.kinds(); kinds != "cgwwww" || started != 5 {
			t.Errorf("%s, %d answers shown", kinds, started)
		}
		s := log.State()
		for i := range s.Requests[1:] {
			if s.Requests[i+1].Prompt <= s.Requests[i].Prompt {
				t.Errorf("%+v", s.Requests)
			}
		}
		// What the lost answer cost is in the bill, and not in the conversation.
		if b, err := agent.BillOf(t.Context(), log); err != nil || b.Requests != 6 || math.Abs(b.Cost.USD-spent) > 1e-9 || len(log.Messages()) != 10 {
			t.Errorf("%d requests, $%v, the runs' $%v, %d messages", b.Requests, b.Cost.USD, spent, len(log.Messages()))
		}
	})
}

// A run in another process, or later, goes on with the thread as long as it is held.
func TestThreadGoesOnFromTheLog(t *testing.T) {
	tests := []struct {
		name   string
		rest   time.Duration
		change func(*agent.Options)
		edit   func(*testing.T, *memory.Log)
		want   string
	}{
		{"soon", time.Minute, nil, nil, "g"},
		{"late", 6 * time.Minute, func(o *agent.Options) { o.Cache.TTL = transport.TTL5m }, nil, "c"},
		{"another system prompt", time.Minute, func(o *agent.Options) { o.System += "!" }, nil, "c"},
		{"another tool", time.Minute, func(o *agent.Options) {
			o.Tools = append(o.Tools, tools.Func("more", "More.", func(context.Context, struct{}) (string, error) { return "", nil }))
		}, nil, "c"},
		{"another model", time.Minute, func(o *agent.Options) { o.Model = "claude-opus-5" }, nil, "c"},
		{"another effort", time.Minute, func(o *agent.Options) { o.Effort = "low" }, nil, "c"},
		{"another beta", time.Minute, func(o *agent.Options) { o.Template.Betas = []string{"output-300k-2026-03-24"} }, nil, "gc"}, // the log doesn't tell, the service does
		{"a summary", time.Minute, nil, func(t *testing.T, log *memory.Log) {
			if err := log.Append(t.Context(), memory.Record{Kind: memory.KindSummary, Message: transport.UserText("all of it"), Replaces: len(log.Messages())}); err != nil {
				t.Fatal(err)
			}
		}, "c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 10}, Now: time.Now})}
				store := new(memory.RAM)
				if _, err := threadAgent(t, w, "on", 1000, nil).Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"}); err != nil {
					t.Fatal(err)
				}
				if tt.edit != nil {
					log, err := memory.Open(t.Context(), store, "s")
					if err != nil {
						t.Fatal(err)
					}
					tt.edit(t, log)
				}
				time.Sleep(tt.rest)
				before := len(w.bodies)
				if _, err := threadAgent(t, w, "on", 1000, tt.change).Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "and then?"}); err != nil {
					t.Fatal(err)
				}
				if kinds := w.kinds()[before:]; !strings.HasPrefix(kinds, tt.want) || len(kinds) != 10+len(tt.want) || !strings.HasSuffix(kinds, "ggg") {
					t.Errorf("%s", kinds)
				}
			})
		})
	}
}

// Forks are independent: the first goes on, another begins a thread of its own.
func TestThreadOfForks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 3}, Now: time.Now})}
		a, log := threadAgent(t, w, "on", 1000, nil), memory.NewLog()
		if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
		before := len(w.bodies)
		for i, fork := range []*memory.Log{log.Fork(), log.Fork()} {
			if _, err := a.Run(t.Context(), agent.Input{Log: fork, Prompt: fmt.Sprint("this ", i)}); err != nil {
				t.Fatal(err)
			}
		}
		if kinds := w.kinds()[before:]; kinds != "gggg"+"gcggg" {
			t.Errorf("forks: %s", kinds)
		}
		before = len(w.bodies)
		for res, err := range a.FanOut(t.Context(), agent.Input{Log: log, Limits: agent.Limits{Parallel: 1}}, transport.UserText("one"), transport.UserText("two")) {
			if err != nil || res.Steps != 4 {
				t.Fatal(res, err)
			}
		}
		if kinds := w.kinds()[before:]; kinds != "cgggcggg" {
			t.Errorf("branches: %s", kinds)
		}
	})
}

// Where a thread is not found twice in a row, no more are begun.
func TestThreadThatIsNeverHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 10}, Now: time.Now, Threads: simulator.ThreadOptions{MaxBytes: 1}})}
		store := new(memory.RAM)
		in := agent.Input{Store: store, Session: "s", Prompt: "go"}
		if _, err := threadAgent(t, w, "on", 1000, nil).Run(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if kinds := w.kinds(); kinds != "cgcgwwwwwwwww" {
			t.Errorf("%s", kinds)
		}
		if _, err := threadAgent(t, w, "on", 1000, nil).Run(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		if kinds := w.kinds(); strings.Trim(kinds[13:], "w") != "" {
			t.Errorf("another process: %s", kinds)
		}
	})
}

// Random conversations on a wire that refuses, resets and cuts at random have the
// same log as without threads, and on a service that holds nothing for long.
func TestThreadsInRandomConversations(t *testing.T) {
	n := 200
	if testing.Short() {
		n = 60
	}
	if raceEnabled { // one goroutine at a time
		n = 15
	}
	if long := os.Getenv("WHORL_THREADS"); long != "" {
		var err error
		if n, err = strconv.Atoi(long); err != nil {
			t.Fatal(err)
		}
	}
	codes := []string{"thread_not_found", "thread_already_continued", "thread_continue_in_flight", "thread_fingerprint_mismatch", "thread_unsupported_request"}
	threaded, approved, forks := 0, 0, 0
	for seed := range n {
		var logs [2]string
		for i, threads := range []string{"", "on"} {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(uint64(seed), 1))
				faults := rand.New(rand.NewPCG(uint64(seed), 2))
				w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 1 + rng.IntN(5), Parallel: 1 + rng.IntN(4), Think: rng.IntN(2) == 0}, Now: time.Now})}
				w.instead = func(_ int, body []byte) *http.Response {
					if rawjson.Get(body, "thread") != nil && faults.IntN(6) == 0 {
						return refusal(400, "invalid_request_error", codes[faults.IntN(len(codes))])
					}
					return nil
				}
				w.answer = func(body []byte, resp *http.Response) {
					if rawjson.Get(body, "thread") != nil && faults.IntN(8) == 0 { // the service has done it, and the client isn't told
						whole, _ := io.ReadAll(resp.Body)
						resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(whole[:faults.IntN(len(whole))]), errReader{}))
					}
				}
				store := new(memory.RAM)
				asks := rng.IntN(3) == 0 // each call is approved, in between
				process := func() *agent.Agent {
					return threadAgent(t, w, threads, 300, func(o *agent.Options) {
						if asks {
							o.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
						}
					})
				}
				a := process()
				talk := func(session, prompt string) {
					in := agent.Input{Store: store, Session: session, Prompt: prompt}
					for try := 0; ; try++ {
						// It may be killed between two steps, or fail; the next process goes on.
						run, steps, kill := a.NewRun(in), 0, 1+faults.IntN(8)
						for ev := range run.Events(t.Context()) {
							if ev.Type != agent.EventStep {
								continue
							}
							if steps++; steps == kill {
								break
							}
						}
						res, err := run.Result()
						var waits *agent.ApprovalError
						switch {
						case err == nil:
							return
						case errors.As(err, &waits):
							for _, call := range agent.Pending(res.Log) {
								if err := call.Approve(t.Context(), res.Log); err != nil {
									t.Fatal(err)
								}
							}
							approved++
						case try == 60:
							t.Fatal(err)
						}
						in.Prompt = ""
						if faults.IntN(2) == 0 {
							a = process()
						}
					}
				}
				sessions := []string{"s"}
				for turn := range 1 + rng.IntN(4) {
					if rng.IntN(3) == 0 {
						a = process()
					}
					talk("s", fmt.Sprint("turn ", turn))
					if rng.IntN(3) == 0 { // both go on from the same response
						log, err := memory.Open(t.Context(), store, "s")
						if err != nil {
							t.Fatal(err)
						}
						sessions = append(sessions, fmt.Sprint("fork", turn))
						if _, err := memory.ForkSession(t.Context(), store, "s", log.Len(), sessions[len(sessions)-1], nil); err != nil {
							t.Fatal(err)
						}
						talk(sessions[len(sessions)-1], "elsewhere")
					}
					time.Sleep(time.Duration(rng.IntN(8)) * time.Minute)
				}
				for _, session := range sessions {
					log, err := memory.Open(t.Context(), store, session)
					if err != nil {
						t.Fatal(err)
					}
					logs[i] += sameIDs(content(log))
				}
				forks += len(sessions) - 1
				threaded += strings.Count(w.kinds(), "g")
			})
		}
		if logs[0] != logs[1] {
			t.Fatalf("seed %d: without threads\n%.3000s\nwith\n%.3000s", seed, logs[0], logs[1])
		}
	}
	t.Logf("%d conversations and %d forks; %d requests went on with a thread, %d waits for approval", n, forks/2, threaded, approved)
	if threaded < n || approved < n/2 || forks < n/4 {
		t.Errorf("%d requests went on with a thread in %d conversations, %d approvals, %d forks", threaded, n, approved, forks)
	}
}
