package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

func block(t testing.TB, raw string) transport.Block {
	t.Helper()
	b, err := transport.ParseBlock([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the service would refuse never gets into a log: it would be a part of each
// later request, and the conversation lost.
func TestRefusedInputsStayOutOfTheLog(t *testing.T) {
	user := func(blocks ...transport.Block) transport.Message {
		return transport.Message{Role: transport.RoleUser, Content: blocks}
	}
	tests := []struct {
		name  string
		input transport.Message
		says  string
	}{
		{"no text", transport.UserText(""), "empty or only white space"},
		{"white space", transport.UserText("  \n"), "empty or only white space"},
		{"much white space", transport.UserText(strings.Repeat(" \n", 5000)), "empty or only white space"},
		{"no message", transport.Message{}, "role"},
		{"no content", user(), "needs content"},
		{"zero block", user(transport.Block{}), "zero Block"},
		{"a result", user(transport.ToolResult("toolu_1")), "tool_result"},
		{"a call", user(block(t, use("1", "f", "{}"))), "tool_use"},
		{"thinking", user(block(t, `{"type":"thinking","thinking":"x","signature":"x"}`)), "thinking"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := live(t, simulator.Script(simulator.Say("hello"), simulator.Say("hello")), agent.Options{})
			log := memory.NewLog()
			if _, err := a.Run(t.Context(), agent.Input{Log: log, Messages: []transport.Message{tt.input}}); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("input: %v, want %q", err, tt.says)
			}
			run := a.NewRun(agent.Input{Log: log, Prompt: "x"})
			if err := run.Steer(tt.input); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("steer: %v, want %q", err, tt.says)
			}
			if res, err := finish(t.Context(), run); err != nil || res.Text != "hello" {
				t.Errorf("afterwards: %q, %v", res.Text, err)
			}
			if err := memory.Enqueue(t.Context(), new(memory.RAM), "s", tt.input); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("queue: %v, want %q", err, tt.says)
			}
		})
	}
}

// A system message may stand behind a user message only, and in front of no
// other one: wherever it comes from, it is put where the service takes it.
func TestSystemMessagesAreLaidWhereTheyMayStand(t *testing.T) {
	sys := transport.SystemText("be brief")
	fail := true
	a, _ := live(t, simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("fine")
		if turn.LastUserText() == "fail" && fail {
			fail = false
			return nil, &simulator.Refusal{Status: 413, Type: "request_too_large", Message: "no"}
		}
		return &r, nil
	}), agent.Options{Context: agent.ContextOptions{Reminder: func(context.Context, agent.Status) string { return "it is noon" }}})
	log := memory.NewLog()
	turn := func(want string, inputs ...transport.Message) {
		t.Helper()
		run := a.NewRun(agent.Input{Log: log, Messages: inputs})
		if err := run.Steer(transport.Message{Role: transport.RoleSystem, Content: []transport.Block{transport.Text("steered")}, ClearAt: "next_user_message"}); err != nil {
			t.Error(err)
		}
		if err := run.Steer(transport.UserText("and this")); err != nil {
			t.Error(err)
		}
		if res, err := finish(t.Context(), run); want == "" && err == nil || want != "" && (err != nil || res.Text != want) {
			t.Errorf("%q, %v; want %q", res.Text, err, want)
		}
	}
	turn("fine", sys, transport.UserText("first"))
	turn("fine", sys, sys, transport.UserText("a"), sys, transport.UserText("b"))
	fail = true
	if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "fail"}); err == nil {
		t.Error("the failure did not fail")
	}
	turn("fine", transport.UserText("behind a request that failed"), sys)
	texts := ""
	for _, m := range log.Messages() {
		texts += string(m.Role) + ": " + m.Text() + "\n"
	}
	if !strings.HasPrefix(texts, "user: first\nuser: and this\nsystem: be brief\nsystem: steered\nsystem: it is noon\nassistant: fine\n") {
		t.Errorf("the conversation is\n%s", texts)
	}
}

// Whatever a tool puts into its result, the service takes the next request.
func TestHostileResults(t *testing.T) {
	results := map[string]transport.Block{
		"zero":             {},
		"a call":           block(t, use("1", "f", "{}")),
		"thinking":         block(t, `{"type":"thinking","thinking":"x","signature":"x"}`),
		"a result":         transport.ToolResult("x"),
		"a search":         block(t, `{"type":"web_search_tool_result","tool_use_id":"x","content":[]}`),
		"an upload":        block(t, `{"type":"container_upload","file_id":"file_1"}`),
		"no text":          block(t, `{"type":"text"}`),
		"much white space": transport.Text(strings.Repeat("\n", 10000)),
		"not UTF-8":        transport.Text("a\xff\xfe\x00b"),
	}
	for name, b := range results {
		for _, failed := range []bool{false, true} {
			a, _ := live(t, simulator.Script(simulator.Do(simulator.Call("f", map[string]any{})), simulator.Say("fine")), agent.Options{
				Tools: []tools.Tool{fake{name: "f", call: func(context.Context, json.RawMessage) (tools.Result, error) {
					return tools.Result{Content: []transport.Block{b}, IsError: failed}, nil
				}}},
			})
			if res, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil || res.Text != "fine" {
				t.Errorf("%s, failed %v: %q, %v", name, failed, res.Text, err)
			}
		}
	}
}

// What Steer has taken is not lost with the run.
func TestSteersOutliveAFailedRun(t *testing.T) {
	s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", "{}")), errors.New("boom")}}
	run := newAgent(t, s, agent.Options{}, echo("echo")).NewRun(agent.Input{Prompt: "go"})
	for ev := range run.Events(t.Context()) {
		if ev.Type == agent.EventStep && ev.Step == 2 {
			if err := run.Steer(transport.UserText("stop it")); err != nil {
				t.Error(err)
			}
		}
	}
	res, err := run.Result()
	if m := res.Log.Messages(); err == nil || m[len(m)-1].Text() != "stop it" {
		t.Errorf("%v; the log ends with %v", err, m[len(m)-1])
	}
	if err := run.Steer(transport.UserText("late")); err == nil {
		t.Error("a run that has ended can be steered")
	}
}

// Two people decide on one call at once: the first decision counts, and the
// other does no harm.
func TestADecisionThatComesSecond(t *testing.T) {
	store := new(memory.RAM)
	s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", "{}"), use("2", "echo", "{}")), reply(t, "end_turn", text("done"))}}
	e := echo("echo")
	e.traits.NeedsApproval = true
	asked := 0
	a := newAgent(t, s, agent.Options{Approver: func(ctx context.Context, c agent.PendingCall) (agent.Decision, error) {
		asked++
		other, err := memory.Open(ctx, store, "s")
		if err != nil {
			return agent.Decision{}, err
		}
		for _, p := range agent.Pending(other) {
			if err := p.Deny(ctx, other, "not today"); err != nil {
				return agent.Decision{}, err
			}
		}
		return agent.Decision{Permission: agent.Allow}, nil
	}}, e)
	res, err := a.Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"})
	if err != nil || res.Text != "done" || asked != 1 {
		t.Fatalf("%q after %d questions, %v", res.Text, asked, err)
	}
	if m := string(res.Log.Messages()[2].AppendJSON(nil)); strings.Count(m, "not today") != 2 {
		t.Errorf("the results are %s", m)
	}
}

func TestAnApproversArgumentsAreAnObject(t *testing.T) {
	for in, ok := range map[string]bool{"garbage": false, "[]": false, "7": false, "": true, ` {"b":1}`: true} {
		s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", `{"a":1}`)), reply(t, "end_turn", text("done"))}}
		e := echo("echo")
		e.traits.NeedsApproval = true
		a := newAgent(t, s, agent.Options{Approver: func(context.Context, agent.PendingCall) (agent.Decision, error) {
			return agent.Decision{Permission: agent.Allow, Input: []byte(in)}, nil
		}}, e)
		res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
		if ok != (err == nil) || err != nil && !strings.Contains(err.Error(), "not a JSON object") {
			t.Errorf("%q: %v", in, err)
		}
		if want := map[string]string{"": `{\"a\":1}`, ` {"b":1}`: `{\"b\":1}`}[in]; ok && !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), want) {
			t.Errorf("%q: the tool was given %s", in, res.Log.Messages()[2].AppendJSON(nil))
		}
	}
}

// A response with two calls of one id can neither be answered nor sent back.
func TestTwoCallsOfOneID(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", `{"a":1}`), use("1", "echo", `{"b":1}`)), reply(t, "end_turn", text("done"))}}
		ran := 0
		e := fake{name: "echo", traits: tools.Traits{ReadOnly: readOnly}, call: func(context.Context, json.RawMessage) (tools.Result, error) {
			ran++
			return tools.Text("x"), nil
		}}
		a := newAgent(t, s, agent.Options{}, e)
		res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
		var bad *transport.StreamError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), `"1"`) || ran != 0 || res.Usage.OutputTokens != 5 {
			t.Fatalf("%v, %d calls run, usage %+v", err, ran, res.Usage)
		}
		checkValid(t, res.Log)
		if res, err = a.Run(t.Context(), agent.Input{Log: res.Log}); err != nil || res.Text != "done" {
			t.Errorf("resumed: %q, %v", res.Text, err)
		}
	}
}

// One run at a time works on a log.
func TestOneRunWorksOnALog(t *testing.T) {
	s := &script{replies: []any{reply(t, "end_turn", text("one")), reply(t, "end_turn", text("two"))}}
	a := newAgent(t, s, agent.Options{})
	log := memory.NewLog()
	first := a.NewRun(agent.Input{Log: log, Prompt: "a"})
	for range first.Events(t.Context()) {
		if _, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "b"}); !errors.Is(err, memory.ErrLeased) {
			t.Errorf("a second run: %v", err)
		}
	}
	if res, err := a.Run(t.Context(), agent.Input{Log: log, Prompt: "b"}); err != nil || res.Text != "two" || len(log.Messages()) != 4 {
		t.Errorf("%q, %d messages, %v", res.Text, len(log.Messages()), err)
	}
}

// A gate judges what the tool would be given, not what it is repaired from.
func TestGateSeesMendedArguments(t *testing.T) {
	type in struct {
		Path  string   `json:"path"`
		Lines int      `json:"lines,omitempty"`
		Tags  []string `json:"tags,omitempty"`
	}
	for input, want := range map[string]string{
		`{"PATH":"/etc/passwd"}`:                       `{"path":"/etc/passwd"}`,
		`{"path":"a","lines":"7","tags":"x"}`:          `{"path":"a","lines":7,"tags":["x"]}`,
		`"{\"path\":\"/etc/passwd\"}"`:                 `{"path":"/etc/passwd"}`,
		`{"path":"a","path":"/etc/passwd"}`:            "",
		`{"path":7,"lines":{},"nonesuch":["/etc"]}`:    "",
		`{"path":"a","tags":["x"],"lines":9007199254}`: `{"path":"a","tags":["x"],"lines":9007199254}`,
	} {
		var given, seen string
		tool := tools.Func("read", "", func(_ context.Context, v in) (string, error) {
			raw, err := json.Marshal(v)
			given = string(raw)
			return "x", err
		})
		s := &script{replies: []any{reply(t, "tool_use", use("1", "read", input)), reply(t, "end_turn", text("done"))}}
		a := newAgent(t, s, agent.Options{Gate: func(_ context.Context, q agent.ToolRequest) agent.Decision {
			seen = string(q.Call.Input)
			return agent.Decision{}
		}}, tool)
		if _, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			if seen != input || given != "" {
				t.Errorf("%s: the gate saw %s, the tool was given %q", input, seen, given)
			}
			continue
		}
		if seen != want || given == "" {
			t.Errorf("%s: the gate saw %s, want %s; the tool was given %q", input, seen, want, given)
		}
	}
}

func TestNoReminderOfWhiteSpace(t *testing.T) {
	a, _ := live(t, simulator.Script(simulator.Say("fine")), agent.Options{Context: agent.ContextOptions{Reminder: func(context.Context, agent.Status) string { return " \n" }}})
	if res, err := a.Run(t.Context(), agent.Input{Prompt: "go"}); err != nil || len(res.Log.Messages()) != 2 {
		t.Errorf("%d messages, %v", len(res.Log.Messages()), err)
	}
}

func TestNewRefusesWhatStandsInTwoPlaces(t *testing.T) {
	def, err := echo("echo").Definition()
	if err != nil {
		t.Fatal(err)
	}
	for field, request := range map[string]transport.Request{
		"Tools":               {Tools: []transport.ToolDefinition{def}},
		"Model":               {Model: "m"},
		"MaxTokens":           {MaxTokens: 1},
		"System":              {System: []transport.Block{transport.Text("x")}},
		"Thinking":            {Thinking: &transport.Thinking{Type: "adaptive"}},
		"OutputConfig.Effort": {OutputConfig: &transport.OutputConfig{Effort: "low"}},
		"Breakpoints":         {Breakpoints: []transport.Breakpoint{{}}},
		"Messages":            {Messages: []transport.Message{transport.UserText("x")}},
		"UserID":              {UserID: "u"},
	} {
		_, err := agent.New(agent.Options{Client: &script{}, Model: "claude-opus-5-5", System: "y", Template: request})
		if err == nil || !strings.Contains(err.Error(), "Template."+field+" is set") {
			t.Errorf("%s: %v", field, err)
		}
	}
	opts := agent.Options{Client: &script{}, Model: "claude-opus-5-5", Tools: []tools.Tool{echo("echo"), echo("echo")}}
	if _, err := agent.New(opts); err == nil || !strings.Contains(err.Error(), `"echo"`) {
		t.Errorf("one name twice: %v", err)
	}
	opts.Tools = []tools.Tool{(*tools.FuncTool)(nil)}
	if _, err := agent.New(opts); err == nil || !strings.Contains(err.Error(), "Tools[0]: the tool is nil") {
		t.Errorf("a nil tool: %v", err)
	}
}

// What a person types as a reason need not be UTF-8; the store takes UTF-8 only.
func TestReasonsThatAreNotUTF8(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "sessions.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := &script{replies: []any{reply(t, "tool_use", use("1", "echo", "{}"), use("2", "echo", "{}")), reply(t, "end_turn", text("done"))}}
	opts := agent.Options{Gate: func(context.Context, agent.ToolRequest) agent.Decision {
		return agent.Decision{Permission: agent.Ask, Reason: "h\xf6chst"}
	}}
	res, err := newAgent(t, s, opts, echo("echo")).Run(t.Context(), agent.Input{Store: store, Session: "s", Prompt: "go"})
	if !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	if err := agent.Pending(res.Log)[0].Deny(t.Context(), res.Log, "no\xff way"); err != nil {
		t.Error(err)
	}
	opts.Approver = func(context.Context, agent.PendingCall) (agent.Decision, error) {
		return agent.Decision{Permission: agent.Deny, Reason: "n\xf6"}, nil
	}
	res, err = newAgent(t, s, opts, echo("echo")).Run(t.Context(), agent.Input{Store: store, Session: "s"})
	if err != nil || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), "no\uFFFD way") {
		t.Errorf("%v: %s", err, res.Log.Messages()[2].AppendJSON(nil))
	}
}

// A sub-agent's task is judged as it is given, too.
func TestGateSeesTheTask(t *testing.T) {
	seen := ""
	sub := agent.Sub{Agent: newAgent(t, &script{replies: []any{reply(t, "end_turn", text("found"))}}, agent.Options{}), Name: "helper", Description: "helps"}
	s := &script{replies: []any{reply(t, "tool_use", use("1", "helper", `{"TASK":"find"}`)), reply(t, "end_turn", text("done"))}}
	a := newAgent(t, s, agent.Options{Gate: func(_ context.Context, q agent.ToolRequest) agent.Decision {
		seen = string(q.Call.Input)
		return agent.Decision{}
	}}, sub)
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil || seen != `{"task":"find"}` || !strings.Contains(string(res.Log.Messages()[2].AppendJSON(nil)), "found") {
		t.Errorf("the gate saw %s, %v: %s", seen, err, res.Log.Messages()[2].AppendJSON(nil))
	}
}

func TestAskForATypeThatTheServiceCannotCompile(t *testing.T) {
	type answer struct {
		ByName map[string]int `json:"by_name"`
	}
	_, res, err := agent.Generate[answer](t.Context(), newAgent(t, &script{}, agent.Options{}), agent.Input{Prompt: "go"})
	if err == nil || !strings.Contains(err.Error(), "by_name is a map") || strings.Contains(err.Error(), "Strict") || res == nil {
		t.Errorf("%v", err)
	}
}
