// Package stage is an agent behind HTTP for the tests of protocols: what it does, the
// user's message says.
package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A Stage is a server with its sessions.
type Stage struct {
	Store   *memory.RAM
	Handler *serve.Handler
	URL     string
	Mux     *Mux

	mu   sync.Mutex
	hold chan struct{}
	ran  map[string]int
}

// Ran is how often a tool has run.
func (s *Stage) Ran(tool string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ran[tool]
}

// Release lets the calls of the tool "slow" go on, now and later. It is called once.
func (s *Stage) Release() { close(s.hold) }

// Listen posts a body as a user, and leaves once so many events have come.
func (s *Stage) Listen(t *testing.T, path, user, body string, events int) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User", user)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []byte
	one := make([]byte, 1)
	for n := 0; n < events; {
		if _, err := io.ReadFull(resp.Body, one); err != nil {
			t.Fatal(err)
		}
		if got = append(got, one[0]); bytes.HasSuffix(got, []byte("\n\n")) {
			n++
		}
	}
	return got
}

func (s *Stage) run(tool string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran[tool]++
}

type place struct {
	City string `json:"city"`
}

// pixel is a picture of one pixel.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// Pixel is a picture of one pixel, as base64 of a PNG.
func Pixel() string { return pixel }

// tools are the agent's own.
func (s *Stage) tools() []tools.Tool {
	return []tools.Tool{
		tools.FuncWith("get_weather", "Tells the weather.", func(_ context.Context, in place) (string, error) {
			return "20 degrees in " + in.City, nil
		}, tools.Options{Traits: tools.Traits{ReadOnly: true}}),
		tools.FuncWith("book", "Books.", func(_ context.Context, in place) (string, error) {
			s.run("book")
			return "booked " + in.City, nil
		}, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
		tools.Func("which", "Asks the user.", func(ctx context.Context, _ place) (string, error) {
			host, _ := tools.HostOf(ctx)
			a, err := host.Ask(ctx, tools.Question{Kind: "user", Prompt: "Which?", Choices: []tools.Choice{{Value: json.RawMessage(`"red"`), Label: "Red"}, {Value: json.RawMessage(`"blue"`), Label: "Blue"}}})
			return string(a.Value), err
		}),
		tools.Func("agency", "Has a city booked.", func(ctx context.Context, in place) (string, error) {
			host, _ := tools.HostOf(ctx)
			raw, err := json.Marshal(in)
			if err != nil {
				return "", err
			}
			_, err = host.CallTool(ctx, transport.ToolCall{Name: "book", Input: raw})
			return "done", err
		}),
		tools.Func("fails", "Fails.", func(context.Context, place) (string, error) {
			return "", errors.New("there is no such place")
		}),
		tools.Func("slow", "Waits.", func(ctx context.Context, _ place) (string, error) {
			s.run("slow")
			tools.Progress(ctx, "waiting")
			select {
			case <-s.hold:
				return "waited", nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}),
		tools.Raw("draw", "Draws.", json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}}}`), func(context.Context, json.RawMessage) (tools.Result, error) {
			block, err := transport.ParseBlock([]byte(`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + pixel + `"}}`))
			return tools.Result{Content: []transport.Block{transport.Text("A dot."), block}}, err
		}),
	}
}

// Model does what the user's last message says.
func Model(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	said, results := "", 0
	for _, m := range turn.Messages {
		for _, b := range m.Content {
			if b.ToolUseID() != "" || strings.HasSuffix(string(b.Type()), "_tool_result") {
				results++
			} else if m.Role == "user" && b.Type() == "text" {
				if text := m.Text(); text != "also" { // said in the middle
					said, results = text, 0
				}
			}
		}
	}
	oslo, rome := place{"Oslo"}, place{"Rome"}
	r := simulator.Say("You said: " + said)
	call := func(name string) simulator.Reply {
		if results > 0 {
			return simulator.Say("Done with " + name + ".")
		}
		return simulator.Do(simulator.Text("Let me see. "), simulator.Call(name, oslo))
	}
	task, delegated := strings.CutPrefix(said, "delegate ")
	switch {
	case delegated && results > 0:
		return reply(simulator.Say("The helper has told me."))
	case delegated && strings.HasPrefix(task, "both "):
		task = strings.TrimPrefix(task, "both ")
		return reply(simulator.Do(simulator.Text("Over to you two. "), simulator.Call("helper", map[string]string{"task": task}), simulator.Call("helper", map[string]string{"task": task})))
	case delegated:
		return reply(simulator.Do(simulator.Text("Over to you. "), simulator.Call("helper", map[string]string{"task": task})))
	}
	switch said {
	case "think":
		r = simulator.Do(simulator.Thinking("Let me think, step by step."), simulator.Text("I have thought."))
	case "parallel":
		if r = simulator.Say("Warm in both."); results == 0 {
			r = simulator.Do(simulator.Thinking("Two places."), simulator.Text("Both. "), simulator.Call("get_weather", oslo), simulator.Call("get_weather", rome))
		}
	case "steps":
		switch r = simulator.Say("Twice."); results {
		case 0:
			r = simulator.Do(simulator.Text("First. "), simulator.Call("get_weather", oslo))
		case 1:
			r = simulator.Do(simulator.Text("Then. "), simulator.Call("get_weather", rome))
		}
	case "approve":
		r = call("book")
	case "agency":
		r = call("agency")
	case "two approvals":
		if r = simulator.Say("Both done."); results == 0 {
			r = simulator.Do(simulator.Call("book", oslo), simulator.Call("book", rome))
		}
	case "ask":
		r = call("which")
	case "ask and approve":
		if r = simulator.Say("Both done."); results == 0 {
			r = simulator.Do(simulator.Call("which", oslo), simulator.Call("book", rome))
		}
	case "color":
		r = call("pick_color")
	case "fails":
		r = call("fails")
	case "slow":
		r = call("slow")
	case "draw":
		r = call("draw")
	case "helper":
		if r = simulator.Say("The helper is done."); results == 0 {
			r = simulator.Do(simulator.Call("helper", map[string]string{"task": "approve"}))
		}
	case "slowly":
		r = simulator.Say("Slow and steady wins the race, as they say: schön.")
		r.Delay, r.DeltaBytes = 20*time.Millisecond, 3
	case "think slowly":
		r = simulator.Do(simulator.Thinking("Step by step."), simulator.Text("Slow and steady wins the race, as they say."))
		r.Delay, r.DeltaBytes = 20*time.Millisecond, 3
	case "typed":
		r = simulator.Say(`{"city":"Oslo","degrees":20}`)
	case "empty":
		r = simulator.Do()
	case "long":
		r = simulator.Say(strings.Repeat("A long text, not of one piece. ", 300))
	case "cut":
		r = simulator.Say("This is where it")
		r.StopReason = "max_tokens"
	case "refuse":
		r = simulator.Do()
		r.StopReason = "refusal"
	case "fail":
		return nil, simulator.InternalError()
	case "sources":
		r = simulator.Do(simulator.ServerCall("web_search", map[string]string{"query": "goroutine"}))
		if results > 0 {
			r = simulator.Do(simulator.Text("They say: "), simulator.Cited("Goroutines are cheap.", simulator.Citation{URL: "https://pages.example/tour.md", Title: "A tour", CitedText: "Goroutines are cheap."}), simulator.Text(" So use them."))
		}
	case "blocks":
		r = simulator.Do(blocks()...)
	}
	return &r, nil
}

func reply(r simulator.Reply) (*simulator.Reply, error) { return &r, nil }

// blocks are of every type that answers were recorded with.
func blocks() []simulator.Part {
	parts := []simulator.Part{simulator.Thinking("All of them."), simulator.Redacted("secret thought"), simulator.Text("Here they are. ")}
	for _, raw := range []string{
		`{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"go"}}`,
		`{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://go.dev","title":"Go","encrypted_content":"c2VjcmV0","page_age":"a day"}]}`,
		`{"type":"server_tool_use","id":"srvtoolu_2","name":"web_fetch","input":{"url":"https://go.dev"}}`,
		`{"type":"web_fetch_tool_result","tool_use_id":"srvtoolu_2","content":{"type":"web_fetch_tool_result_error","error_code":"unavailable"}}`,
		`{"type":"server_tool_use","id":"srvtoolu_3","name":"code_execution","input":{"code":"print(1)"}}`,
		`{"type":"code_execution_tool_result","tool_use_id":"srvtoolu_3","content":{"type":"code_execution_result","stdout":"1\n","stderr":"","return_code":0,"content":[]}}`,
		`{"type":"server_tool_use","id":"srvtoolu_4","name":"bash_code_execution","input":{"command":"ls"}}`,
		`{"type":"bash_code_execution_tool_result","tool_use_id":"srvtoolu_4","content":{"type":"bash_code_execution_result","stdout":"","stderr":"","return_code":0,"content":[]}}`,
		`{"type":"server_tool_use","id":"srvtoolu_5","name":"text_editor_code_execution","input":{"command":"create","path":"a","file_text":"b"}}`,
		`{"type":"text_editor_code_execution_tool_result","tool_use_id":"srvtoolu_5","content":{"type":"text_editor_code_execution_create_result","is_file_update":false}}`,
		`{"type":"server_tool_use","id":"srvtoolu_6","name":"tool_search_tool_regex","input":{"query":"weather"}}`,
		`{"type":"tool_search_tool_result","tool_use_id":"srvtoolu_6","content":{"type":"tool_search_tool_search_result","tool_references":[{"type":"tool_reference","tool_name":"get_weather"}]}}`,
		`{"type":"server_tool_use","id":"srvtoolu_7","name":"advisor","input":{}}`,
		`{"type":"advisor_tool_result","tool_use_id":"srvtoolu_7","content":{"type":"advisor_result","text":"Plain advice."}}`,
		`{"type":"mcp_tool_use","id":"mcptoolu_1","name":"echo","input":{"text":"hi"},"server_name":"echo"}`,
		`{"type":"mcp_tool_result","tool_use_id":"mcptoolu_1","is_error":false,"content":[{"type":"text","text":"hi"}]}`,
		`{"type":"container_upload","file_id":"file_1"}`,
		`{"type":"compaction","content":"What was said before."}`,
		`{"type":"fallback","from":{"model":"claude-fable-5"},"to":{"model":"claude-opus-4-8"}}`,
		`{"type":"a_type_of_tomorrow","data":"c2VjcmV0","more":[1,2]}`,
	} {
		parts = append(parts, simulator.Raw(json.RawMessage(raw)))
	}
	return append(parts, simulator.Text("And that is all."))
}

// Options of a stage.
type Options struct {
	// Tools adds to the agent's, by the context of each run.
	Tools func(ctx context.Context, own ...tools.Tool) []tools.Tool
	// Change changes the Handler's options.
	Change func(*serve.Options)
	Faults []simulator.Fault
	// Output is the shape of answers.
	Output interface{ Format() json.RawMessage }
}

// Start starts a server. Whose a request is, the header X-User says.
func Start(t testing.TB, o Options) *Stage {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(Model), Faults: o.Faults, Foreign: true,
		Pages: fstest.MapFS{"tour.md": {Data: []byte("# A tour\n\nGoroutines are cheap.\n")}}})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), MaxRetries: 1, MaxRestarts: 2})
	if err != nil {
		t.Fatal(err)
	}
	s := &Stage{Store: new(memory.RAM), hold: make(chan struct{}), ran: map[string]int{}, Mux: new(Mux)}
	thinking := &transport.Thinking{Type: "adaptive", Display: "summarized"}
	inner, err := agent.New(agent.Options{Client: c, Model: "claude-opus-5-5", Tools: s.tools(), Thinking: thinking})
	if err != nil {
		t.Fatal(err)
	}
	helper, err := agent.New(agent.Options{Client: c, Model: "claude-opus-5-5", Thinking: thinking,
		Tools: append(s.tools(), agent.Sub{Agent: inner, Name: "helper", Description: "Helps the helper."})})
	if err != nil {
		t.Fatal(err)
	}
	options := serve.Options{
		Store: s.Store,
		Run: func(ctx context.Context, _ serve.User, _ memory.Info) (*agent.Agent, agent.Input, error) {
			list := append(s.tools(), agent.Sub{Agent: helper, Name: "helper", Description: "Helps."}, tools.WebSearch{MaxUses: 5})
			if o.Tools != nil {
				list = o.Tools(ctx, list...)
			}
			a, err := agent.New(agent.Options{Client: c, Model: "claude-opus-5-5", System: "The system prompt.", Tools: list,
				Thinking: thinking})
			return a, agent.Input{Output: o.Output}, err
		},
		User: func(r *http.Request) (serve.User, error) {
			return serve.User{ID: r.Header.Get("X-User")}, nil
		},
	}
	if o.Change != nil {
		o.Change(&options)
	}
	if s.Handler, err = serve.New(options); err != nil {
		t.Fatal(err)
	}
	s.Mux.Handle("/agent/", http.StripPrefix("/agent", s.Handler))
	server := httptest.NewServer(s.Mux)
	s.URL = server.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Handler.Close(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return s
}
