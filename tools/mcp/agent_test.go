package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/astool"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// shopTool is an agent that has to ask before it pays.
func shopTool(t *testing.T, url string, store memory.Store, paid *atomic.Int64) tools.Tool {
	t.Helper()
	client, err := anthropic.New(anthropic.Options{BaseURL: url, APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	a, err := agent.New(agent.Options{Name: "shop", Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{
		tools.Func("look", "Looks.", func(context.Context, struct{}) (string, error) { return "twelve euros", nil }),
		tools.FuncWith("pay", "Pays.", func(_ context.Context, in struct {
			Euros int `json:"euros"`
		}) (string, error) {
			paid.Add(1)
			return "paid", nil
		}, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	tool, err := astool.New(astool.Options{Agent: a, Name: "shop", Description: "Buys things.", Store: store})
	if err != nil {
		t.Fatal(err)
	}
	return tool
}

// shop serves it.
func shop(t *testing.T, url string, store memory.Store, key secret.Value, paid *atomic.Int64) *sdk.Server {
	t.Helper()
	server, err := mcp.NewServer(mcp.ServerOptions{Name: "shop", Version: "1", Tools: []tools.Tool{shopTool(t, url, store, paid)}, StateKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func shopModel(t *testing.T) string {
	return simulator.StartTest(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("look", map[string]any{})),
		simulator.Do(simulator.Call("pay", map[string]any{"euros": 12})),
		simulator.Say("It is on its way."),
	)}).URL()
}

// An agent is one tool: its tools are progress, its approval is the client's
// elicitation, and after that it goes on at another replica.
func TestAgentServed(t *testing.T) {
	var paid atomic.Int64
	url, store, key := shopModel(t), &memory.RAM{}, secret.New("0123456789abcdef0123456789abcdef")
	params := sdk.CallToolParams{Name: "shop", Arguments: json.RawMessage(`{"task":"Buy a shirt."}`)}
	first, err := connect(t, shop(t, url, store, key, &paid)).call(t, params)
	if err != nil || len(first.InputRequests) != 1 || paid.Load() != 0 {
		t.Fatalf("%+v, %v, paid %d times", first, err, paid.Load())
	}
	params.InputResponses, params.RequestState = sdk.InputResponseMap{}, first.RequestState
	for id, r := range first.InputRequests {
		if e := r.(*sdk.ElicitParams); !strings.Contains(e.Message, "pay") || !strings.Contains(e.Message, "12") {
			t.Errorf("asked: %s", e.Message)
		}
		params.InputResponses[id] = accept(map[string]any{"answer": "true"})
	}
	for range 2 { // a client may send the last round twice
		last, err := connect(t, shop(t, url, store, key, &paid)).call(t, params)
		if err != nil || len(last.Content) != 1 || last.Content[0].(*sdk.TextContent).Text != "It is on its way." || paid.Load() != 1 {
			t.Errorf("%+v, %v, paid %d times", last, err, paid.Load())
		}
	}
}

// The same through a Whorl client: the user is asked, and the progress comes through.
func TestAgentToAgent(t *testing.T) {
	for _, tt := range []struct {
		answer string
		paid   int64
	}{{`{"answer":"true"}`, 1}, {`{"answer":"false"}`, 0}} {
		var paid atomic.Int64
		c := overHandler(t, mcp.Handler(shop(t, shopModel(t), &memory.RAM{}, secret.Value{}, &paid)), mcp.Options{Ask: func(_ context.Context, q tools.Question) (tools.Answer, error) {
			return tools.Answer{Value: json.RawMessage(tt.answer)}, nil
		}})
		var mu sync.Mutex
		var steps []string
		ctx := tools.WithCall(t.Context(), tools.CallInfo{ID: "toolu_1", Progress: func(s string) {
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, s)
		}})
		r, err := list(t, c)["shop"].Call(ctx, json.RawMessage(`{"task":"Buy a shirt."}`))
		if err != nil || !strings.Contains(string(r.Content[0].Raw()), "on its way") || paid.Load() != tt.paid {
			t.Errorf("%v, %v, paid %d times", r, err, paid.Load())
		}
		mu.Lock()
		if got := strings.Join(steps, " "); !strings.HasPrefix(got, "look") {
			t.Errorf("progress: %s", got)
		}
		mu.Unlock()
	}
}

// An agent that is served as a task asks in the task, and goes on in any process.
func TestAgentServedAsATask(t *testing.T) {
	var paid atomic.Int64
	url, store := shopModel(t), &memory.RAM{}
	o := mcp.TaskOptions{Store: &memory.RAM{}}
	one, two := newReplica(t, o, shopTool(t, url, store, &paid)), newReplica(t, o, shopTool(t, url, store, &paid))
	result, failed := one.ask("tools/call", "shop", `"name":"shop","arguments":{"task":"Buy a shirt."}`)
	id := rawjson.GetString(result, "taskId")
	if id == "" {
		t.Fatalf("%s%s", result, failed)
	}
	asked := rawjson.Get(two.until(id, "input_required"), "inputRequests")
	n := 0
	for key, q := range rawjson.Members(asked) {
		if n++; paid.Load() != 0 || !strings.Contains(string(q), "pay") {
			t.Errorf("asked %s, paid %d times", q, paid.Load())
		}
		for range 2 {
			if _, failed := two.about("tasks/update", id, fmt.Sprintf(`,"inputResponses":{%q:{"action":"accept","content":{"answer":"true"}}}`, key)); failed != nil {
				t.Fatalf("%s", failed)
			}
		}
	}
	if got := string(one.until(id, "completed")); !strings.Contains(got, "on its way") || n != 1 || paid.Load() != 1 {
		t.Errorf("%s; %d questions, paid %d times", got, n, paid.Load())
	}
}
