package script_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/script"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func client(t *testing.T, m simulator.Model) transport.Client {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: m})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// oneProgram is a model that runs a program and says what it printed.
func oneProgram(code string) simulator.Model {
	return simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		last := turn.Messages[len(turn.Messages)-1]
		for _, b := range last.Content {
			if b.ToolUseID() != "" {
				r := simulator.Say(string(b.Raw()))
				return &r, nil
			}
		}
		r := simulator.Do(simulator.Call("script", map[string]any{"code": code}))
		return &r, nil
	})
}

var errKilled = errors.New("killed")

// A dying store refuses all appends from the n-th on, as a killed process would.
type dying struct {
	memory.Store
	mu   sync.Mutex
	left int
}

func (d *dying) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	d.mu.Lock()
	d.left--
	dead := d.left < 0
	d.mu.Unlock()
	if dead {
		return errKilled
	}
	return d.Store.Append(ctx, id, at, records...)
}

// world is what the tools act on, which outlives the processes.
type world struct {
	mu   sync.Mutex
	runs map[string]int
}

func (w *world) did(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs[what]++
	return w.runs[what]
}

type in struct {
	ID string `json:"id"`
}

func (w *world) tools() []tools.Tool {
	return []tools.Tool{
		tools.FuncWith("read", "Reads.", func(_ context.Context, in in) (string, error) {
			w.did("read " + in.ID)
			return "text of " + in.ID, nil
		}, tools.Options{Traits: tools.Traits{Repeatable: true, ReadOnly: true}}),
		tools.Func("fails", "Fails.", func(_ context.Context, in in) (string, error) {
			w.did("fails " + in.ID)
			return "", errors.New("out of order")
		}),
		tools.FuncWith("send", "Sends.", func(_ context.Context, in in) (string, error) {
			w.did("send " + in.ID)
			return "sent " + in.ID, nil
		}, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
		tools.Func("write", "Writes.", func(_ context.Context, in in) (string, error) {
			w.did("write " + in.ID)
			return "wrote " + in.ID, nil
		}),
	}
}

const everything = `
a = read(id="a")
b = attempt(fails, id="b")
c = attempt(send, id="c")
d = ask("Which one?", choices=["left", "right"])
e = gather([call(write, id=x) for x in ["e1", "e2", "e3"]], attempt=True)
print("%s|%s|%s|%s|%s" % (a, b["error"], c["value"] or c["error"], d, " ".join([x["value"] or "unknown" for x in e])))
`

// process runs the session on until it ends or waits, and answers what it waits for.
func process(t *testing.T, c transport.Client, w *world, store memory.Store, base memory.Store) (*agent.Result, error) {
	t.Helper()
	a, err := agent.New(agent.Options{Client: c, Model: "claude-opus-5-5", Tools: []tools.Tool{script.New(script.Options{Tools: w.tools()})}})
	if err != nil {
		t.Fatal(err)
	}
	in := agent.Input{Store: store, Session: "s"}
	if info, err := base.Info(t.Context(), "s"); err != nil || info.Records == 0 {
		in.Prompt = "go"
	}
	res, err := a.Run(t.Context(), in)
	if !errors.Is(err, tools.ErrWaiting) {
		return res, err
	}
	log, openErr := memory.Open(t.Context(), base, "s")
	if openErr != nil {
		t.Fatal(openErr)
	}
	for _, q := range agent.Questions(log) {
		value := q.Question.Choices[len(q.Question.Choices)-1].Value
		if q.Question.Kind == "approval" {
			value = json.RawMessage(`"allow"`)
		}
		if err := q.Answer(t.Context(), log, tools.Answer{Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	return res, err
}

// A program with an approval, a question, a failing tool and parallel calls is killed
// at every append. It goes on in another process, and nothing with an effect runs
// twice.
func TestKilledAtEveryAppend(t *testing.T) {
	want := "text of a|out of order|sent c|right|wrote e1 wrote e2 wrote e3"
	c := client(t, oneProgram(everything))
	kills := 0
	for n := 1; ; n++ {
		base, w := new(memory.RAM), &world{runs: make(map[string]int)}
		store := &dying{Store: base, left: n}
		killed := false
		var res *agent.Result
		for processes := 0; ; processes++ {
			if processes > 20 {
				t.Fatalf("killed at append %d: it doesn't end", n)
			}
			var err error
			if res, err = process(t, c, w, store, base); err == nil {
				break
			}
			if errors.Is(err, errKilled) {
				killed, store = true, &dying{Store: base, left: 1 << 30}
			} else if !errors.Is(err, tools.ErrWaiting) {
				t.Fatalf("killed at append %d: %v", n, err)
			}
		}
		for what, runs := range w.runs {
			if runs > 1 && !strings.HasPrefix(what, "read") {
				t.Errorf("killed at append %d: %q ran %d times", n, what, runs)
			}
		}
		for _, what := range []string{"read a", "fails b", "send c", "write e1", "write e2", "write e3"} {
			if w.runs[what] == 0 && !strings.Contains(res.Text, "unknown") {
				t.Errorf("killed at append %d: %q never ran, and the program is not told: %s", n, what, res.Text)
			}
		}
		if !killed {
			if !strings.Contains(res.Text, want) {
				t.Errorf("%s", res.Text)
			}
			break
		}
		kills++
		if !strings.Contains(res.Text, "text of a|") || !strings.Contains(res.Text, "|right|") {
			t.Errorf("killed at append %d: %s", n, res.Text)
		}
	}
	if kills < 20 {
		t.Errorf("only %d kills", kills)
	}
	t.Logf("killed at %d appends", kills)
}

// A program whose way depends on what the log doesn't hold is refused where it parts.
func TestAnotherWayIsRefused(t *testing.T) {
	base, w := new(memory.RAM), &world{runs: make(map[string]int)}
	code := "if now(id='') == '1':\n  write(id='a')\nelse:\n  write(id='b')\nask('go on?', choices=['yes'])"
	now := tools.Func("now", "Tells the time.", func(context.Context, in) (string, error) { return "", nil })
	clock := 0
	c := client(t, oneProgram(code))
	for i := range 2 {
		a, err := agent.New(agent.Options{Client: c, Model: "claude-opus-5-5", Tools: []tools.Tool{forgetful{script.New(script.Options{Tools: append(w.tools(), now)}), &clock}}})
		if err != nil {
			t.Fatal(err)
		}
		in := agent.Input{Store: base, Session: "s"}
		if i == 0 {
			in.Prompt = "go"
		}
		res, err := a.Run(t.Context(), in)
		if i == 0 {
			if !errors.Is(err, tools.ErrWaiting) {
				t.Fatal(err)
			}
			q := agent.Questions(res.Log)[0]
			if err := q.Answer(t.Context(), res.Log, tools.Answer{Value: json.RawMessage(`"yes"`)}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err != nil || !strings.Contains(res.Text, "line 4, column 8: the program took another way than before it was interrupted") || w.runs["write b"] != 0 || w.runs["write a"] != 1 {
			t.Errorf("%v, %v: %s", err, w.runs, res.Text)
		}
	}
}

// forgetful is a script tool whose calls of now are not in the log.
type forgetful struct {
	*script.Tool
	clock *int
}

func (f forgetful) Call(ctx context.Context, input json.RawMessage) (tools.Result, error) {
	info := tools.CallOf(ctx)
	info.Host = forgetfulHost{info.Host, f.clock}
	return f.Tool.Call(tools.WithCall(ctx, info), input)
}

type forgetfulHost struct {
	tools.Host
	clock *int
}

func (h forgetfulHost) CallTool(ctx context.Context, c transport.ToolCall) (tools.Result, error) {
	if c.Name == "now" {
		*h.clock++
		return tools.Text(fmt.Sprint(*h.clock)), nil
	}
	return h.Host.CallTool(ctx, c)
}

// The gate and the limits judge the calls of a program as the model's.
func TestTheGateJudgesInnerCalls(t *testing.T) {
	w := &world{runs: make(map[string]int)}
	var asked []string
	a, err := agent.New(agent.Options{
		Client: client(t, oneProgram("print(attempt(write, id='x')['error'])\nread(nothing=1)")), Model: "claude-opus-5-5",
		Tools: []tools.Tool{script.New(script.Options{Tools: w.tools()})},
		Gate: func(_ context.Context, r agent.ToolRequest) agent.Decision {
			asked = append(asked, r.Call.Name)
			if r.Call.Name == "write" {
				return agent.Decision{Permission: agent.Deny, Reason: "not today"}
			}
			return agent.Decision{}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil || w.runs["write x"] != 0 || !strings.Contains(res.Text, "not today") || !strings.Contains(res.Text, "line 2, column 5: read: ") || !strings.Contains(res.Text, "id") || fmt.Sprint(asked) != "[script write read]" {
		t.Errorf("%v, asked %v: %s", err, asked, res.Text)
	}
}

// Forty tools and sixty calls: with a program the prompt has no forty schemas, and the
// conversation no sixty results.
func TestSixtyCallsOfFortyTools(t *testing.T) {
	type query struct {
		City  string   `json:"city" jsonschema_description:"Name of the town, in its own language"`
		From  string   `json:"from,omitempty" jsonschema_description:"First day, as 2026-11-28"`
		Until string   `json:"until,omitempty" jsonschema_description:"Last day, as 2026-11-28"`
		Unit  string   `json:"unit,omitempty" jsonschema:"enum=metric,enum=imperial"`
		Parts []string `json:"parts,omitempty" jsonschema_description:"Parts of the answer to leave out"`
	}
	result := `{"values":[` + strings.Repeat(`{"day":"2026-11-28","value":12.5,"sure":0.93},`, 40) + `{}],"sum":7}`
	var list []tools.Tool
	for i := range 40 {
		list = append(list, tools.Func(fmt.Sprintf("measure_%02d", i), "Measures one thing in a town. The answer has a value for each day, and their sum.", func(context.Context, query) (json.RawMessage, error) {
			return json.RawMessage(result), nil
		}))
	}
	code := "total = 0\nfor city in ['Ulm', 'Bonn', 'Jena']:\n  for r in gather([call(measure, city=city) for measure in ["
	for i := range 20 {
		code += fmt.Sprintf("measure_%02d, ", i)
	}
	code += "]]):\n    total += r['sum']\nprint(total)"
	one := simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		calls := 0
		for _, m := range turn.Messages {
			for _, b := range m.Content {
				if b.ToolUseID() != "" {
					calls++
				}
			}
		}
		if calls == 60 {
			r := simulator.Say("420")
			return &r, nil
		}
		r := simulator.Do(simulator.Call(fmt.Sprintf("measure_%02d", calls%20), map[string]any{"city": "Ulm"}))
		return &r, nil
	})
	run := func(m simulator.Model, list ...tools.Tool) *agent.Result {
		a, err := agent.New(agent.Options{Client: client(t, m), Model: "claude-opus-5-5", Tools: list, Limits: agent.Limits{Steps: 100}})
		if err != nil {
			t.Fatal(err)
		}
		res, err := a.Run(t.Context(), agent.Input{Prompt: "Add up what was measured in Ulm, Bonn and Jena."})
		if err != nil || !strings.Contains(res.Text, "420") {
			t.Fatalf("%v: %s", err, res.Text)
		}
		return res
	}
	without, with := run(one, list...), run(oneProgram(code), script.New(script.Options{Tools: list}))
	tokens := func(r *agent.Result) int64 {
		return int64(r.Usage.InputTokens) + int64(r.Usage.CacheReadInputTokens) + int64(r.Usage.CacheCreationInputTokens)
	}
	t.Logf("without a program: %d steps, %d tokens of prompts, %s; with: %d steps, %d tokens, %s", without.Steps, tokens(without), without.Cost, with.Steps, tokens(with), with.Cost)
	if with.Steps != 2 || without.Steps != 61 || with.Cost.USD > without.Cost.USD/10 {
		t.Errorf("with %d steps, %s; without %d steps, %s", with.Steps, with.Cost, without.Steps, without.Cost)
	}
}
