package mcpskill

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

type item struct {
	Name string `json:"name"`
}

// TestMain is the MCP server, too: the test starts itself as one.
func TestMain(m *testing.M) {
	if os.Getenv("TASKS_SERVE") == "" {
		os.Exit(m.Run())
	}
	server, err := mcp.Serve("stock", "1",
		tools.Func("count", "Counts what is in stock.", func(_ context.Context, i item) (string, error) { return "12 of " + i.Name, nil }),
		tools.Func("sell", "Sells all of it.", func(context.Context, item) (string, error) { return "sold", nil }))
	if err == nil {
		err = server.Run(context.Background(), &sdk.StdioTransport{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestServerAndSkill(t *testing.T) {
	var seen strings.Builder // by the model
	model := simulator.Script(
		simulator.Do(simulator.Call("skill", map[string]any{"name": "report"})),
		simulator.Do(simulator.Call("stock_count", item{"snails"})),
		simulator.Say("12 snails. As of this morning."),
	)
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		for _, m := range turn.Messages {
			for _, b := range m.Content {
				fmt.Fprintf(&seen, "%s\n", b.Raw())
			}
		}
		if turn.HasTool("stock_sell") {
			t.Error("the model has a tool that Options.Only doesn't name")
		}
		return model.Respond(ctx, turn)
	})})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	serve := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"TASKS_SERVE=1"} // and none of this program's keys
		return cmd
	}
	text, err := answer(t.Context(), client, serve, "skills", "How many snails do we have?")
	if err != nil || text != "12 snails. As of this morning." {
		t.Fatalf("%q, %v", text, err)
	}
	for _, want := range []string{"How the shop reports its stock", "Give the number first", "12 of snails"} {
		if !strings.Contains(seen.String(), want) {
			t.Errorf("the model hasn't read %q in\n%s", want, &seen)
		}
	}
}
