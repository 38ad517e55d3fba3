package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
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

// What a response does to the thread: the service doesn't hold it behind a refusal, or
// where a call was cut; a paused turn goes on with nothing new.
func TestThreadBehindEachStop(t *testing.T) {
	call := func() simulator.Part { return simulator.Call("lookup", map[string]any{"query": "x"}) }
	tests := []struct {
		name    string
		replies []simulator.Reply
		turns   int
		want    string
	}{
		{"end_turn", []simulator.Reply{{Content: []simulator.Part{simulator.Text("a")}}, {Content: []simulator.Part{simulator.Text("b")}}}, 2, "cg"},
		{"max_tokens", []simulator.Reply{{Content: []simulator.Part{simulator.Text("a")}, StopReason: "max_tokens"}, {Content: []simulator.Part{simulator.Text("b")}}}, 2, "cg"},
		{"a refusal", []simulator.Reply{
			{Content: []simulator.Part{simulator.Text("a")}}, {Content: []simulator.Part{simulator.Text("no")}, StopReason: "refusal"}, {Content: []simulator.Part{simulator.Text("b")}},
			{Content: []simulator.Part{simulator.Text("c")}},
		}, 4, "cgcg"},
		{"text behind the last call, which the service doesn't take back", []simulator.Reply{
			{Content: []simulator.Part{call(), simulator.Text("a")}}, {Content: []simulator.Part{simulator.Text("b")}}, {Content: []simulator.Part{simulator.Text("c")}},
		}, 2, "ccg"},
		{"two steps", []simulator.Reply{{Content: []simulator.Part{call()}}, {Content: []simulator.Part{simulator.Text("b")}}, {Content: []simulator.Part{simulator.Text("c")}}}, 2, "cgg"},
		{"pause_turn", []simulator.Reply{
			{Content: []simulator.Part{simulator.Text("first")}},
			{Content: []simulator.Part{simulator.Text("a"), simulator.ServerCall("web_search", map[string]any{"query": "x"})}, StopReason: "pause_turn"},
			{Content: []simulator.Part{simulator.Text("b")}}, {Content: []simulator.Part{simulator.Text("c")}},
		}, 3, "cggg"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var logs [2]string
			for i, threads := range []string{"", "on"} {
				synctest.Test(t, func(t *testing.T) {
					w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Script(tt.replies...), Now: time.Now})}
					a := threadAgent(t, w, threads, 100, func(o *agent.Options) {
						o.Tools = append(o.Tools, tools.Server{Raw: []byte(`{"type":"web_search_20250305","name":"web_search"}`)})
					})
					log := memory.NewLog()
					for range tt.turns {
						_, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "go"})
						if stop := new(agent.StopError); err != nil && !errors.As(err, &stop) {
							t.Fatal(err)
						}
					}
					logs[i] = sameIDs(content(log))
					if kinds := w.kinds(); threads == "on" && kinds != tt.want {
						t.Errorf("%s, want %s", kinds, tt.want)
					}
				})
			}
			if logs[0] != logs[1] {
				t.Errorf("without threads\n%s\nwith\n%s", logs[0], logs[1])
			}
		})
	}
}

// A call that waits for approval is decided on in another process, which goes on with
// the thread; the call is run once.
func TestThreadOverAnApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 2}, Now: time.Now})}
		store, calls := new(memory.RAM), 0
		ask := func(o *agent.Options) {
			o.Tools = []tools.Tool{tools.Func("lookup", "Looks something up.", func(context.Context, map[string]any) (string, error) {
				calls++
				return "found", nil
			})}
			o.Gate = func(context.Context, agent.ToolRequest) agent.Decision { return agent.Decision{Permission: agent.Ask} }
		}
		in := agent.Input{Store: store, Session: "s", Prompt: "go"}
		for range 3 {
			res, err := threadAgent(t, w, "on", 0, ask).Run(t.Context(), in)
			in.Prompt = ""
			if err == nil {
				continue
			}
			for _, p := range agent.Pending(res.Log) {
				if err := p.Approve(t.Context(), res.Log); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
		}
		if kinds := w.kinds(); kinds != "cgg" || calls != 2 {
			t.Errorf("%s, %d calls", kinds, calls)
		}
	})
}

// Sub-agents have threads of their own.
func TestThreadOfASubAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
			last := turn.Messages[len(turn.Messages)-1]
			inner := strings.Contains(turn.Messages[0].Text(), "inner")
			switch {
			case len(turn.Messages) > 6:
				return &simulator.Reply{Content: []simulator.Part{simulator.Text("done")}}, nil
			case inner:
				return &simulator.Reply{Content: []simulator.Part{simulator.Call("lookup", map[string]any{"query": "x"})}}, nil
			case last.Role == transport.RoleUser:
				return &simulator.Reply{Content: []simulator.Part{simulator.Call("helper", map[string]any{"task": "inner"})}}, nil
			}
			return nil, errors.New("what now?")
		})
		w := &threadWire{sim: simulator.New(simulator.Options{Model: model, Now: time.Now})}
		helper := threadAgent(t, w, "on", 100, nil)
		a := threadAgent(t, w, "on", 100, func(o *agent.Options) {
			o.Tools = append(o.Tools, agent.Sub{Agent: helper, Name: "helper", Description: "Helps."})
		})
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
		// Each goes on from its own: no response is continued twice, nor is one refused.
		seen := map[string]bool{}
		for _, b := range w.bodies {
			if id := rawjson.GetString(rawjson.Get(b, "thread"), "previous_message_id"); id != "" {
				if seen[id] {
					t.Errorf("%s was continued twice", id)
				}
				seen[id] = true
			}
		}
		if kinds := w.kinds(); strings.Count(kinds, "c") != 4 || strings.Contains(kinds, "w") || len(kinds) != 16 {
			t.Errorf("%s", kinds)
		}
	})
}

// An error that isn't the thread's ends the run as it does without, and isn't asked again.
func TestThreadOtherErrors(t *testing.T) {
	for _, r := range []struct {
		status    int
		typ, code string
	}{{404, "not_found_error", ""}, {401, "authentication_error", ""}, {403, "permission_error", ""}, {400, "invalid_request_error", "image_dimensions_too_large"}, {413, "request_too_large", ""}} {
		synctest.Test(t, func(t *testing.T) {
			w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 5}, Now: time.Now})}
			w.instead = func(i int, _ []byte) *http.Response {
				if i == 3 {
					return refusal(r.status, r.typ, r.code)
				}
				return nil
			}
			_, err := threadAgent(t, w, "on", 100, nil).Run(t.Context(), agent.Input{Prompt: "go"})
			var e *transport.Error
			if !errors.As(err, &e) || e.Status != r.status || len(w.bodies) != 4 {
				t.Errorf("%d %s: %v after %s", r.status, r.code, err, w.kinds())
			}
		})
	}
}

// An attempt that broke before a thread was refused may have been billed, although the
// request was made again in another way and answered.
func TestThreadRefusedAfterALostAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 3}, Now: time.Now})}
		w.instead = func(i int, _ []byte) *http.Response {
			switch i {
			case 2:
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: io.NopCloser(errReader{})}
			case 3:
				return refusal(404, "not_found_error", "thread_not_found")
			}
			return nil
		}
		res, err := threadAgent(t, w, "on", 100, nil).Run(t.Context(), agent.Input{Prompt: "go"})
		if err != nil || !strings.HasPrefix(w.kinds(), "cgggc") {
			t.Fatalf("%v after %s", err, w.kinds())
		}
		if n := billOf(t, res.Log).Requests; n != len(w.bodies)-1 || !res.Cost.Incomplete {
			t.Errorf("%d requests in the bill of %d, of which one was refused; the cost is %v", n, len(w.bodies), res.Cost)
		}
	})
}

// A conversation that is written to the cache once more, as where its entry was lost, is
// in the prompt as much as one that is read: the thread goes on.
func TestThreadOfAPromptWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{}, Now: time.Now})}
		reads := regexp.MustCompile(`"cache_creation_input_tokens":(\d+),"cache_read_input_tokens":(\d+)`)
		rewritten := 0
		w.answer = func(_ []byte, resp *http.Response) {
			whole, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			whole = reads.ReplaceAllFunc(whole, func(usage []byte) []byte {
				var written, read int
				if _, err := fmt.Sscanf(string(usage), `"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d`, &written, &read); err != nil {
					t.Error(err)
				}
				rewritten += read
				return fmt.Appendf(nil, `"cache_creation_input_tokens":%d,"cache_read_input_tokens":0`, written+read)
			})
			resp.Body = io.NopCloser(bytes.NewReader(whole))
		}
		a, log := threadAgent(t, w, "on", 1000, nil), memory.NewLog()
		for turn := range 3 {
			if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: fmt.Sprint("turn ", turn)}); err != nil {
				t.Fatal(err)
			}
		}
		if kinds := w.kinds(); kinds != "cgg" || rewritten == 0 {
			t.Errorf("%s, %d tokens were written again", kinds, rewritten)
		}
	})
}

// A request that is refused with a thread and without one says nothing about threads:
// the next conversation is in one.
func TestThreadOfARequestThatIsRefusedAnyway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{}, Now: time.Now})}
		w.instead = func(i int, _ []byte) *http.Response {
			if i < 2 {
				return refusal(400, "invalid_request_error", "")
			}
			return nil
		}
		a := threadAgent(t, w, "on", 100, nil)
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err == nil {
			t.Fatal("no error")
		}
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil || w.kinds() != "cwc" {
			t.Errorf("%v after %s", err, w.kinds())
		}
	})
}

// All requests of a thread have the betas that its first one needs, though what is new
// needs none of them.
func TestThreadKeepsItsBetas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &threadWire{sim: simulator.New(simulator.Options{Model: simulator.Loop{Turns: 4}, Now: time.Now})}
		a := threadAgent(t, w, "on", 100, func(o *agent.Options) {
			o.Context.Reminder = func(_ context.Context, s agent.Status) string {
				if s.Steps > 0 {
					return ""
				}
				return "Be quick."
			}
		})
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil || strings.Trim(w.kinds(), "g") != "c" {
			t.Errorf("%v after %s", err, w.kinds())
		}
	})
}
