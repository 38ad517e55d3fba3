package simulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport/simulator"
)

// weather is a model that asks a tool for the weather and tells it.
func weather(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	last := turn.Messages[len(turn.Messages)-1]
	if len(last.Content) > 0 && last.Content[0].Type() == "tool_result" {
		reply := simulator.Say("It is 20 degrees in Oslo, says the tool.")
		return &reply, nil
	}
	reply := simulator.Do(simulator.Thinking("The tool knows."), simulator.Text("Let me ask."), simulator.Call("get_weather", map[string]string{"city": "Oslo"}))
	return &reply, nil
}

// TestOfficialClients runs JavaScript clients of other people against the
// simulator, unchanged: the official SDK, the AI SDK, and LangChain. It installs
// them with npm, so it runs only if WHORL_NPM is set.
func TestOfficialClients(t *testing.T) {
	if os.Getenv("WHORL_NPM") == "" {
		t.Skip("WHORL_NPM is not set: the JavaScript clients are not installed and not run")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "clients"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm can't install the clients, they are not run: %v\n%s", err, out)
	}
	const answer = "It is 20 degrees in Oslo, says the tool."
	for script, want := range map[string]string{
		"sdk.mjs": `{"streamed":{"stop":"tool_use","types":["thinking","text","tool_use"],"input":{"city":"Oslo"},"deltas":true},"answer":"` + answer + `","runner":"` + answer +
			`","counted":true,"models":true,"error":{"status":400,"type":"invalid_request_error","message":"messages: at least one message is required","id":true}}`,
		"ai.mjs":        `{"whole":"` + answer + `","steps":2,"streamed":"Let me ask.` + answer + `","usage":true}`,
		"langchain.mjs": `{"call":{"city":"Oslo"},"answer":"` + answer + `","streamed":"` + answer + `"}`,
	} {
		t.Run(script, func(t *testing.T) {
			sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(weather), Observe: func(ex simulator.Exchange) {
				t.Logf("%s %s %d %s", ex.Method, ex.Path, ex.Status, ex.StopReason)
			}})
			cmd := exec.CommandContext(ctx, "node", script)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "BASE_URL="+sim.URL())
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.Bytes())
			}
			var got, expected any
			if json.Unmarshal(out, &got) != nil || json.Unmarshal([]byte(want), &expected) != nil {
				t.Fatalf("no JSON: %s", out)
			}
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(expected)
			if !bytes.Equal(a, b) {
				t.Errorf("got  %s\nwant %s", a, b)
			}
		})
	}
}
