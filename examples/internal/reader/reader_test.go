package reader_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/whorl-go/whorl/examples/internal/reader"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The pages of the reader's web.
var pages = fstest.MapFS{
	"snails.md": {Data: []byte("# Snails\n\nA snail's shell grows by whorls.\nEach whorl is laid on the one before it.\n\nSnails eat lettuce.\n")},
	"shells.md": {Data: []byte("# Shells\n\nThe shell of a snail is coiled because\nit grows at its mouth only.\n\nIt holds 3 to 6 whorls.\n")},
	"bread.md":  {Data: []byte("# Bread\n\nBread rises.\n")},
}

func definition(t *testing.T, raw string) transport.ToolDefinition {
	t.Helper()
	d, err := transport.ParseToolDefinition([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// converse asks a question and goes on until the turn ends. run answers calls.
func converse(t *testing.T, question string, defs []transport.ToolDefinition, run func(transport.ToolCall) transport.Block) []*transport.Response {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: reader.Reader{}, Pages: pages})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	req := &transport.Request{
		Model: "claude-opus-5-5", MaxTokens: 8000, Tools: defs, Messages: []transport.Message{transport.UserText(question)},
		Thinking: &transport.Thinking{Type: "adaptive", Display: "summarized"},
	}
	var responses []*transport.Response
	for len(responses) < 12 {
		resp, err := transport.Create(context.Background(), client, req)
		if err != nil {
			t.Fatal(err)
		}
		responses = append(responses, resp)
		m, _ := resp.Replay()
		req.Messages = append(req.Messages, m)
		switch resp.StopReason {
		case transport.StopPauseTurn:
		case transport.StopToolUse:
			var results []transport.Block
			for _, c := range resp.ToolCalls() {
				results = append(results, run(c))
			}
			req.Messages = append(req.Messages, transport.Message{Role: transport.RoleUser, Content: results})
		default:
			return responses
		}
	}
	t.Fatal("the reader doesn't come to an end")
	return nil
}

func TestWeb(t *testing.T) {
	web := []transport.ToolDefinition{
		definition(t, `{"type":"web_search_20250305","name":"web_search"}`),
		definition(t, `{"type":"web_fetch_20250910","name":"web_fetch","citations":{"enabled":true}}`),
	}
	responses := converse(t, "Why is the shell of a snail made of coiled whorls?", web, nil)
	if responses[0].StopReason != transport.StopPauseTurn || len(wire.PendingServerCalls(responses[0])) != 1 {
		t.Errorf("the first response stops with %q; it is to pause before its last call's result", responses[0].StopReason)
	}
	last := responses[len(responses)-1]
	if text := last.Text(); !strings.Contains(text, "The shell of a snail is coiled because it grows at its mouth only.") {
		t.Errorf("answer: %s", text)
	}
	cited := 0
	for _, b := range last.Content {
		for c := range rawjson.Elements(rawjson.Get(b.Raw(), "citations")) {
			cited++
			words := strings.Fields(rawjson.GetString(c, "cited_text"))
			if text := rawjson.GetString(b.Raw(), "text"); !strings.Contains(strings.Join(strings.Fields(text), " "), strings.Join(words, " ")) || len(words) == 0 {
				t.Errorf("%q cites %q", text, words)
			}
			if rawjson.GetString(c, "type") != "char_location" {
				t.Errorf("citation %s of a page that was fetched", c)
			}
		}
	}
	if cited == 0 {
		t.Error("no citations")
	}

	responses = converse(t, "What is the capital of France?", web, nil)
	if text := responses[len(responses)-1].Text(); !strings.HasPrefix(text, "Not found") {
		t.Errorf("answer to what no page says: %s", text)
	}
}

func TestThinksAndSearchesWithTheToolsThatThereAre(t *testing.T) {
	lookup := definition(t, `{"name":"lookup","description":"Looks things up.","input_schema":{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}}`)
	show := definition(t, `{"name":"show","description":"Shows lines of a file.","input_schema":{"type":"object","properties":{"file":{"type":"string"},"line":{"type":"integer"},"count":{"type":"integer"}},"required":["file","line"]}}`)
	responses := converse(t, "How many whorls has a shell?", []transport.ToolDefinition{lookup, show}, func(c transport.ToolCall) transport.Block {
		if c.Name == "lookup" {
			return transport.ToolResult(c.ID, transport.Text("shells.txt:3: A shell has six whorls.\n"))
		}
		return transport.ToolResult(c.ID, transport.Text("1: Of shells.\n2: \n3: A shell has six whorls.\n4: \n"))
	})
	if first := responses[0].Content[0]; first.Type() != transport.TypeThinking || rawjson.GetString(first.Raw(), "signature") == "" {
		t.Errorf("the first block is %s", first.Raw())
	}
	if text := responses[len(responses)-1].Text(); !strings.Contains(text, "A shell has six whorls. (shells.txt:3)") {
		t.Errorf("answer: %s", text)
	}
}

func TestOneSearchToolWithPlainText(t *testing.T) {
	lookup := definition(t, `{"name":"lookup","description":"Looks things up.","input_schema":{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}}`)
	responses := converse(t, "How many whorls has a shell?", []transport.ToolDefinition{lookup}, func(c transport.ToolCall) transport.Block {
		return transport.ToolResult(c.ID, transport.Text("A shell has six whorls. Snails are slow."))
	})
	if text := responses[len(responses)-1].Text(); !strings.Contains(text, "A shell has six whorls.") {
		t.Errorf("answer: %s", text)
	}
}

func TestFailingTools(t *testing.T) {
	lookup := definition(t, `{"name":"lookup","description":"Looks things up.","input_schema":{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}}`)
	responses := converse(t, "How many whorls has a shell?", []transport.ToolDefinition{lookup}, func(c transport.ToolCall) transport.Block {
		return transport.ToolCall{ID: c.ID}.AnswerError(transport.Text("the index is broken"))
	})
	if text := responses[len(responses)-1].Text(); !strings.HasPrefix(text, "Not found") || !strings.Contains(text, "the index is broken") {
		t.Errorf("answer: %s", text)
	}
	for _, question := range []string{"Hm?", "How many whorls has a shell?"} {
		responses := converse(t, question, nil, nil)
		if len(responses) != 1 || responses[0].Text() == "" {
			t.Errorf("%q without tools: %d responses", question, len(responses))
		}
	}
}

// A simulator whose model reads: it searches with the tools that a request
// declares, or says that it has none.
func Example() {
	sim, err := simulator.Start(simulator.Options{Model: reader.Reader{}})
	if err != nil {
		panic(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		panic(err)
	}
	defer client.CloseIdleConnections()
	resp, err := transport.Create(context.Background(), client, &transport.Request{
		Model: "claude-opus-5-5", MaxTokens: 1000, Messages: []transport.Message{transport.UserText("What is a whorl?")},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(resp.Text())
	// Output: I have no tool to search with, so I could only answer from memory, and I have none.
}
