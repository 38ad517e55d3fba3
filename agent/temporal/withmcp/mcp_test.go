package withmcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/nexus-rpc/sdk-go/nexus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/temporal"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// registry is a worker.Registry of a test's environment.
type registry struct {
	*testsuite.TestWorkflowEnvironment
}

func (registry) RegisterNexusService(*nexus.Service) {}

type query struct {
	City string `json:"city" jsonschema_description:"The city to look for"`
}

// A server is an MCP server with the tool "weather", over HTTP.
type server struct {
	url  string
	ran  atomic.Int64
	down atomic.Bool
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := new(server)
	made, err := mcp.Serve("weather", "1", tools.Func("weather", "Tells the weather.", func(_ context.Context, q query) (string, error) {
		s.ran.Add(1)
		if q.City == "Atlantis" {
			return "", errors.New("there is no such city")
		}
		return "sunny in " + q.City, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	inner := mcp.Handler(made)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	s.url = web.URL
	return s
}

// run sends a message to an agent that has the tools, and has the session run.
func run(t *testing.T, store memory.Store, cities []string, set func(context.Context) ([]tools.Tool, error), during func(*testsuite.TestWorkflowEnvironment)) (results []string, defs []transport.ToolDefinition) {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		defs = append(defs[:0:0], turn.Tools...)
		r := simulator.Say("done")
		if n := len(turn.Messages) / 2; n < len(cities) {
			r = simulator.Do(simulator.Call("weather", map[string]any{"city": cities[n]}))
		}
		return &r, nil
	})})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Submit(t.Context(), store, "ann", transport.UserText("the weather?"), nil); err != nil {
		t.Fatal(err)
	}
	env := new(testsuite.WorkflowTestSuite).NewTestWorkflowEnvironment()
	env.SetTestTimeout(30 * time.Second)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: temporal.ID("ann"), TaskQueue: "test"})
	err = temporal.Register(registry{env}, temporal.Options{Store: store, Run: func(ctx context.Context, _ memory.Info) (*agent.Agent, agent.Input, error) {
		list, err := set(ctx)
		if err != nil {
			return nil, agent.Input{}, err
		}
		a, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", Tools: list})
		return a, agent.Input{}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if during != nil {
		during(env)
	}
	info, err := store.Info(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	env.ExecuteWorkflow(temporal.Workflow, temporal.Payload{Session: "ann", Records: info.Records})
	if err := env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	log, err := memory.Open(t.Context(), store, "ann")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range log.Records(0) {
		if r.Kind == memory.KindResult {
			results = append(results, string(r.Block.Raw()))
		}
	}
	if next := agent.Next(log); !next.Done() || next.Err != nil {
		t.Errorf("next: %+v", next)
	}
	return results, defs
}

// The tools of a server, with their schemas, on a connection that the worker makes once.
func TestToolsOfAServer(t *testing.T) {
	s := newServer(t)
	c, err := mcp.HTTP(t.Context(), s.url, nil, mcp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	list, err := c.Tools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	results, defs := run(t, new(memory.RAM), []string{"Lisbon", "Atlantis", "Porto"}, func(context.Context) ([]tools.Tool, error) { return list, nil }, nil)
	for i, want := range []string{"sunny in Lisbon", "there is no such city", "sunny in Porto"} {
		if i >= len(results) || !strings.Contains(results[i], want) {
			t.Errorf("result %d of %q, want %s", i, results, want)
		}
	}
	if len(defs) != 1 || !strings.Contains(string(rawjson.Get(defs[0].Raw(), "input_schema")), "The city to look for") {
		t.Errorf("the definitions: %v", defs)
	}
	if s.ran.Load() != 3 {
		t.Errorf("%d calls", s.ran.Load())
	}
}

// A program that connects for each action, and lists the tools again, works as well.
func TestAConnectionForEachAction(t *testing.T) {
	s := newServer(t)
	connects := 0
	set := func(ctx context.Context) ([]tools.Tool, error) {
		connects++
		c, err := mcp.HTTP(ctx, s.url, nil, mcp.Options{})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { c.Close() })
		return c.Tools(ctx)
	}
	results, _ := run(t, new(memory.RAM), []string{"Lisbon"}, set, nil)
	if len(results) != 1 || !strings.Contains(results[0], "sunny in Lisbon") || connects != 3 {
		t.Errorf("%q, %d connections", results, connects)
	}
}

// A server that can't be reached when the tools are listed is asked again by the next
// attempt; nothing of the failure is kept.
func TestAServerThatIsAway(t *testing.T) {
	s := newServer(t)
	s.down.Store(true)
	attempts := 0
	set := func(ctx context.Context) ([]tools.Tool, error) {
		if attempts++; attempts == 3 {
			s.down.Store(false)
		}
		c, err := mcp.HTTP(ctx, s.url, nil, mcp.Options{})
		if err != nil {
			return nil, fmt.Errorf("the weather server: %w", err)
		}
		t.Cleanup(func() { c.Close() })
		return c.Tools(ctx)
	}
	results, _ := run(t, new(memory.RAM), []string{"Lisbon"}, set, nil)
	if len(results) != 1 || !strings.Contains(results[0], "sunny in Lisbon") || attempts != 5 {
		t.Errorf("%q, %d attempts", results, attempts)
	}
}

// A server's tool that wants approval waits in the workflow. It runs once if it is allowed,
// and not at all if it is denied.
func TestApprovalOfAServersTool(t *testing.T) {
	for _, update := range []string{temporal.Approve, temporal.Deny} {
		s := newServer(t)
		c, err := mcp.HTTP(t.Context(), s.url, nil, mcp.Options{Traits: func(*sdk.Tool) tools.Traits { return tools.Traits{NeedsApproval: true} }})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		list, err := c.Tools(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		store := new(memory.RAM)
		results, _ := run(t, store, []string{"Lisbon"}, func(context.Context) ([]tools.Tool, error) { return list, nil }, func(env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() {
				log, err := memory.Open(t.Context(), store, "ann")
				if err != nil || s.ran.Load() != 0 {
					t.Error(err, s.ran.Load())
					return
				}
				env.UpdateWorkflow(update, "1", &testsuite.TestUpdateCallback{OnAccept: func() {}, OnReject: func(err error) { t.Error(err) }, OnComplete: func(_ any, err error) {
					if err != nil {
						t.Error(err)
					}
				}}, temporal.Request{Call: agent.Pending(log)[0].CallID, Reason: "not today"})
			}, time.Hour)
		})
		want, ran := "sunny in Lisbon", int64(1)
		if update == temporal.Deny {
			want, ran = "not today", 0
		}
		if len(results) != 1 || !strings.Contains(results[0], want) || s.ran.Load() != ran {
			t.Errorf("%s: %q, %d calls", update, results, s.ran.Load())
		}
	}
}
