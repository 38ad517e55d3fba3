package mcp_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// TestAgentFromNPM has one agent use ten servers that others have written, each for one
// call. The simulator takes the tools of all of them.
func TestAgentFromNPM(t *testing.T) {
	if os.Getenv("WHORL_NPM") == "" {
		t.Skip("WHORL_NPM is not set: the servers are not installed and not run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir := npmServers(t, ctx)
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "a.txt"), []byte("from the file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(files, "bank"), 0o700); err != nil {
		t.Fatal(err)
	}
	entity := map[string]any{"entities": []any{map[string]any{"name": "Ann", "entityType": "person", "observations": []any{"plays the cello"}}}}
	servers := []struct {
		prefix, script string
		args           []string
		tool           string
		input          map[string]any
		want           string
	}{
		{"every", "@modelcontextprotocol/server-everything/dist/index.js", []string{"stdio"}, "get-sum", map[string]any{"a": 2, "b": 3}, "5"},
		{"files", "@modelcontextprotocol/server-filesystem/dist/index.js", []string{files}, "read_text_file", map[string]any{"path": filepath.Join(files, "a.txt")}, "from the file"},
		{"memory", "@modelcontextprotocol/server-memory/dist/index.js", nil, "create_entities", entity, "plays the cello"},
		{"steps", "@modelcontextprotocol/server-sequential-thinking/dist/index.js", nil, "sequentialthinking",
			map[string]any{"thought": "first", "nextThoughtNeeded": false, "thoughtNumber": 1, "totalThoughts": 1}, "thoughtHistoryLength"},
		{"time", "time-mcp/dist/index.js", nil, "get_timestamp", map[string]any{"time": "2026-01-02 03:04:05"}, "1767323045000"},
		{"git", "@cyanheads/git-mcp-server/dist/index.js", nil, "git_init", map[string]any{"path": filepath.Join(files, "repo")}, "initialBranch"},
		{"fetch", "mcp-fetch-server/dist/index.js", nil, "fetch_json", map[string]any{"url": "http://127.0.0.1:1/"}, "private address"},
		{"calc", "@coo-quack/calc-mcp/dist/index.js", nil, "math", map[string]any{"expression": "6*7"}, "42"},
		{"bank", "@allpepper/memory-bank-mcp/dist/main/index.js", nil, "memory_bank_write", map[string]any{"projectName": "p", "fileName": "a.md", "content": "x"}, "written"},
		{"graph", "@itseasy21/mcp-knowledge-graph/dist/index.js", nil, "create_entities", entity, "plays the cello"},
	}
	var all []tools.Tool
	var replies []simulator.Reply
	for _, s := range servers {
		c, err := mcp.Command(ctx, func() *exec.Cmd {
			cmd := exec.Command("node", append([]string{filepath.Join("node_modules", filepath.FromSlash(s.script))}, s.args...)...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + files, "MCP_TRANSPORT_TYPE=stdio",
				"MEMORY_BANK_ROOT=" + filepath.Join(files, "bank"), "MEMORY_FILE_PATH=" + filepath.Join(files, s.prefix+".jsonl")}
			return cmd
		}, mcp.Options{Prefix: s.prefix + "_"})
		if err != nil {
			t.Fatalf("%s: %v", s.script, err)
		}
		t.Cleanup(func() { c.Close() })
		set, err := c.Tools(ctx)
		if err != nil {
			t.Fatalf("%s: %v", s.script, err)
		}
		t.Logf("%s: %d tools", s.script, len(set))
		all = append(all, set...)
		replies = append(replies, simulator.Do(simulator.Call(s.prefix+"_"+s.tool, s.input)))
	}
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(append(replies, simulator.Say("All done."))...)})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: all})
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Prompt: "Use all of them."})
	if err != nil || res.Text != "All done." {
		t.Fatal(errors.Join(err, errors.New(res.Text)))
	}
	messages := res.Log.Messages()
	for i, s := range servers {
		t.Run(s.script, func(t *testing.T) {
			result := messages[2+2*i].Content[0].Raw()
			text := string(rawjson.Get(result, "content"))
			if failed := string(rawjson.Get(result, "is_error")) == "true"; !strings.Contains(text, s.want) || failed != (s.prefix == "fetch") {
				t.Errorf("%s: %.500s", s.tool, result)
			}
		})
	}
}
