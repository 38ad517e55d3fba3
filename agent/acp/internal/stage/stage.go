// Package stage is an agent for the tests of the protocol: what it does, the user's
// message says. The model is a simulator on this machine.
package stage

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/acp"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/todo"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A Stage is a model's service on this machine, and an agent.
type Stage struct {
	Client transport.Client
	close  func() error

	mu     sync.Mutex
	ran    map[string]int
	ended  map[string]int // calls whose context ended
	limits agent.Limits
}

// New starts a stage, whose service has these faults, one a request.
func New(faults ...simulator.Fault) (*Stage, error) {
	sim, err := simulator.Start(simulator.Options{Model: simulator.ModelFunc(model), Faults: faults})
	if err != nil {
		return nil, err
	}
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), MaxRetries: 1, MaxRestarts: 1})
	if err != nil {
		return nil, err
	}
	return &Stage{Client: c, close: sim.Close, ran: map[string]int{}, ended: map[string]int{}}, nil
}

// Close ends the service.
func (s *Stage) Close() error { return s.close() }

// Ran is how often a tool has run, and Ended how many of its calls were cancelled.
func (s *Stage) Ran(tool string) int   { return s.count(s.ran, tool, 0) }
func (s *Stage) Ended(tool string) int { return s.count(s.ended, tool, 0) }

// Limit sets the limits of later runs.
func (s *Stage) Limit(l agent.Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

func (s *Stage) count(m map[string]int, tool string, more int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	m[tool] += more
	return m[tool]
}

// Pixel is a picture of one pixel, as base64 of a PNG.
const Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

type place struct {
	City string `json:"city"`
}

func (s *Stage) own() []tools.Tool {
	return []tools.Tool{
		todo.New(),
		tools.FuncWith("book", "Books.", func(_ context.Context, in place) (string, error) {
			s.count(s.ran, "book", 1)
			return "booked " + in.City, nil
		}, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
		tools.Func("agency", "Has a city booked.", func(ctx context.Context, in place) (string, error) {
			host, _ := tools.HostOf(ctx)
			raw, err := json.Marshal(in)
			if err != nil {
				return "", err
			}
			_, err = host.CallTool(ctx, transport.ToolCall{Name: "book", Input: raw})
			return "asked for it", err
		}),
		tools.Func("which", "Asks the user.", func(ctx context.Context, _ place) (string, error) {
			host, _ := tools.HostOf(ctx)
			a, err := host.Ask(ctx, tools.Question{Kind: "user", Prompt: "Which?", Choices: []tools.Choice{{Value: json.RawMessage(`"red"`), Label: "Red"}, {Value: json.RawMessage(`"blue"`), Label: "Blue"}}})
			return string(a.Value), err
		}),
		tools.Func("name", "Asks for a name.", func(ctx context.Context, _ place) (string, error) {
			host, _ := tools.HostOf(ctx)
			a, err := host.Ask(ctx, tools.Question{Kind: "user", Prompt: "What is your name?", Schema: json.RawMessage(`{"type":"string"}`)})
			return string(a.Value), err
		}),
		tools.Func("mode", "Tells the mode.", func(ctx context.Context, _ place) (string, error) {
			return "the mode is " + tools.CallOf(ctx).Meta["mode"], nil
		}),
		tools.Func("slow", "Waits.", func(ctx context.Context, _ place) (string, error) {
			s.count(s.ran, "slow", 1)
			tools.Progress(ctx, "waiting for the end")
			<-ctx.Done()
			s.count(s.ended, "slow", 1)
			return "", ctx.Err()
		}),
		tools.Func("draw", "Draws.", func(context.Context, place) (tools.Result, error) {
			data, err := base64.StdEncoding.DecodeString(Pixel)
			if err != nil {
				return tools.Result{}, err
			}
			image, err := tools.Image{Data: data}.Block()
			return tools.Result{Content: []transport.Block{transport.Text("A dot."), image}}, err
		}),
	}
}

// Run is the agent of acp.Options.
func (s *Stage) Run(_ context.Context, v *acp.Session) (*agent.Agent, agent.Input, error) {
	list := append(s.own(), v.Files(acp.FileOptions{ReadOnly: v.Mode == "read"})...)
	list = append(list, v.Terminal(acp.TerminalOptions{})...)
	helper, err := agent.New(agent.Options{Client: s.Client, Model: "claude-haiku-4-5", Tools: s.own()})
	if err != nil {
		return nil, agent.Input{}, err
	}
	list = append(list, agent.Sub{Agent: helper, Name: "helper", Description: "Helps."})
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := agent.New(agent.Options{Client: s.Client, Model: "claude-opus-5-5", Tools: list, Limits: s.limits, Thinking: &transport.Thinking{Type: "adaptive", Display: "summarized"}})
	return a, agent.Input{}, err
}

// model does what the user's last message says.
func model(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	said, results, last, pictures := "", 0, "", 0
	for _, m := range turn.Messages {
		for _, b := range m.Content {
			switch {
			case b.ToolUseID() != "":
				results++
				last = string(b.Raw())
			case m.Role == "user" && b.Type() == "image":
				pictures++
			case m.Role == "user" && b.Type() == "text":
				said, results = m.Text(), 0
			}
		}
	}
	call := func(name string, input any) simulator.Reply {
		if results > 0 {
			return simulator.Say("Done with " + name + ": " + last)
		}
		return simulator.Do(simulator.Text("Let me see. "), simulator.Call(name, input))
	}
	oslo := place{"Oslo"}
	r := simulator.Say("You said: " + said)
	command, rest, _ := strings.Cut(said, " ")
	switch command {
	case "think":
		r = simulator.Do(simulator.Thinking("Let me think, step by step."), simulator.Text("I have thought."))
	case "agency", "book", "which", "slow", "draw", "name", "mode":
		r = call(command, oslo)
	case "twice":
		switch results {
		case 0, 1:
			r = simulator.Do(simulator.Call("book", oslo))
		default:
			r = simulator.Say("Twice.")
		}
	case "helper":
		r = call("helper", map[string]string{"task": "book"})
	case "plan":
		r = call("todo", todo.List{Items: []todo.Item{{Text: "Read", Status: todo.Completed}, {Text: "Write", Status: todo.InProgress}}})
	case "read":
		r = call("read_file", map[string]string{"path": rest})
	case "edit":
		r = call("edit_file", map[string]string{"path": rest, "old": "draft", "new": "done"})
	case "command":
		r = call("run_command", map[string]string{"command": rest})
	case "picture":
		r = simulator.Say("I see " + strings.Repeat("a picture ", pictures) + "here.")
	case "tools":
		var names []string
		for _, d := range turn.Tools {
			names = append(names, d.Name())
		}
		r = simulator.Say("I have " + strings.Join(names, ", ") + ".")
	case "cut":
		r = simulator.Say("This is where it")
		r.StopReason = "max_tokens"
	case "refuse":
		r = simulator.Do()
		r.StopReason = "refusal"
	case "fail":
		return nil, &simulator.Refusal{Status: 400, Type: "invalid_request_error", Message: "the model has had enough"}
	}
	return &r, nil
}
