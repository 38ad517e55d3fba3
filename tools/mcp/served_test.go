package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/secret"
)

// orders is a tool that asks twice, notes what it has begun, and orders once for each
// call that gets through.
func orders(ordered *atomic.Int64) tools.Tool {
	return tools.Func("order", "Orders.", func(ctx context.Context, in struct {
		What string `json:"what"`
	}) (string, error) {
		host, _ := tools.HostOf(ctx)
		notes, err := host.Notes(ctx, "begun")
		if err != nil {
			return "", err
		}
		if len(notes) == 0 {
			if err := host.Note(ctx, "begun", json.RawMessage(`"secret-note-0815"`)); err != nil {
				return "", err
			}
		}
		size, err := host.Ask(ctx, tools.Question{Key: "size", Prompt: "Which size?", Choices: []tools.Choice{
			{Value: json.RawMessage(`{"cm":30}`), Label: "small"}, {Value: json.RawMessage(`{"cm":50}`), Label: "large"}}})
		if err != nil {
			return "", err
		}
		sure, err := host.Ask(ctx, tools.Question{Key: "sure", Prompt: "Sure?", Schema: json.RawMessage(`{"type":"boolean"}`)})
		if err != nil {
			return "", err
		}
		ordered.Add(1)
		return fmt.Sprintf("%s %s %s %d", in.What, size.Value, sure.Value, len(notes)), nil
	})
}

func order(t *testing.T, o mcp.ServerOptions) (*sdk.Server, *atomic.Int64) {
	t.Helper()
	var ordered atomic.Int64
	o.Name, o.Version, o.Tools = "orders", "1", append(o.Tools, orders(&ordered))
	server, err := mcp.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	return server, &ordered
}

// What a served tool asks goes to the client's user, in rounds or, with older clients,
// while the call runs; it orders once.
func TestServedToolAsks(t *testing.T) {
	ask := func(_ context.Context, q tools.Question) (tools.Answer, error) {
		switch q.Prompt {
		case "Which size?":
			if !strings.Contains(string(q.Schema), `"title":"large"`) {
				t.Errorf("asked with %s", q.Schema)
			}
			return tools.Answer{Value: json.RawMessage(`{"answer":"{\"cm\":50}"}`)}, nil
		case "Sure?":
			return tools.Answer{Value: json.RawMessage(`{"answer":true}`)}, nil
		}
		return tools.Answer{}, errors.New("what is this question?")
	}
	for name, handler := range map[string]func(*sdk.Server) http.Handler{"rounds": mcp.Handler, "in the call": inCall} {
		t.Run(name, func(t *testing.T) {
			server, ordered := order(t, mcp.ServerOptions{})
			c := overHandler(t, handler(server), mcp.Options{Ask: ask})
			got := call(t, list(t, c)["order"], `{"what":"tea"}`)
			notes := map[string]string{"rounds": "1", "in the call": "0"}[name] // from earlier rounds
			if got != `tea {"cm":50} true `+notes || ordered.Load() != 1 {
				t.Errorf("%s, ordered %d times", got, ordered.Load())
			}
		})
	}
}

// inCall serves as servers did before revision 2026-07-28.
func inCall(server *sdk.Server) http.Handler {
	h := sessions(server)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Method") == "server/discover" {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func overHandler(t *testing.T, h http.Handler, o mcp.Options) *mcp.Client {
	t.Helper()
	server := httptest.NewServer(h)
	c, err := mcp.HTTP(t.Context(), server.URL, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); server.CloseClientConnections(); server.Close() })
	return c
}

// A client that can't be asked gets an error that says so, and a user who declines is
// heard.
func TestServedToolHasNobodyToAsk(t *testing.T) {
	server, ordered := order(t, mcp.ServerOptions{})
	if got := call(t, list(t, overHandler(t, mcp.Handler(server), mcp.Options{}))["order"], `{"what":"tea"}`); !strings.Contains(got, "nobody to ask") {
		t.Errorf("without elicitation: %s", got)
	}
	_, err := connect(t, server).CallTool(t.Context(), &sdk.CallToolParams{Name: "order", Arguments: json.RawMessage(`{"what":"tea"}`)})
	var wire *jsonrpc.Error
	if !errors.As(err, &wire) || wire.Code != sdk.CodeMissingRequiredClientCapabilities || !strings.Contains(string(wire.Data), "elicitation") {
		t.Errorf("on the wire: %v", err)
	}
	c := overHandler(t, mcp.Handler(server), mcp.Options{Ask: func(context.Context, tools.Question) (tools.Answer, error) {
		return tools.Answer{}, tools.ErrDeclined
	}})
	if got := call(t, list(t, c)["order"], `{"what":"tea"}`); !strings.Contains(got, tools.ErrDeclined.Error()) || ordered.Load() != 0 {
		t.Errorf("declined: %s", got)
	}
}

// rounds calls a tool as a client of the SDK, round by round.
type rounds struct {
	*sdk.ClientSession
}

func (r *rounds) call(t *testing.T, p sdk.CallToolParams) (*sdk.CallToolResult, error) {
	t.Helper()
	p.Meta = sdk.Meta{sdk.MetaKeyClientCapabilities: map[string]any{"elicitation": map[string]any{"form": struct{}{}}}}
	return r.CallTool(t.Context(), &p)
}

func connect(t *testing.T, server *sdk.Server) *rounds {
	t.Helper()
	h := httptest.NewServer(mcp.Handler(server))
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, &sdk.ClientOptions{MultiRoundTrip: &sdk.MultiRoundTripOptions{Disabled: true}})
	session, err := client.Connect(t.Context(), &sdk.StreamableClientTransport{Endpoint: h.URL, DisableStandaloneSSE: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close(); h.CloseClientConnections(); h.Close() })
	return &rounds{ClientSession: session}
}

func accept(content map[string]any) *sdk.ElicitResult {
	return &sdk.ElicitResult{Action: "accept", Content: content}
}

// A call goes on at another replica that has the same key, and at none that hasn't; its
// state can't be read, changed, used for another call, or by another version of it.
func TestStateBetweenReplicas(t *testing.T) {
	key := secret.New("0123456789abcdef0123456789abcdef")
	first, ordered1 := order(t, mcp.ServerOptions{StateKey: key})
	second, ordered2 := order(t, mcp.ServerOptions{StateKey: key})
	stranger, ordered3 := order(t, mcp.ServerOptions{})
	params := sdk.CallToolParams{Name: "order", Arguments: json.RawMessage(`{"what":"tea"}`)}
	r, err := connect(t, first).call(t, params)
	if err != nil || !r.NeedsInput() || r.InputRequests["size"] == nil || r.RequestState == "" {
		t.Fatalf("first round: %+v, %v", r, err)
	}
	if strings.Contains(r.RequestState, "secret-note") {
		t.Error("the state can be read")
	}
	at := connect(t, second)
	next := params
	next.RequestState, next.InputResponses = r.RequestState, sdk.InputResponseMap{"size": accept(map[string]any{"answer": `{"cm":30}`})}
	r2, err := at.call(t, next)
	if err != nil || !r2.NeedsInput() || r2.InputRequests["sure"] == nil || r2.InputRequests["size"] != nil {
		t.Fatalf("second round: %+v, %v", r2, err)
	}
	last := params
	last.RequestState, last.InputResponses = r2.RequestState, sdk.InputResponseMap{"sure": accept(map[string]any{"answer": true})}
	changed := last
	changed.RequestState = "A" + last.RequestState[1:]
	if last.RequestState[0] == 'A' {
		changed.RequestState = "B" + last.RequestState[1:]
	}
	other := last
	other.Arguments = json.RawMessage(`{"what":"coffee"}`)
	for name, p := range map[string]sdk.CallToolParams{"changed": changed, "for other arguments": other} {
		if r, err := at.call(t, p); err == nil || !strings.Contains(err.Error(), "not from this server") {
			t.Errorf("a state %s: %+v, %v", name, r, err)
		}
	}
	if r, err := connect(t, stranger).call(t, last); err == nil || !strings.Contains(err.Error(), "not from this server") {
		t.Errorf("a state of another server: %+v, %v", r, err)
	}
	r3, err := connect(t, first).call(t, last)
	if err != nil || len(r3.Content) != 1 || r3.Content[0].(*sdk.TextContent).Text != `tea {"cm":30} true 1` {
		t.Fatalf("third round: %+v, %v", r3, err)
	}
	if ordered1.Load() != 1 || ordered2.Load() != 0 || ordered3.Load() != 0 {
		t.Errorf("ordered %d, %d, %d times", ordered1.Load(), ordered2.Load(), ordered3.Load())
	}
	if _, err := mcp.NewServer(mcp.ServerOptions{StateKey: secret.New("short")}); err == nil {
		t.Error("a short key is taken")
	}
}

// An answer that doesn't fit is asked for again.
func TestAnswerThatDoesNotFit(t *testing.T) {
	server, ordered := order(t, mcp.ServerOptions{})
	c := connect(t, server)
	params := sdk.CallToolParams{Name: "order", Arguments: json.RawMessage(`{"what":"tea"}`)}
	for _, content := range []map[string]any{{}, {"answer": "medium"}, {"answer": 7}, nil} {
		params.InputResponses = sdk.InputResponseMap{"size": accept(content), "else": accept(nil)}
		r, err := c.call(t, params)
		if err != nil || r.InputRequests["size"] == nil || ordered.Load() != 0 {
			t.Errorf("%v: %+v, %v", content, r, err)
		}
	}
}

// What a server offers beside tools reads at a client as it was written.
func TestServedResourcesAndPrompts(t *testing.T) {
	picture, err := tools.Image{Data: png1x1}.Block()
	if err != nil {
		t.Fatal(err)
	}
	server, err := mcp.NewServer(mcp.ServerOptions{
		Name: "notes", Version: "1", Instructions: "Read before you write.",
		Resources: []mcp.Resource{
			{URI: "notes://all", Name: "all", MediaType: "text/markdown", Read: func(context.Context, string, map[string]string) ([]transport.Block, error) {
				return []transport.Block{transport.Text("# all"), picture}, nil
			}},
			{URI: "notes://day/{day}", Name: "day", Read: func(_ context.Context, uri string, parts map[string]string) ([]transport.Block, error) {
				switch parts["day"] {
				case "never":
					return nil, fmt.Errorf("%s: %w", uri, mcp.ErrNoResource)
				case "panic":
					panic("secret stack")
				}
				return []transport.Block{transport.Text("on " + parts["day"])}, nil
			}, Complete: func(_ context.Context, argument, typed string, _ map[string]string) ([]string, error) {
				return []string{argument + ":" + typed}, nil
			}},
		},
		Prompts: []mcp.Prompt{{Name: "greet", Arguments: []mcp.PromptArgument{{Name: "who", Required: true}},
			Messages: func(_ context.Context, a map[string]string) ([]transport.Message, error) {
				return []transport.Message{transport.UserText("Hello, I am " + a["who"]), {Role: transport.RoleAssistant, Content: []transport.Block{transport.Text("Hi!")}}}, nil
			}, Complete: func(context.Context, string, string, map[string]string) ([]string, error) {
				return make([]string, 150), nil
			}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := overHandler(t, mcp.Handler(server), mcp.Options{})
	blocks, err := c.ReadResource(t.Context(), "notes://all")
	if err != nil || len(blocks) != 2 || !strings.Contains(string(blocks[0].Raw()), "# all") || blocks[1].Type() != transport.TypeImage {
		t.Errorf("notes://all: %v, %v", blocks, err)
	}
	blocks, err = c.ReadResource(t.Context(), "notes://day/monday")
	if err != nil || len(blocks) != 1 || !strings.Contains(string(blocks[0].Raw()), "on monday") {
		t.Errorf("notes://day/monday: %v, %v", blocks, err)
	}
	for uri, want := range map[string]string{"notes://day/never": "not found", "notes://day/panic": "the resource failed", "else://x": "not found"} {
		if _, err := c.ReadResource(t.Context(), uri); err == nil || !strings.Contains(strings.ToLower(err.Error()), want) || strings.Contains(err.Error(), "secret stack") {
			t.Errorf("%s: %v", uri, err)
		}
	}
	messages, err := c.Prompt(t.Context(), "greet", map[string]string{"who": "Ann"})
	if err != nil || len(messages) != 2 || !strings.Contains(string(messages[0].AppendJSON(nil)), "I am Ann") || messages[1].Role != transport.RoleAssistant {
		t.Errorf("greet: %v, %v", messages, err)
	}
	if _, err := c.Prompt(t.Context(), "greet", nil); err == nil || !strings.Contains(err.Error(), `"who" is missing`) {
		t.Errorf("greet without its argument: %v", err)
	}
	session := connect(t, server)
	for _, tt := range []struct {
		ref  *sdk.CompleteReference
		want int
	}{{&sdk.CompleteReference{Type: "ref/prompt", Name: "greet"}, 100}, {&sdk.CompleteReference{Type: "ref/resource", URI: "notes://day/{day}"}, 1}} {
		r, err := session.Complete(t.Context(), &sdk.CompleteParams{Ref: tt.ref, Argument: sdk.CompleteParamsArgument{Name: "day", Value: "mo"}})
		if err != nil || len(r.Completion.Values) != tt.want || r.Completion.HasMore != (tt.want == 100) {
			t.Errorf("%+v: %+v, %v", tt.ref, r, err)
		}
	}
	if _, err := session.Complete(t.Context(), &sdk.CompleteParams{Ref: &sdk.CompleteReference{Type: "ref/prompt", Name: "none"}, Argument: sdk.CompleteParamsArgument{Name: "x"}}); err == nil {
		t.Error("a prompt that is not served is completed")
	}
}

// A server that can't be made says why.
func TestServerOptions(t *testing.T) {
	read := func(context.Context, string, map[string]string) ([]transport.Block, error) { return nil, nil }
	for want, o := range map[string]mcp.ServerOptions{
		"needs a URI":   {Resources: []mcp.Resource{{Name: "x", Read: read}}},
		"no absolute":   {Resources: []mcp.Resource{{URI: "notes", Read: read}}},
		"no scheme":     {Resources: []mcp.Resource{{URI: "{day}", Read: read}}},
		"URI template":  {Resources: []mcp.Resource{{URI: "notes://{", Read: read}}},
		"needs a Name":  {Prompts: []mcp.Prompt{{Name: "x"}}},
		"two tools":     {Tools: []tools.Tool{asker("a"), asker("a")}},
		"tool 0 is nil": {Tools: []tools.Tool{nil}},
	} {
		if _, err := mcp.NewServer(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A list is read again only after its time to live, and is the same then, byte by byte.
func TestTimeToLive(t *testing.T) {
	for _, tt := range []struct {
		ttl  time.Duration
		want int64
	}{{time.Hour, 1}, {0, 3}} {
		schema := json.RawMessage(`{"type":"object","properties":{"z":{"type":"integer","maximum":9007199254740993},"a":{"type":"string"}}}`)
		server, err := mcp.NewServer(mcp.ServerOptions{Name: "x", Version: "1", TTL: tt.ttl, Tools: []tools.Tool{
			tools.Raw("do", "Does.", schema, func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Text("done"), nil })}})
		if err != nil {
			t.Fatal(err)
		}
		var lists atomic.Int64
		handler := mcp.Handler(server)
		c := overHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Mcp-Method") == "tools/list" {
				lists.Add(1)
			}
			handler.ServeHTTP(w, r)
		}), mcp.Options{Traits: func(tool *sdk.Tool) tools.Traits {
			if len(tool.Meta) > 0 {
				t.Errorf("the server's tool has %v", tool.Meta)
			}
			return tools.Traits{}
		}})
		first := definition(t, list(t, c)["do"])
		list(t, c)
		if again := definition(t, list(t, c)["do"]); again != first || !strings.Contains(again, "9007199254740993") {
			t.Errorf("first %s\nthen  %s", first, again)
		}
		if lists.Load() != tt.want {
			t.Errorf("with a ttl of %v it was listed %d times", tt.ttl, lists.Load())
		}
	}
}

// A call that its client gives up is cancelled where it runs, with sessions and without,
// over HTTP and over a pipe.
func TestCancelledAtTheServer(t *testing.T) {
	for _, over := range []string{"stateless", "sessions", "pipe"} {
		t.Run(over, func(t *testing.T) {
			begun, ended := make(chan struct{}), make(chan struct{})
			server, err := mcp.Serve("hangs", "1", tools.Func("hang", "Hangs.", func(ctx context.Context, _ struct{}) (string, error) {
				close(begun)
				<-ctx.Done()
				close(ended)
				return "", ctx.Err()
			}))
			if err != nil {
				t.Fatal(err)
			}
			var c *mcp.Client
			switch over {
			case "stateless":
				c = overHandler(t, mcp.Handler(server), mcp.Options{})
			case "sessions":
				c = overHandler(t, inCall(server), mcp.Options{})
			default:
				c = inMemory(t, server, mcp.Options{})
			}
			hang := list(t, c)["hang"]
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-begun; cancel() }()
			if _, err := hang.Call(ctx, json.RawMessage(`{}`)); !errors.Is(err, context.Canceled) {
				t.Errorf("the error is %v", err)
			}
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Error("the tool runs on")
			}
		})
	}
}
