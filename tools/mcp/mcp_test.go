package mcp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// TestMain runs the test binary as an MCP server when it is started as one.
func TestMain(m *testing.M) {
	if mode := os.Getenv("WHORL_MCP_RAW"); mode != "" {
		rawServer(mode, os.Stdin, os.Stdout)
		return
	}
	if scenario := os.Getenv("MCP_CONFORMANCE_SCENARIO"); scenario != "" {
		if err := conformanceClient(context.Background(), scenario, os.Args[len(os.Args)-1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv("WHORL_MCP_SERVER") == "" {
		goleak.VerifyTestMain(m)
		return
	}
	server, err := mcp.Serve("test", "1", ownTools()...)
	if err == nil {
		err = server.Run(context.Background(), &sdk.StdioTransport{})
	}
	if err != nil {
		os.Exit(1)
	}
}

type sum struct {
	A int64 `json:"a"`
	B int64 `json:"b"`
}

func ownTools() []tools.Tool {
	return []tools.Tool{
		tools.FuncWith("add", "Adds.", func(_ context.Context, in sum) (int64, error) { return in.A + in.B, nil },
			tools.Options{Traits: tools.Traits{ReadOnly: true}}),
		tools.Raw("echo", "Gives its arguments back.", nil, func(_ context.Context, in json.RawMessage) (tools.Result, error) {
			return tools.Text(string(in)), nil
		}),
		tools.Func("look", "", func(context.Context, struct{}) ([]tools.Content, error) {
			return []tools.Content{tools.Image{Data: png1x1}, tools.Document{Text: "a text", Title: "t"}, tools.Document{Data: pdf1}}, nil
		}),
		tools.Func("fail", "", func(context.Context, struct{}) (string, error) { return "", errors.New("no such luck") }),
		tools.Func("panic", "", func(context.Context, struct{}) (string, error) { panic("secret stack") }),
		tools.Func("crash", "", func(context.Context, struct{}) (string, error) { os.Exit(3); return "", nil }),
		tools.Func("hang", "", func(ctx context.Context, _ struct{}) (string, error) { <-ctx.Done(); return "", ctx.Err() }),
	}
}

// inMemory connects a client to a server in this process.
func inMemory(t testing.TB, server *sdk.Server, o mcp.Options) *mcp.Client {
	ctx, cancel := context.WithCancel(context.Background())
	c, err := mcp.Connect(t.Context(), func() sdk.Transport {
		near, far := sdk.NewInMemoryTransports()
		go server.Run(ctx, far)
		return near
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); cancel() })
	return c
}

func stdio(t testing.TB, o mcp.Options) *mcp.Client {
	c, err := mcp.Command(t.Context(), func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"WHORL_MCP_SERVER=1"}
		return cmd
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func serve(t testing.TB) *sdk.Server {
	server, err := mcp.Serve("test", "1", ownTools()...)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func list(t testing.TB, c *mcp.Client) map[string]tools.Callable {
	set, err := c.Tools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]tools.Callable{}
	for _, tool := range set {
		def, err := tool.Definition()
		if err != nil {
			t.Fatal(err)
		}
		byName[def.Name()] = tool.(tools.Callable)
	}
	return byName
}

func call(t testing.TB, tool tools.Callable, input string) string {
	r, err := tool.Call(t.Context(), json.RawMessage(input))
	if err != nil {
		return "!" + err.Error()
	}
	var b strings.Builder
	if r.IsError {
		b.WriteString("!")
	}
	for _, block := range r.Content {
		if block.Type() == transport.TypeText {
			b.WriteString(rawjson.GetString(block.Raw(), "text"))
		} else {
			b.Write(block.Raw())
		}
	}
	return b.String()
}

func TestCalls(t *testing.T) {
	connections := map[string]func(t *testing.T) *mcp.Client{
		"in memory": func(t *testing.T) *mcp.Client { return inMemory(t, serve(t), mcp.Options{}) },
		"stdio":     func(t *testing.T) *mcp.Client { return stdio(t, mcp.Options{}) },
		"http": func(t *testing.T) *mcp.Client {
			server := serve(t)
			s := httptest.NewServer(sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, nil))
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			c, err := mcp.HTTP(t.Context(), s.URL, client, mcp.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close(); s.Close() })
			return c
		},
	}
	for name, connect := range connections {
		t.Run(name, func(t *testing.T) {
			set := list(t, connect(t))
			tests := []struct{ tool, input, want string }{
				{"add", `{"a":9007199254740993,"b":1}`, "9007199254740994"},
				{"add", `{"a":1}`, "!the arguments don't match the schema of tool \"add\", which was not run:\n- b: missing; expected integer"},
				{"echo", `{"z":9007199254740993,"a":[1.10,"<&>"],"n":null}`, `{"z":9007199254740993,"a":[1.10,"<&>"],"n":null}`},
				{"look", `{}`, `{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + base64.StdEncoding.EncodeToString(png1x1) + `"}}` +
					`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a text"},"title":"document:t"}` +
					`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` + base64.StdEncoding.EncodeToString(pdf1) + `"},"title":"document:"}`},
				{"fail", `{}`, "!no such luck"},
				{"panic", `{}`, `!tool "panic" failed`},
			}
			for _, test := range tests {
				if got := call(t, set[test.tool], test.input); got != test.want {
					t.Errorf("%s %s\ngot  %q\nwant %q", test.tool, test.input, got, test.want)
				}
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("out of time"))
			defer cancel()
			if _, err := set["hang"].Call(ctx, json.RawMessage(`{}`)); err == nil || err.Error() != "out of time" {
				t.Errorf("a call that hangs returns %v", err)
			}
			if got := call(t, set["add"], `{"a":1,"b":1}`); got != "2" {
				t.Errorf("after a cancelled call: %s", got)
			}
		})
	}
}

func TestListIsStable(t *testing.T) {
	c := inMemory(t, serve(t), mcp.Options{Prefix: "srv_", Not: []string{"crash"}})
	var first string
	for range 5 {
		set, err := c.Tools(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, tool := range set {
			def, _ := tool.Definition()
			all.Write(def.Raw())
		}
		if first == "" {
			first = all.String()
		} else if all.String() != first {
			t.Fatalf("the list changed:\n%s\n%s", first, &all)
		}
	}
	if !strings.HasPrefix(first, `{"name":"srv_add","description":"Adds.","input_schema":{`) || strings.Contains(first, "crash") {
		t.Errorf("list is %s", first)
	}
}

func TestPolicy(t *testing.T) {
	c := inMemory(t, serve(t), mcp.Options{Only: []string{"add", "echo"}, Traits: func(tool *sdk.Tool) tools.Traits {
		return tools.Traits{ReadOnly: tool.Annotations.ReadOnlyHint, NeedsApproval: !tool.Annotations.ReadOnlyHint}
	}})
	set := list(t, c)
	if len(set) != 2 || !set["add"].Traits().ReadOnly || !set["echo"].Traits().NeedsApproval {
		t.Errorf("set %v", set)
	}
	missing := inMemory(t, serve(t), mcp.Options{Only: []string{"none"}})
	if _, err := missing.Tools(t.Context()); err == nil || !strings.Contains(err.Error(), `no tool "none"`) {
		t.Errorf("error is %v", err)
	}
}

func TestForeignSchemas(t *testing.T) {
	server := sdk.NewServer(&sdk.Implementation{Name: "odd", Version: "1"}, nil)
	for name, schema := range map[string]string{
		"union.at the/root":      `{"type":"object","anyOf":[{"required":["a"]}],"properties":{"a":{"type":"string"}}}`,
		"draft7":                 `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"a":{"type":"string"}},"definitions":{}}`,
		"lookahead":              `{"type":"object","properties":{"a":{"type":"string","pattern":"^(?!x)"}}}`,
		"remote":                 `{"type":"object","properties":{"a":{"$ref":"https://example.com/schema"}}}`,
		strings.Repeat("n", 150): `{"type":"object"}`,
	} {
		server.AddTool(&sdk.Tool{Name: name, InputSchema: json.RawMessage(schema)}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{StructuredContent: json.RawMessage(r.Params.Arguments)}, nil
		})
	}
	set := list(t, inMemory(t, server, mcp.Options{}))
	if len(set) != 5 {
		t.Errorf("%d tools, want 5", len(set))
	}
	for name, tool := range set {
		if got := call(t, tool, `{"a":"text"}`); got != `{"a":"text"}` {
			t.Errorf("%s: %s", name, got)
		}
		def, err := tool.Definition()
		if err != nil {
			t.Fatal(err)
		}
		if schema := string(def.Raw()); name[0] != 'n' && !strings.Contains(schema, `"properties":{"a":{`) || name == "lookahead" && !strings.Contains(schema, "(?!x)") {
			t.Errorf("%s: the schema lost something: %s", name, schema)
		}
	}
}

func TestContentKinds(t *testing.T) {
	server := sdk.NewServer(&sdk.Implementation{Name: "kinds", Version: "1"}, nil)
	size := int64(3)
	contents := []sdk.Content{
		&sdk.TextContent{Text: "text"},
		&sdk.ImageContent{Data: []byte("x"), MIMEType: "image/bmp"},
		&sdk.AudioContent{Data: []byte("abc"), MIMEType: "audio/wav"},
		&sdk.ResourceLink{URI: "file:///x", Name: "x", Description: "a file", Size: &size},
		&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "file:///b", MIMEType: "application/zip", Blob: []byte("PK\x03\x04")}},
		&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "file:///p", MIMEType: "image/png", Blob: png1x1}},
		&sdk.ImageContent{Data: []byte("damaged"), MIMEType: "image/png"},
		&sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: "file:///t", Text: "inside"}},
	}
	server.AddTool(&sdk.Tool{Name: "all", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return &sdk.CallToolResult{Content: contents}, nil
	})
	server.AddTool(&sdk.Tool{Name: "error", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{contents[0], contents[5], contents[7]}}, nil
	})
	set := list(t, inMemory(t, server, mcp.Options{}))
	want := `text[a picture of type image/bmp, 1 bytes, which can't be shown][sound of type audio/wav, 3 bytes, which can't be shown][resource x: file:///x] a file` +
		`[the resource file:///b of type application/zip, 4 bytes, which can't be shown]{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + base64.StdEncoding.EncodeToString(png1x1) + `"}}[a picture of type image/png, 7 bytes, which can't be shown]` +
		`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"inside"},"title":"file:///t"}`
	if got := call(t, set["all"], `{}`); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := call(t, set["error"], `{}`); got != "!text[image left out: an error can hold text only][file:///t]\ninside" {
		t.Errorf("error result: %s", got)
	}
}

// Arguments whose names the Messages API refuses go by others to the model, and
// by their own to the server.
func TestNamesOfArguments(t *testing.T) {
	server := sdk.NewServer(&sdk.Implementation{Name: "names", Version: "1"}, nil)
	server.AddTool(&sdk.Tool{Name: "list", InputSchema: json.RawMessage(`{"type":"object","properties":{"filter[id]":{"type":"string"},"filter_id_":{"type":"integer"},` +
		`"größe":{"type":"integer"},"` + strings.Repeat("x", 70) + `":{},"plain":{"type":"object","properties":{"in[side]":{}}}},"required":["größe","plain"]}`)},
		func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: string(r.Params.Arguments)}}}, nil
		})
	tool := list(t, inMemory(t, server, mcp.Options{}))["list"]
	def, err := tool.Definition()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"filter_id__2":{"type":"string"}`, `"filter_id_":{"type":"integer"}`, `"gr_e":`, `"` + strings.Repeat("x", 64) + `":`, `"in[side]":`, `"required":["gr_e","plain"]`} {
		if !strings.Contains(string(def.Raw()), want) {
			t.Errorf("the definition has no %s: %s", want, def.Raw())
		}
	}
	if got, want := call(t, tool, `{"gr_e":9007199254740993,"plain":{"in[side]":1},"filter_id__2":"a"}`), `{"größe":9007199254740993,"plain":{"in[side]":1},"filter[id]":"a"}`; got != want {
		t.Errorf("the server is given %s, want %s", got, want)
	}

	// The server's own name would get around a rule on the model's.
	if got := mcp.ArgumentNames(tools.Wrap(tool)); got["filter_id__2"] != "filter[id]" || got["gr_e"] != "größe" || len(got) != 3 {
		t.Errorf("the names are %v", got)
	}
	around := json.RawMessage(`{"gr_e":1,"plain":{},"filter[id]":"a"}`)
	_, err = tools.Prepare(tool, around)
	if want := (&tools.ArgumentError{}); !errors.As(err, &want) || !strings.Contains(err.Error(), "filter[id]: unknown; this argument is called filter_id__2") {
		t.Errorf("the server's name of an argument is taken: %v", err)
	}
	if got := call(t, tool, string(around)); !strings.HasPrefix(got, "!") {
		t.Errorf("the server's name of an argument is taken: %s", got)
	}
}

func TestProgressComesThrough(t *testing.T) {
	told := make(chan string, 1)
	server, err := mcp.Serve("test", "1", tools.Func("progress", "", func(ctx context.Context, _ struct{}) (string, error) {
		tools.Progress(ctx, "half way")
		select { // what comes after the result is nobody's business any more
		case m := <-told:
			return m, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	set := list(t, inMemory(t, server, mcp.Options{}))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ctx = tools.WithCall(ctx, tools.CallInfo{ID: "toolu_1", Progress: func(m string) { told <- m }})
	r, err := set["progress"].Call(ctx, json.RawMessage(`{}`))
	if err != nil || rawjson.GetString(r.Content[0].Raw(), "text") != "half way" {
		t.Errorf("result %v, %v", r, err)
	}
}

func TestReconnect(t *testing.T) {
	set := list(t, stdio(t, mcp.Options{}))
	got := call(t, set["crash"], `{}`)
	if !strings.HasPrefix(got, "!the connection to the tool's server broke during the call") {
		t.Errorf("crash: %s", got)
	}
	if got := call(t, set["add"], `{"a":1,"b":2}`); got != "3" {
		t.Errorf("after a crash: %s", got)
	}
}

func TestServeRefuses(t *testing.T) {
	for name, set := range map[string][]tools.Tool{
		"server tool": {tools.WebSearch{}},
		"mistake":     {tools.Func("bad name", "", func(context.Context, struct{}) (string, error) { return "", nil })},
	} {
		if _, err := mcp.Serve("x", "1", set...); err == nil {
			t.Errorf("%s is served", name)
		}
	}
}

func TestUnreachable(t *testing.T) {
	if _, err := mcp.Command(t.Context(), func() *exec.Cmd { return exec.Command("/no/such/program") }, mcp.Options{}); err == nil || !strings.Contains(err.Error(), "can't be reached") {
		t.Errorf("error is %v", err)
	}
}

func Example() {
	server, err := mcp.Serve("calculator", "1", tools.Func("add", "Adds two numbers.",
		func(_ context.Context, in sum) (int64, error) { return in.A + in.B, nil }))
	if err != nil {
		fmt.Println(err)
		return
	}
	near, far := sdk.NewInMemoryTransports() // a program would use Command or HTTP
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go server.Run(ctx, far)

	client, err := mcp.Connect(ctx, func() sdk.Transport { return near }, mcp.Options{Prefix: "calc_"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	set, err := client.Tools(ctx) // go into the agent's tools
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := set[0].(tools.Callable).Call(ctx, json.RawMessage(`{"a":9007199254740993,"b":1}`))
	fmt.Println(string(result.Content[0].Raw()), err)
	// Output: {"type":"text","text":"9007199254740994"} <nil>
}
