package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/astool"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/tools/mcp/oauth"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// A server and a client of it, over HTTP.
func ExampleNewServer() {
	ctx := context.Background()
	// region serve
	order := tools.Func("order", "Orders flowers.", func(ctx context.Context, in struct {
		Kind string `json:"kind"`
	}) (string, error) {
		host, _ := tools.HostOf(ctx) // the client's user
		answer, err := host.Ask(ctx, tools.Question{Key: "card", Prompt: "What shall the card say?", Schema: json.RawMessage(`{"type":"string"}`)})
		if err != nil {
			return "", err // also while the answer isn't there yet
		}
		return fmt.Sprintf("%s, with a card: %s", in.Kind, answer.Value), nil
	})
	server, err := mcp.NewServer(mcp.ServerOptions{
		Name: "florist", Version: "1", Tools: []tools.Tool{order},
		Resources: []mcp.Resource{{URI: "price://{kind}", Name: "price", Read: func(_ context.Context, _ string, parts map[string]string) ([]transport.Block, error) {
			return []transport.Block{transport.Text("a " + parts["kind"] + " is two euros")}, nil
		}}},
		Prompts: []mcp.Prompt{{Name: "condole", Messages: func(context.Context, map[string]string) ([]transport.Message, error) {
			return []transport.Message{transport.UserText("Choose flowers for a funeral.")}, nil
		}}},
		StateKey: secret.FromEnv("STATE_KEY"), // the same in all replicas
	})
	if err != nil {
		log.Fatal(err)
	}
	handler := mcp.Handler(server) // an http.Handler without sessions
	// endregion
	web := httptest.NewServer(handler)
	defer web.Close()
	defer web.CloseClientConnections()

	// region client
	client, err := mcp.HTTP(ctx, web.URL, nil, mcp.Options{
		Prefix: "florist_",
		Ask: func(_ context.Context, q tools.Question) (tools.Answer, error) {
			return tools.Answer{Value: json.RawMessage(`{"answer":"With love"}`)}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	list, err := client.Tools(ctx) // for agent.Options.Tools
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	result, err := list[0].(tools.Callable).Call(ctx, json.RawMessage(`{"kind":"rose"}`))
	if err != nil {
		log.Fatal(err)
	}
	price, err := client.ReadResource(ctx, "price://rose")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(result.Content[0].Raw()))
	fmt.Println(string(price[0].Raw()))
	// Output:
	// {"type":"text","text":"rose, with a card: \"With love\""}
	// {"type":"document","source":{"type":"text","media_type":"text/plain","data":"a rose is two euros"},"title":"price://rose"}
}

// A server that is a program, by its command.
func ExampleCommand() {
	ctx := context.Background()
	client, err := mcp.Command(ctx, func() *exec.Cmd {
		cmd := exec.Command("npx", "-y", "@modelcontextprotocol/server-filesystem", "/srv/docs")
		cmd.Env = []string{"PATH=/usr/bin:/bin"} // and none of this program's keys
		return cmd
	}, mcp.Options{Only: []string{"read_text_file"}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	list, err := client.Tools(ctx)
	if err != nil {
		log.Fatal(err)
	}
	service, err := anthropic.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: service, Model: "claude-opus-5-5", Tools: list}) // and your own
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Prompt: "What is in the docs?"})
	fmt.Println(res.Text, err)
}

// A server that wants the user's authorization.
func ExampleOptions_oauth() {
	ctx := context.Background()
	loopback, err := oauth.NewLoopback(func(_ context.Context, address string) error {
		fmt.Println("Open this page, and allow it:", address)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	defer loopback.Close()
	h, err := oauth.New("https://example.com/mcp", oauth.Options{
		RedirectURL: loopback.URL(), Authorize: loopback.Authorize,
		Tokens: oauth.Dir("/var/lib/app/tokens"), Tenant: "ann",
	})
	if err != nil {
		log.Fatal(err)
	}
	client, err := mcp.HTTP(ctx, "https://example.com/mcp", nil, mcp.Options{OAuth: h})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
}

// An agent is one tool of a server.
func ExampleNewServer_agent() {
	serve := func(a *agent.Agent, store memory.Store, key secret.Value) (http.Handler, error) {
		tool, err := astool.New(astool.Options{Agent: a, Name: "research", Description: "Looks things up.", Store: store})
		if err != nil {
			return nil, err
		}
		server, err := mcp.NewServer(mcp.ServerOptions{Name: "research", Version: "1", Tools: []tools.Tool{tool}, StateKey: key})
		if err != nil {
			return nil, err
		}
		return mcp.Handler(server), nil
	}
	_, err := serve(nil, &memory.RAM{}, secret.Value{})
	fmt.Println(err)
	// Output: astool: Options.Agent is nil; make one with agent.New
}

// A tool that takes hours is served as a task, which outlives the server.
func ExampleNewTasks() {
	serve := func(report tools.Tool, store memory.Store, key secret.Value) (http.Handler, error) {
		tasks, err := mcp.NewTasks(mcp.TaskOptions{Store: store, TTL: 7 * 24 * time.Hour})
		if err != nil {
			return nil, err
		}
		server, err := mcp.NewServer(mcp.ServerOptions{Name: "reports", Version: "1", Tools: []tools.Tool{report}, Tasks: tasks, StateKey: key})
		if err != nil {
			return nil, err
		}
		return mcp.Handler(server), nil // and tasks.Close when the program ends
	}
	_, err := serve(nil, &memory.RAM{}, secret.Value{})
	fmt.Println(err)
	// Output: mcp: tool 0 is nil
}
