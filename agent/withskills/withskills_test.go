package withskills_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/agenttest"
	"github.com/whorl-go/whorl/agent/withskills"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/skills"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func client(t *testing.T, replies ...simulator.Reply) *agenttest.Recorder {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(replies...)})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return &agenttest.Recorder{Client: c}
}

func folder(body, fields string) fstest.MapFS {
	return fstest.MapFS{
		"git-notes/SKILL.md":   {Data: []byte("---\nname: git-notes\ndescription: Notes on git.\n" + fields + "---\n" + body)},
		"git-notes/more/x.txt": {Data: []byte("more of it")},
	}
}

func load(t *testing.T, f fstest.MapFS) *skills.Set {
	t.Helper()
	set, err := skills.Load(skills.Options{}, f)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func input(t *testing.T, set *skills.Set, in agent.Input) agent.Input {
	t.Helper()
	in, err := withskills.Input(context.Background(), set, in)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func newAgent(t *testing.T, o agent.Options) *agent.Agent {
	t.Helper()
	o.Model = "claude-opus-5-5"
	a, err := agent.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func loads(file string) simulator.Reply {
	in := map[string]any{"name": "git-notes"}
	if file != "" {
		in["file"] = file
	}
	return simulator.Do(simulator.Call("skill", in))
}

// A session keeps its prefix while the folder changes, and another process with
// the changed folder goes on with it.
func TestChangedFolder(t *testing.T) {
	ctx := context.Background()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "s.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	c := client(t,
		simulator.Say("What is it about?"),
		loads(""), loads("more/x.txt"), simulator.Say("Done."),
		loads(""), simulator.Say("Done again."))
	spans := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans))
	run := func(set *skills.Set, prompt string) *agent.Result {
		t.Helper()
		a := newAgent(t, agent.Options{Client: c, Tools: []tools.Tool{set.Tool()}, Telemetry: agent.Telemetry{TracerProvider: provider}})
		res, err := a.Run(ctx, input(t, set, agent.Input{Store: store, Session: "s", Prompt: prompt}))
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	f := folder("the first wisdom", "")
	set := load(t, f)
	run(set, "Hello.")
	if sent := body(t, c.Exchanges()[0]); strings.Contains(sent, "wisdom") || !strings.Contains(sent, "Notes on git.") {
		t.Errorf("the prompt is %s", sent)
	}
	for name := range f { // the running program has its copy
		delete(f, name)
	}
	run(set, "How does git work?")
	if sent := body(t, c.Exchanges()[3]); !strings.Contains(sent, "the first wisdom") || !strings.Contains(sent, "more of it") {
		t.Errorf("the prompt is %s", sent)
	}

	f = folder("the second wisdom", "")
	f["new/SKILL.md"] = &fstest.MapFile{Data: []byte("---\nname: new\ndescription: Something new.\n---\n")}
	second := load(t, f)
	res := run(second, "And today?")
	if sent := body(t, c.Exchanges()[5]); strings.Count(sent, "available_skills>\\n<skill>") != 2 || !strings.Contains(sent, "the second wisdom") {
		t.Errorf("the prompt is %s", sent)
	}
	agenttest.PrefixStable(t, c.Exchanges())

	var versions []string
	for _, rec := range res.Log.Records(0) {
		if strings.Contains(string(rec.Data), `"data":{"name":"git-notes"`) {
			versions = append(versions, string(rec.Data))
		}
	}
	if len(versions) != 2 || !strings.Contains(versions[0], set.Skill("git-notes").Version) || !strings.Contains(versions[1], second.Skill("git-notes").Version) {
		t.Errorf("the notes are %q", versions)
	}
	own := 0
	for _, s := range spans.Ended() {
		if s.Name() == "skill git-notes" && s.Parent().IsValid() {
			own++
		}
	}
	if own != 3 {
		t.Errorf("%d spans", own)
	}
}

func body(t *testing.T, x agenttest.Exchange) string {
	t.Helper()
	raw, err := json.Marshal(x.Request)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(raw))
}

// The list stands where it is once.
func TestInput(t *testing.T) {
	set := load(t, folder("x", ""))
	log := memory.NewLog()
	first := input(t, set, agent.Input{Log: log, Prompt: "hi"})
	if len(first.Messages) != 1 || !skills.IsCatalog(first.Messages[0]) {
		t.Fatalf("got %v", first.Messages)
	}
	if again := input(t, set, first); len(again.Messages) != 1 {
		t.Errorf("the list is there twice: %v", again.Messages)
	}
	if empty := input(t, set, agent.Input{Log: log}); empty.Messages != nil {
		t.Errorf("a run that goes on is told something: %v", empty.Messages)
	}
	if _, err := withskills.Input(context.Background(), nil, agent.Input{Prompt: "x"}); err == nil {
		t.Error("no set was taken")
	}
}

// allowed-tools spare questions from the load on, and nothing else.
func TestGate(t *testing.T) {
	ctx := context.Background()
	type in struct {
		Command string `json:"command"`
	}
	call := func(command string) simulator.Reply {
		return simulator.Do(simulator.Call("bash", map[string]any{"command": command}))
	}
	for _, c := range []struct {
		what    string
		fields  string
		base    agent.Gate
		replies []simulator.Reply
		ran     int
		waits   bool
	}{
		{"not loaded", "allowed-tools: Bash(git:*)\n", nil, []simulator.Reply{call("git log")}, 0, true},
		{"loaded", "allowed-tools: Bash(git:*)\n", nil, []simulator.Reply{loads(""), call("git log"), call("git show"), simulator.Say("ok")}, 2, false},
		{"only a file read", "allowed-tools: Bash(git:*)\n", nil, []simulator.Reply{loads("more/x.txt"), call("git log")}, 0, true},
		{"another command", "allowed-tools: Bash(git:*)\n", nil, []simulator.Reply{loads(""), call("git log; rm x")}, 0, true},
		{"nothing allowed", "", nil, []simulator.Reply{loads(""), call("git log")}, 0, true},
		{"denied", "allowed-tools: Bash\n", func(_ context.Context, q agent.ToolRequest) agent.Decision {
			if q.Call.Name == "bash" {
				return agent.Decision{Permission: agent.Deny, Reason: "no"}
			}
			return agent.Decision{}
		}, []simulator.Reply{loads(""), call("git log"), simulator.Say("no")}, 0, false},
		{"asked by the gate", "allowed-tools: Bash\n", func(_ context.Context, q agent.ToolRequest) agent.Decision {
			if q.Call.Name == "bash" {
				return agent.Decision{Permission: agent.Ask}
			}
			return agent.Decision{}
		}, []simulator.Reply{loads(""), call("anything; else"), simulator.Say("ok")}, 1, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			set, ran := load(t, folder("x", c.fields)), 0
			bash := tools.FuncWith("bash", "Runs a command.", func(context.Context, in) (string, error) { ran++; return "done", nil },
				tools.Options{Traits: tools.Traits{NeedsApproval: true}})
			a := newAgent(t, agent.Options{
				Client: client(t, c.replies...), Tools: []tools.Tool{set.Tool(), bash}, Gate: withskills.Gate(set, c.base, nil),
			})
			res, err := a.Run(ctx, input(t, set, agent.Input{Prompt: "go"}))
			if waits := err != nil && strings.Contains(err.Error(), "approv"); waits != c.waits || !waits && err != nil {
				t.Errorf("got %v", err)
			}
			if ran != c.ran {
				t.Errorf("%d commands ran, not %d", ran, c.ran)
			}
			if c.what != "loaded" {
				return
			}
			// The same conversation with a skill that has changed has loaded nothing.
			changed := load(t, folder("y", c.fields))
			q := agent.ToolRequest{Call: transport.ToolCall{Name: "bash", Input: []byte(`{"command":"git log"}`)}, Traits: tools.Traits{NeedsApproval: true}, Log: res.Log}
			if d := withskills.Gate(changed, nil, nil)(ctx, q); d.Permission != "" {
				t.Errorf("a changed skill gave %v", d)
			}
			q.Call.Name = "sh"
			if d := withskills.Gate(set, nil, map[string]string{"sh": "Bash"})(ctx, q); d.Permission != agent.Allow || d.Rule != "skill git-notes" {
				t.Errorf("a renamed tool gave %v", d)
			}
			gate := func(d agent.Decision) agent.Gate {
				return withskills.Gate(set, func(context.Context, agent.ToolRequest) agent.Decision { return d }, nil)
			}
			q.Call.Name = "bash"
			if d := gate(agent.Decision{})(ctx, q); d.Permission != agent.Allow {
				t.Errorf("a gate without an opinion gave %v", d)
			}
			// What a base gate would change, allows already or denies is its matter.
			for _, want := range []agent.Decision{
				{Permission: agent.Ask, Input: []byte(`{"command":"git status"}`)}, {Permission: agent.Deny, Reason: "no"}, {Permission: agent.Allow, Rule: "mine"},
			} {
				if d := gate(want)(ctx, q); d.Permission != want.Permission || d.Rule != want.Rule || string(d.Input) != string(want.Input) {
					t.Errorf("%+v became %+v", want, d)
				}
			}
			// Nothing is said of what needs no approval, of a toolset's tool of that name, and
			// without a set or a log.
			no := q
			no.Traits.NeedsApproval = false
			other := q
			other.Call.Toolset = "server"
			if d, e, f := gate(agent.Decision{})(ctx, no), gate(agent.Decision{})(ctx, other), withskills.Gate(nil, nil, nil)(ctx, q); d.Permission != "" || e.Permission != "" || f.Permission != "" {
				t.Errorf("%+v, %+v, %+v", d, e, f)
			}
			no = q
			no.Log = nil
			if d := gate(agent.Decision{})(ctx, no); d.Permission != "" {
				t.Errorf("without a log: %+v", d)
			}
			// A result that says the same words, but is an error, loads nothing.
			no.Log = memory.NewLog()
			failed := 0
			for _, r := range res.Log.Records(0) {
				if r.Kind == memory.KindResult && failed == 0 {
					failed++
					b, err := transport.ParseBlock([]byte(strings.TrimSuffix(string(r.Block.Raw()), "}") + `,"is_error":true}`))
					if err != nil {
						t.Fatal(err)
					}
					r.Block = b
				}
				if err := no.Log.Append(ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			if d := gate(agent.Decision{})(ctx, no); d.Permission != "" || failed != 1 {
				t.Errorf("a load that failed gave %+v", d)
			}
			// Nor does what another tool says, or what was read out of a file.
			for old, now := range map[string]string{`"name":"skill"`: `"name":"fetch"`, `{"name":"git-notes"}`: `{"name":"git-notes","file":"more/x.txt"}`} {
				no.Log = memory.NewLog()
				changed := 0
				for _, r := range res.Log.Records(0) {
					if r.Kind == memory.KindResponse && strings.Contains(string(r.Response.Raw()), old) {
						changed++
						resp, err := transport.ParseResponse([]byte(strings.Replace(string(r.Response.Raw()), old, now, 1)))
						if err != nil {
							t.Fatal(err)
						}
						r.Response = resp
					}
					if err := no.Log.Append(ctx, r); err != nil {
						t.Fatal(err)
					}
				}
				if d := gate(agent.Decision{})(ctx, no); d.Permission != "" || changed != 1 {
					t.Errorf("%s: %d calls gave %+v", now, changed, d)
				}
			}
		})
	}
}

// Skills of the provider are on every request, with the container's id behind the
// first response.
func TestHosted(t *testing.T) {
	container, err := skills.Container(skills.Hosted{ID: "pdf", Version: "latest"})
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, agent.Options{Client: client(t), Template: transport.Request{Container: container}, Tools: []tools.Tool{tools.CodeExecution{}}})
	log := memory.NewLog()
	ctx := context.Background()
	if err := log.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("hi")}); err != nil {
		t.Fatal(err)
	}
	if got := string(a.Request(log).Container); got != `{"skills":[{"type":"anthropic","skill_id":"pdf","version":"latest"}]}` {
		t.Errorf("first: %s", got)
	}
	resp := &transport.Response{ID: "msg_1", Model: "claude-opus-5-5", StopReason: transport.StopEndTurn, Content: []transport.Block{transport.Text("x")}, Container: &transport.Container{ID: "container_1"}}
	if err := log.Append(ctx, memory.Record{Kind: memory.KindResponse, Response: resp}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("more")}); err != nil {
		t.Fatal(err)
	}
	if got := string(a.Request(log).Container); got != `{"id":"container_1","skills":[{"type":"anthropic","skill_id":"pdf","version":"latest"}]}` {
		t.Errorf("second: %s", got)
	}
}

// The same in two runs on the simulator, which refuses a container that it doesn't
// know.
func TestHostedRun(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{
		Model: simulator.Script(
			simulator.Do(simulator.ServerCall("bash_code_execution", map[string]string{"command": "ls"})),
			simulator.Say("There."),
			simulator.Say("And there."),
		),
		ServerTool: func(simulator.ServerToolCall) json.RawMessage {
			return json.RawMessage(`{"type":"bash_code_execution_result","stdout":"ok","stderr":"","return_code":0,"content":[]}`)
		},
	})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	recorder := &agenttest.Recorder{Client: c}
	container, err := skills.Container(skills.Hosted{ID: "pdf"})
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t, agent.Options{Client: recorder, Template: transport.Request{Container: container}, Tools: []tools.Tool{tools.CodeExecution{}}})
	log := memory.NewLog()
	for _, prompt := range []string{"Make it.", "And more."} {
		if _, err := a.Run(context.Background(), agent.Input{Log: log, Prompt: prompt}); err != nil {
			t.Fatal(err)
		}
	}
	x := recorder.Exchanges()
	if last := string(x[len(x)-1].Request.Container); !strings.HasPrefix(last, `{"id":"container_`) || !strings.HasSuffix(last, `"skills":[{"type":"anthropic","skill_id":"pdf"}]}`) {
		t.Errorf("the container is %s", last)
	}
}

// Anthropic's public skills work as they are: WHORL_SKILLS names the folder skills of
// a copy of github.com/anthropics/skills.
func TestPublicSkills(t *testing.T) {
	dir := os.Getenv("WHORL_SKILLS")
	if dir == "" {
		t.Skip("WHORL_SKILLS names no folder of skills")
	}
	set, err := skills.Open(dir, skills.Options{Only: []string{"pdf", "mcp-builder", "skill-creator"}})
	if err != nil {
		t.Fatal(err)
	}
	use := func(name, file string) simulator.Reply {
		return simulator.Do(simulator.Call("skill", map[string]any{"name": name, "file": file}))
	}
	c := client(t, use("pdf", ""), use("pdf", "forms.md"), use("mcp-builder", ""), use("skill-creator", ""), use("pdf", "../docx/SKILL.md"), simulator.Say("Done."))
	a := newAgent(t, agent.Options{Client: c, Tools: []tools.Tool{set.Tool()}})
	if _, err := a.Run(context.Background(), input(t, set, agent.Input{Prompt: "Use them all."})); err != nil {
		t.Fatal(err)
	}
	x := c.Exchanges()
	agenttest.PrefixStable(t, x)
	text := func(n int) string { // of the last result
		m := x[n].Request.Messages
		return string(m[len(m)-1].Content[0].Raw())
	}
	for n, name := range []string{"pdf", "", "mcp-builder", "skill-creator"} {
		if name != "" && !strings.Contains(text(n+1), `skill name=\"`+name) {
			t.Errorf("%s was not loaded: %.200s", name, text(n+1))
		}
	}
	for _, m := range x[0].Request.Messages {
		if strings.Contains(m.Text(), set.Skill("pdf").Instructions[:100]) {
			t.Error("the instructions are in the first prompt")
		}
	}
	if !strings.Contains(text(5), "is_error") {
		t.Errorf("a file of another skill was read: %.200s", text(5))
	}
}
