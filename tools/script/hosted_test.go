package script_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/script"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// The service's own programs call the same tools, by tool_use blocks that name their
// caller: the gate judges them, and their results go back alone (wire §4.4).
func TestTheServicesProgramsCallTheSameTools(t *testing.T) {
	answers := []string{
		`{"type":"server_tool_use","id":"srvtoolu_1","name":"code_execution","input":{"code":"read(); write()"}},` +
			`{"type":"tool_use","id":"toolu_1","name":"read","input":{"id":"a"},"caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_1"}},` +
			`{"type":"tool_use","id":"toolu_2","name":"write","input":{"id":"b"},"caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_1"}}`,
		`{"type":"code_execution_tool_result","tool_use_id":"srvtoolu_1","content":{"type":"code_execution_result","stdout":"x","stderr":"","return_code":0,"content":[]}},{"type":"text","text":"Done."}`,
	}
	var bodies []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		stop := []string{"tool_use", "end_turn"}[len(bodies)]
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"msg_%d","type":"message","role":"assistant","model":"claude-opus-5-5","content":[%s],"stop_reason":%q,"stop_sequence":null,"container":{"id":"container_1","expires_at":"2099-01-01T00:00:00Z"},"usage":{"input_tokens":10,"output_tokens":10}}`,
			len(bodies), answers[len(bodies)], stop)
		bodies = append(bodies, string(body))
	}))
	defer srv.Close()
	c, err := anthropic.New(anthropic.Options{BaseURL: srv.URL, APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{runs: make(map[string]int)}
	byCode := func(name string) tools.Tool {
		return tools.FuncWith(name, "Does it.", func(_ context.Context, in in) (string, error) {
			w.did(name + " " + in.ID)
			return "done", nil
		}, tools.Options{AllowedCallers: []string{"code_execution_20260120"}})
	}
	var asked []string
	list := []tools.Tool{byCode("read"), byCode("write")}
	a, err := agent.New(agent.Options{
		Client: c, Model: "claude-opus-5-5",
		Tools: append([]tools.Tool{tools.CodeExecution{Version: "20260120"}, script.New(script.Options{Tools: list})}, list...),
		Gate: func(_ context.Context, r agent.ToolRequest) agent.Decision {
			asked = append(asked, r.Call.Name)
			if r.Call.Name == "write" {
				return agent.Decision{Permission: agent.Deny, Reason: "read only"}
			}
			return agent.Decision{}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	res, err := a.Run(t.Context(), agent.Input{Prompt: "go"})
	if err != nil || res.Text != "Done." || w.runs["read a"] != 1 || w.runs["write b"] != 0 || fmt.Sprint(asked) != "[read write]" {
		t.Fatalf("%v, %v, asked %v: %q", err, w.runs, asked, res.Text)
	}
	if !strings.Contains(bodies[1], `"container":"container_1"`) || !strings.Contains(bodies[1], "not permitted: read only") || !strings.Contains(bodies[1], `"caller":{"type":"code_execution_20260120","tool_id":"srvtoolu_1"}`) {
		t.Errorf("%s", bodies[1])
	}
}
