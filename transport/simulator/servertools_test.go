package simulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/wire"
)

var pages = fstest.MapFS{
	"go/gc.html":     {Data: []byte("<title>Collector</title><p>Go's collector is concurrent.</p>")},
	"go/maps.html":   {Data: []byte("<title>Maps</title><p>Maps have no order.</p><script>hidden()</script>")},
	"cats/cats.md":   {Data: []byte("# Cats\nCats sleep.")},
	"cats/photo.png": {Data: []byte("not a page")},
}

// call runs one server call and returns its result block.
func call(t *testing.T, tools, question, name string, input any) string {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Pages: pages, Model: simulator.Script(simulator.Do(simulator.ServerCall(name, input)), simulator.Say("so"))})
	resp := ask(t, sim.URL(), request("claude-opus-5", `"tools":[`+tools+`],`, user(question)))
	if len(resp.Content) != 3 {
		t.Fatalf("%s", resp.Raw())
	}
	return string(resp.Content[1].Raw())
}

func TestWebToolErrors(t *testing.T) {
	const fetch = `{"type":"web_fetch_20250910","name":"web_fetch"%s}`
	const search = `{"type":"web_search_20250305","name":"web_search"%s}`
	query := func(q string) map[string]string { return map[string]string{"query": q} }
	get := func(u string) map[string]string { return map[string]string{"url": u} }
	const gc = "https://pages.example/go/gc.html"
	for _, c := range []struct {
		tool, more, name string
		input            any
		want             string
	}{
		{search, "", "web_search", query("concurrent collector"), `"title":"Collector"`},
		{search, "", "web_search", query("hidden"), `"content":[]`},
		{search, "", "web_search", query(" "), `"error_code":"invalid_tool_input"`},
		{search, "", "web_search", query(strings.Repeat("long ", 300)), `"error_code":"query_too_long"`},
		{search, `,"allowed_domains":["pages.example/cats"]`, "web_search", query("cats maps"), `"title":"Cats"`},
		{search, `,"blocked_domains":["pages.example"]`, "web_search", query("cats maps"), `"content":[]`},
		{fetch, "", "web_fetch", get(gc), `Go's collector is concurrent.`},
		{fetch, `,"citations":{"enabled":true}`, "web_fetch", get(gc), `"citations":{"enabled":true}`},
		{fetch, `,"max_content_tokens":1`, "web_fetch", get(gc), `"data":"Go's"`},
		{fetch, "", "web_fetch", get("gc.html"), `"error_code":"invalid_tool_input"`},
		{fetch, "", "web_fetch", get("https://pages.example/" + strings.Repeat("x", 250)), `"error_code":"url_too_long"`},
		{fetch, "", "web_fetch", get("https://pages.example/go/maps.html"), `"error_code":"url_not_in_prior_context"`},
		{fetch, `,"allowed_domains":["other.example"]`, "web_fetch", get(gc), `"error_code":"url_not_allowed"`},
		{fetch, "", "web_fetch", get("https://pages.example/gone"), `"error_code":"url_not_accessible"`},
		{fetch, "", "web_search", query("x"), `"error_code":"unavailable"`},
		{`{"type":"code_execution_20250825","name":"code_execution"%s}`, "", "bash_code_execution", nil, `"error_code":"unavailable"`},
	} {
		got := call(t, fmt.Sprintf(c.tool, c.more), "What of "+gc+" and https://pages.example/gone?", c.name, c.input)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %v: %s", c.name, c.input, got)
		}
	}
}

// A URL that only the model has written can't be fetched; one of the user's can.
func TestTheModelsOwnURLs(t *testing.T) {
	const own, users = "https://pages.example/go/maps.html", "https://pages.example/go/gc.html"
	for url, want := range map[string]string{own: `"error_code":"url_not_in_prior_context"`, users: "Go's collector"} {
		sim := simulator.StartTest(t, simulator.Options{Pages: pages, Model: simulator.Script(
			simulator.Do(simulator.ServerCall("web_fetch", map[string]string{"url": url})), simulator.Say("so"))})
		resp := ask(t, sim.URL(), request("claude-opus-5", `"tools":[{"type":"web_fetch_20250910","name":"web_fetch"}],`,
			user("Hello."), `{"role":"assistant","content":"Have you seen `+own+`?"}`, user("No, "+users+".")))
		if got := string(resp.Content[1].Raw()); !strings.Contains(got, want) {
			t.Errorf("%s: %s", url, got)
		}
	}
}

// What an earlier turn's search has found can be fetched.
func TestURLsOfAnEarlierSearch(t *testing.T) {
	const found = "https://pages.example/go/gc.html"
	sim := simulator.StartTest(t, simulator.Options{Pages: pages, Model: simulator.Script(
		simulator.Do(simulator.ServerCall("web_search", map[string]string{"query": "garbage collector"})), simulator.Say("Found."),
		simulator.Do(simulator.ServerCall("web_fetch", map[string]string{"url": found})), simulator.Say("so"))})
	const both = `"tools":[{"type":"web_search_20250305","name":"web_search"},{"type":"web_fetch_20250910","name":"web_fetch"}],`
	first := ask(t, sim.URL(), request("claude-opus-5", both, hi))
	var blocks []string
	for _, b := range first.Content {
		blocks = append(blocks, string(b.Raw()))
	}
	if !strings.Contains(strings.Join(blocks, ","), found) {
		t.Fatalf("the search found %s", blocks)
	}
	resp := ask(t, sim.URL(), request("claude-opus-5", both, hi, says("assistant", strings.Join(blocks, ",")), user("Read it.")))
	if got := string(resp.Content[1].Raw()); !strings.Contains(got, "Go's collector") {
		t.Errorf("%s", got)
	}
}

func TestMaxUses(t *testing.T) {
	search := func() simulator.Part { return simulator.ServerCall("web_search", map[string]string{"query": "cats"}) }
	sim := simulator.StartTest(t, simulator.Options{Pages: pages, Model: simulator.Script(simulator.Do(search(), search()), simulator.Say("so"))})
	resp := ask(t, sim.URL(), request("claude-opus-5", `"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}],`, hi))
	if got := string(resp.Content[3].Raw()); !strings.Contains(got, `"error_code":"max_uses_exceeded"`) {
		t.Errorf("%s", got)
	}
}

func TestFetchFromThisMachine(t *testing.T) {
	local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/binary" {
			w.Header().Set("Content-Type", "application/octet-stream")
		} else {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		}
		fmt.Fprint(w, "<title>Local</title><p>Served here.</p>")
	}))
	defer local.Close()
	const fetch = `{"type":"web_fetch_20250910","name":"web_fetch"}`
	for path, want := range map[string]string{"/page": `"data":"Served here."`, "/binary": `"error_code":"unsupported_content_type"`} {
		if got := call(t, fetch, "Read "+local.URL+path, "web_fetch", map[string]string{"url": local.URL + path}); !strings.Contains(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// A turn that calls tools of both kinds leaves the service's call for later: the
// results of the client's come first, and nothing else with them.
func TestServerAndClientCallsInOneTurn(t *testing.T) {
	sim := simulator.StartTest(t, simulator.Options{Pages: pages, Model: simulator.Script(
		simulator.Do(simulator.ServerCall("web_search", map[string]string{"query": "cats"}), simulator.Call("lookup", nil)),
		simulator.Say("so"), simulator.Say("so"))})
	tools := `"tools":[` + searched + `,{"name":"lookup","input_schema":{"type":"object"}}],`
	first := ask(t, sim.URL(), request("claude-opus-5-5", tools, hi))
	if first.StopReason != transport.StopToolUse || len(wire.PendingServerCalls(first)) != 1 {
		t.Fatalf("%s", first.Raw())
	}
	result := fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q}`, first.ToolCalls()[0].ID)
	second := ask(t, sim.URL(), request("claude-opus-5-5", tools, hi, assistant(first), says("user", result)))
	if second.Content[0].Type() != "web_search_tool_result" {
		t.Errorf("%s", second.Raw())
	}
	ask(t, sim.URL(), request("claude-opus-5-5", tools, hi, assistant(first), says("user", result), assistant(second), user("thanks")))
	status, _, raw := post(t, sim.URL(), request("claude-opus-5-5", tools, hi, assistant(first), says("user", result+`,{"type":"text","text":"hurry"}`)))
	if status != 400 || !strings.Contains(errorMessage(raw), "was found without a corresponding `web_search_tool_result` block") {
		t.Errorf("%d %s", status, raw)
	}
}

func TestPausesAfterTenSamplings(t *testing.T) {
	model := simulator.ModelFunc(func(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		reply := simulator.Do(simulator.ServerCall("web_search", map[string]string{"query": "cats"}))
		return &reply, nil
	})
	sim := simulator.StartTest(t, simulator.Options{Pages: pages, Model: model})
	resp := ask(t, sim.URL(), request("claude-opus-5", `"tools":[`+searched+`],`, hi))
	if resp.StopReason != transport.StopPauseTurn || len(wire.PendingServerCalls(resp)) != 1 || resp.Usage.ServerToolUse.WebSearchRequests != 9 {
		t.Errorf("%s %v %+v", resp.StopReason, wire.PendingServerCalls(resp), resp.Usage)
	}
}

func TestToolSearch(t *testing.T) {
	tools := `{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"},{"name":"a","input_schema":{"type":"object"}},` +
		`{"name":"get_weather","description":"Tells the weather.","defer_loading":true,"input_schema":{"type":"object"}}`
	got := call(t, tools, "hi", "tool_search_tool_regex", map[string]string{"pattern": "weather"})
	if !strings.Contains(got, `"tool_references":[{"type":"tool_reference","tool_name":"get_weather"}]`) {
		t.Errorf("%s", got)
	}
}

// What the simulator can't run is answered by the test.
func TestServerToolsOfTheTest(t *testing.T) {
	const ok = `{"type":"bash_code_execution_result","stdout":"ok\n","stderr":"","return_code":0,"content":[]}`
	var asked []string
	sim := simulator.StartTest(t, simulator.Options{
		Model: simulator.Dialogue(simulator.Do(
			simulator.ServerCall("bash_code_execution", map[string]string{"command": "ls"}),
			simulator.MCPCall("tickets", "open_ticket", map[string]string{"title": "x"}),
			simulator.MCPCall("tickets", "close_ticket", nil),
			simulator.Text("done"))),
		ServerTool: func(c simulator.ServerToolCall) json.RawMessage {
			asked = append(asked, c.Server+" "+c.Name+" "+string(c.Input))
			switch c.Name {
			case "bash_code_execution":
				return json.RawMessage(ok)
			case "open_ticket":
				return json.RawMessage(`[{"type":"text","text":"number 7"}]`)
			}
			return nil
		},
	})
	extra := `"mcp_servers":[{"type":"url","url":"https://tickets.example","name":"tickets"}],"tools":[{"type":"code_execution_20250825","name":"code_execution"},{"type":"mcp_toolset","mcp_server_name":"tickets"}],`
	header := []string{"anthropic-beta", "mcp-client-2026-09-15"}
	first := ask(t, sim.URL(), request("claude-opus-5", extra, hi), header...)
	for i, want := range []string{
		"", `"content":` + strings.ReplaceAll(ok, "\n", `\n`), `"server_name":"tickets","input":{"title":"x"}}`,
		`"is_error":false,"content":[{"type":"text","text":"number 7"}]}`, "", `"is_error":true`, `"text":"done"`,
	} {
		if i >= len(first.Content) || !strings.Contains(string(first.Content[i].Raw()), want) {
			t.Fatalf("block %d of %s: want %s", i, first.Raw(), want)
		}
	}
	if want := []string{` bash_code_execution {"command":"ls"}`, `tickets open_ticket {"title":"x"}`, `tickets close_ticket {}`}; !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	ask(t, sim.URL(), request("claude-opus-5", extra+`"container":"`+first.Container.ID+`",`, hi, assistant(first), hi), header...)
}
