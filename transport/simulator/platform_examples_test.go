package simulator_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"testing"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// TestCometAPIExamples sends each kind of request that the proxy's page shows, with the
// client, whole and streamed. A nil wrong means that nothing more is asked of the
// answer than that it came.
func TestCometAPIExamples(t *testing.T) {
	block := func(b transport.Block, err error) transport.Block {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	paper := []byte("%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n" +
		"3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>> endobj\ntrailer <</Root 1 0 R>>\n%%EOF")
	ask := func(blocks ...transport.Block) transport.Request {
		return transport.Request{Messages: []transport.Message{{Role: transport.RoleUser, Content: append(blocks, transport.Text("What is it? See https://pages.example/go/maps.html"))}}}
	}
	with := func(change func(*transport.Request)) transport.Request {
		r := ask()
		change(&r)
		return r
	}
	server := func(tool interface {
		Definition() (transport.ToolDefinition, error)
	}) transport.Request {
		t.Helper()
		def, err := tool.Definition()
		if err != nil {
			t.Fatal(err)
		}
		return with(func(r *transport.Request) { r.Tools = []transport.ToolDefinition{def} })
	}
	half := 0.5
	say, called := simulator.Say("One. STOP Two."), func(name string, in map[string]string) simulator.Reply {
		return simulator.Do(simulator.ServerCall(name, in))
	}
	hasResult := func(typ transport.BlockType, holds string) func(*transport.Response) bool {
		return func(r *transport.Response) bool {
			for _, b := range r.Content {
				if b.Type() == typ {
					return bytes.Contains(b.Raw(), []byte(holds))
				}
			}
			return false
		}
	}
	for _, c := range []struct {
		name  string
		req   transport.Request
		reply simulator.Reply
		right func(*transport.Response) bool
	}{
		{"a message", ask(), say, func(r *transport.Response) bool { return r.Text() == "One. STOP Two." && r.StopReason == "end_turn" }},
		{"a system prompt that is cached", with(func(r *transport.Request) {
			r.System = []transport.Block{transport.Text(string(bytes.Repeat([]byte("Be brief. "), 900)))}
			r.Breakpoints = []transport.Breakpoint{{Part: transport.PartSystem}}
		}), say, func(r *transport.Response) bool {
			return r.Usage.CacheCreationInputTokens+r.Usage.CacheReadInputTokens > 1024
		}},
		{"a picture", ask(block(transport.Image{Data: picture.Bytes()}.Block())), say, nil},
		{"a picture at a URL", ask(block(transport.Image{URL: "https://pages.example/cat.png"}.Block())), say, nil},
		{"a PDF", ask(block(transport.Document{Data: paper, Title: "A paper"}.Block())), say, nil},
		{"a PDF at a URL", ask(block(transport.Document{URL: "https://pages.example/paper.pdf"}.Block())), say, nil},
		{"a text document", ask(block(transport.Document{Text: "A text.", Title: "A text", Context: "notes"}.Block())), say, nil},
		{"stop_sequences", with(func(r *transport.Request) { r.StopSequences = []string{"STOP", "END"} }), say,
			func(r *transport.Response) bool {
				return r.StopReason == "stop_sequence" && r.StopSequence == "STOP" && r.Text() == "One. "
			}},
		{"max_tokens", with(func(r *transport.Request) { r.MaxTokens = 1 }), say, func(r *transport.Response) bool { return r.StopReason == "max_tokens" }},
		{"temperature", with(func(r *transport.Request) { r.Temperature = &half }), say, nil},
		{"top_p", with(func(r *transport.Request) { r.TopP = &half }), say, nil},
		{"metadata and service_tier", with(func(r *transport.Request) { r.UserID, r.ServiceTier = "user-1", "auto" }), say, nil},
		{"thinking", with(func(r *transport.Request) { r.Thinking = &transport.Thinking{Type: "enabled", BudgetTokens: 1024} }),
			simulator.Do(simulator.Thinking("hm"), simulator.Text("So.")), func(r *transport.Response) bool {
				return len(r.Content) == 2 && r.Content[0].Type() == "thinking" && rawjson.GetString(r.Content[0].Raw(), "signature") != ""
			}},
		{"effort", with(func(r *transport.Request) { r.OutputConfig = &transport.OutputConfig{Effort: "low"} }), say, nil},
		{"a shaped answer", with(func(r *transport.Request) {
			r.OutputConfig = &transport.OutputConfig{Format: json.RawMessage(`{"type":"json","schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}}`)}
		}), simulator.Say(`{"n":1}`), func(r *transport.Response) bool { return r.Text() == `{"n":1}` }},
		{"a forced tool", with(func(r *transport.Request) {
			def, err := transport.ParseToolDefinition([]byte(`{"name":"get_weather","description":"Tells the weather.","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Tools, r.ToolChoice = []transport.ToolDefinition{def}, &transport.ToolChoice{Type: "tool", Name: "get_weather"}
		}), simulator.Do(simulator.Call("get_weather", map[string]string{"city": "Oslo"})), func(r *transport.Response) bool {
			return r.StopReason == "tool_use" && len(r.ToolCalls()) == 1 && r.ToolCalls()[0].Name == "get_weather"
		}},
		{"web_search_20250305", server(tools.WebSearch{}), called("web_search", map[string]string{"query": "maps"}), hasResult("web_search_tool_result", "pages.example")},
		{"web_fetch_20250910", server(tools.WebFetch{}), called("web_fetch", map[string]string{"url": "https://pages.example/go/maps.html"}), hasResult("web_fetch_tool_result", "web_fetch_result")},
		{"code_execution_20250522", server(tools.CodeExecution{Version: "20250522"}), called("code_execution", map[string]string{"code": "print(6*7)"}), hasResult("code_execution_tool_result", `"stdout":"42\n"`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, stream := range []bool{false, true} {
				sim := simulator.StartTest(t, simulator.Options{
					Platform: simulator.PlatformCometAPI, APIKey: "sk-comet", Pages: pages,
					Model: simulator.Script(c.reply, simulator.Say("Done.")),
					ServerTool: func(call simulator.ServerToolCall) json.RawMessage {
						return json.RawMessage(`{"type":"code_execution_result","stdout":"42\n","stderr":"","return_code":0,"content":[]}`)
					},
				})
				client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-comet"), MaxRetries: -1})
				if err != nil {
					t.Fatal(err)
				}
				req := c.req
				req.Model = "claude-opus-4-6"
				if req.MaxTokens == 0 {
					req.MaxTokens = 2048
				}
				var resp *transport.Response
				if stream {
					if resp, err = transport.Create(t.Context(), client, &req); err != nil {
						t.Fatal(err)
					}
				} else { // as the page has it: the library itself streams always
					body, err := req.Body()
					if err != nil {
						t.Fatal(err)
					}
					status, _, raw := send(t, "POST", sim.URL()+"/v1/messages", body.NewReader(), "x-api-key", "sk-comet")
					if resp, err = transport.ParseResponse(raw); err != nil || status != 200 {
						t.Fatalf("%d %s: %v", status, raw, err)
					}
				}
				if c.right != nil && !c.right(resp) || len(resp.Content) == 0 {
					t.Errorf("stream %t: %s %s", stream, resp.StopReason, resp.Raw())
				}
			}
		})
	}
}
