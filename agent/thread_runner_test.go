package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

// inBrief is what the requests held, each in brief: its kind, as in kinds, the messages'
// blocks, and "+tools" if it had the definitions of tools.
func (w *threadWire) inBrief() string {
	var all []string
	for i, body := range w.bodies {
		var parts []string
		for message := range rawjson.Elements(rawjson.Get(body, "messages")) {
			content := rawjson.Get(message, "content")
			if len(content) > 0 && content[0] == '"' {
				parts = append(parts, rawjson.Unquote(content))
				continue
			}
			var blocks []string
			for b := range rawjson.Elements(content) {
				switch typ := rawjson.GetString(b, "type"); typ {
				case "text":
					blocks = append(blocks, rawjson.GetString(b, "text"))
				case "tool_use":
					blocks = append(blocks, "call")
				case "tool_result":
					blocks = append(blocks, "result")
				default:
					blocks = append(blocks, typ)
				}
			}
			parts = append(parts, strings.Join(blocks, "&"))
		}
		s := w.kinds()[i:i+1] + "(" + strings.Join(parts, ",") + ")"
		if rawjson.Get(body, "tools") != nil {
			s += "+tools"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// The situations of the thread tests of the Go SDK's tool runner (v2.15.0,
// betatoolrunnerthread_test.go), with what has to go over the wire in each. Those that
// have no counterpart are about values of the SDK's own types that a caller changes
// between two requests: here nobody can change what the log holds.
func TestSituationsOfTheOfficialRunner(t *testing.T) {
	call := simulator.Do(simulator.Call("weather", map[string]any{}))
	say := simulator.Say
	text := func(s string) simulator.Part { return simulator.Text(s) }
	type scene struct {
		name    string // of the official test
		replies []simulator.Reply
		want    string
		runs    int                           // of the tool
		threads string                        // "on" if empty
		change  func(*agent.Options)          // the agent
		instead func(i int) *http.Response    // answers in the simulator's place
		answer  func([]byte, *http.Response)  // changes an answer
		wire    func([]byte) []byte           // changes a body on its way
		steer   func(*testing.T, *agent.Run)  // once the first response is there
		then    func(*testing.T, *memory.Log) // between two turns, of which there are two then
		fails   func(error) bool              // how the run ends; nil for well
		check   func(*testing.T, *threadWire)
	}
	refuse := func(code string, at ...int) func(int) *http.Response {
		return func(i int) *http.Response {
			for _, n := range at {
				if i == n && code == "thread_not_found" {
					return refusal(404, "not_found_error", code)
				} else if i == n {
					return refusal(400, "invalid_request_error", code)
				}
			}
			return nil
		}
	}
	changeTools := func(t *testing.T, r *agent.Run) {
		lookup := tools.Func("lookup", "Looks up.", func(context.Context, struct{}) (string, error) { return "", nil })
		if err := r.ChangeTools(agent.ToolChange{Define: []tools.Tool{lookup}, Remove: []string{"weather"}}); err != nil {
			t.Error(err)
		}
	}
	scenes := []scene{
		{name: "FirstTurnCreatesAndLaterTurnsContinueWithTheToolResultsAlone", replies: []simulator.Reply{call, call, say("Sunny")}, runs: 2,
			want: "c(Weather?)+tools g(result) g(result)", check: func(t *testing.T, w *threadWire) {
				for i, body := range w.bodies {
					if has := rawjson.Get(body, "system") != nil; has != (i == 0) {
						t.Errorf("request %d has a system prompt: %v", i, has)
					}
				}
			}},
		{name: "DisableThread_SendsTheWholeHistory", threads: "off", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			want: "w(Weather?)+tools w(Weather?,call,result)+tools"},
		{name: "OnAClientWithoutMessageThreadsSendsTheWholeHistory", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			change: func(o *agent.Options) { o.Client = struct{ plainClient }{plainClient{o.Client}} },
			want:   "w(Weather?)+tools w(Weather?,call,result)+tools"},
		{name: "KeepsTheHelperHeaderAndTheCallersBetas", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			change: func(o *agent.Options) { o.Template.Betas = []string{"output-300k-2026-03-24"} },
			want:   "c(Weather?)+tools g(result)"},
		{name: "StopsAtMaxIterations", replies: []simulator.Reply{call, call, call}, runs: 2,
			change: func(o *agent.Options) { o.Limits.Steps = 2 },
			want:   "c(Weather?)+tools g(result)",
			fails:  func(err error) bool { limit := new(agent.LimitError); return errors.As(err, &limit) }},
		{
			name: "ResumesAPausedTurnWithNoMessages", // once the endpoint has shown that it has threads
			replies: []simulator.Reply{
				say("Sunny"), {Content: []simulator.Part{text("Searching"), simulator.ServerCall("web_search", map[string]any{"query": "x"})}, StopReason: "pause_turn"}, say("22"),
			},
			then: func(*testing.T, *memory.Log) {},
			want: "c(Weather?)+tools g(In Celsius.) g()",
		},
		{name: "ARejectedContinueIsReplayedUnderCreate", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			instead: refuse("thread_not_found", 1),
			want:    "c(Weather?)+tools g(result) c(Weather?,call,result)+tools"},
		{name: "AReplayedThreadThatIsNotFoundEitherGoesOnWithoutAThread", replies: []simulator.Reply{call, call, call, say("Sunny")}, runs: 3,
			instead: refuse("thread_not_found", 1, 3),
			want:    "c(Weather?)+tools g(result) c(Weather?,call,result)+tools g(result) w(Weather?,call,result,call,result)+tools w(Weather?,call,result,call,result,call,result)+tools"},
		{name: "AnUnsupportedRequestGoesOnWithoutAThread", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			instead: refuse("thread_unsupported_request", 0),
			want:    "c(Weather?)+tools w(Weather?)+tools w(Weather?,call,result)+tools"},
		{name: "AppendedMessagesFollowTheToolResultsOnTheContinue", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			steer: func(t *testing.T, r *agent.Run) {
				if err := r.Steer(transport.UserText("In Celsius.")); err != nil {
					t.Error(err)
				}
			},
			want: "c(Weather?)+tools g(result,In Celsius.)"},
		{name: "AnExtendedHistoryKeepsTheThread", replies: []simulator.Reply{call, say("Sunny"), say("22")}, runs: 1,
			then: func(*testing.T, *memory.Log) {},
			want: "c(Weather?)+tools g(result) g(In Celsius.)"},
		{name: "ARewrittenHistoryStartsANewThread", replies: []simulator.Reply{call, say("Sunny"), say("22")}, runs: 1,
			then: func(t *testing.T, log *memory.Log) {
				if err := log.Append(t.Context(), memory.Record{Kind: memory.KindSummary, Message: transport.UserText("The weather was asked for."), Replaces: len(log.Messages())}); err != nil {
					t.Fatal(err)
				}
			},
			want: "c(Weather?)+tools g(result) c(The weather was asked for.,In Celsius.)+tools"},
		{
			name:    "KeepsARefusedTurnInTheHistory", // the turn; what was refused is not sent back
			replies: []simulator.Reply{{Content: []simulator.Part{text("No.")}, StopReason: "refusal"}, say("Sunny")},
			then:    func(*testing.T, *memory.Log) {},
			fails:   func(err error) bool { stop := new(agent.StopError); return errors.As(err, &stop) },
			want:    "c(Weather?)+tools c(Weather?,In Celsius.)+tools",
		},
		{
			name: "AddedAndRemovedToolsTravelInTheContinues", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			change: func(o *agent.Options) { o.Template.Betas = []string{"inline-tools-2026-09-15"} },
			steer:  changeTools, want: "c(Weather?)+tools g(result,tool_addition&tool_removal)",
		},
		{ // a thread fixes its betas, so a change that nobody foresaw begins a new one
			name: "AddedAndRemovedTools, unforeseen", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			steer: changeTools, want: "c(Weather?)+tools c(Weather?,call,result,tool_addition&tool_removal)+tools",
		},
		{
			name: "SendsTheContainerOfTheReplyOnLaterTurns", replies: []simulator.Reply{call, say("Sunny")}, runs: 1,
			wire: func(body []byte) []byte { return rawjson.Drop(body, "container") }, // which the simulator doesn't have
			answer: func(body []byte, resp *http.Response) {
				raw, err := io.ReadAll(resp.Body)
				if err == nil && rawjson.GetString(rawjson.Get(body, "thread"), "type") == "create" {
					raw = bytes.Replace(raw, []byte(`"stop_reason":"tool_use"`), []byte(`"stop_reason":"tool_use","container":{"id":"container_a","expires_at":"2026-08-19T00:00:00Z"}`), 1)
				}
				resp.Body = io.NopCloser(bytes.NewReader(raw))
			},
			want: "c(Weather?)+tools g(result)", check: func(t *testing.T, w *threadWire) {
				if got := string(rawjson.Get(w.bodies[1], "container")); got != `"container_a"` || rawjson.Get(w.bodies[0], "container") != nil {
					t.Errorf("the container is %s", got)
				}
			},
		},
		{
			// What is new is sent again, as without a thread. If the service has answered it,
			// it refuses that, and the whole is sent.
			name: "AStreamThatEndsBeforeTheReplyStarts", replies: []simulator.Reply{call, say("lost"), say("Sunny")}, runs: 1,
			answer: func() func([]byte, *http.Response) {
				n := 0
				return func(_ []byte, resp *http.Response) {
					if n++; n == 2 {
						resp.Body = io.NopCloser(errReader{})
					}
				}
			}(),
			want: "c(Weather?)+tools g(result) g(result) c(Weather?,call,result)+tools",
		},
		{
			name: "ContinuesFromTheReplyToATurnThatWasSentAgainWithoutItsPartialReply", replies: []simulator.Reply{call, say("lost"), say("Sunny")}, runs: 1,
			answer: func() func([]byte, *http.Response) {
				n := 0
				return func(_ []byte, resp *http.Response) {
					if n++; n == 2 {
						raw, _ := io.ReadAll(resp.Body)
						resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(raw[:len(raw)/2]), errReader{}))
					}
				}
			}(),
			want: "c(Weather?)+tools g(result) g(result) c(Weather?,call,result)+tools",
		},
	}
	for _, sc := range scenes {
		t.Run(sc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Script(sc.replies...), Now: time.Now})}
				if sc.instead != nil {
					w.instead = func(i int, _ []byte) *http.Response { return sc.instead(i) }
				}
				w.answer, w.change = sc.answer, sc.wire
				threads, runs := sc.threads, 0
				if threads == "" {
					threads = "on"
				}
				a := threadAgent(t, w, threads, 0, func(o *agent.Options) {
					o.Tools = []tools.Tool{
						tools.Func("weather", "Says the weather.", func(context.Context, struct{}) (string, error) { runs++; return "Sunny", nil }),
						tools.Server{Raw: json.RawMessage(`{"type":"web_search_20250305","name":"web_search"}`)},
					}
					if sc.change != nil {
						sc.change(o)
					}
				})
				log := memory.NewLog()
				turn := func(prompt string) error {
					run := a.NewRun(agent.Input{Log: log, Prompt: prompt})
					for ev := range run.Events(t.Context()) {
						if ev.Type == agent.EventResponse && ev.Step == 1 && sc.steer != nil {
							sc.steer(t, run)
						}
					}
					_, err := run.Result()
					return err
				}
				err := turn("Weather?")
				if (err != nil) != (sc.fails != nil) || err != nil && !sc.fails(err) {
					t.Fatalf("the run ended with %v", err)
				}
				if sc.then != nil {
					sc.then(t, log)
					if err := turn("In Celsius."); err != nil {
						t.Fatal(err)
					}
				}
				if got := w.inBrief(); got != sc.want || runs != sc.runs {
					t.Errorf("%d runs of the tool, sent were\n%s\nwant %d and\n%s", runs, got, sc.runs, sc.want)
				}
				if sc.check != nil {
					sc.check(t, w)
				}
			})
		})
	}
}
