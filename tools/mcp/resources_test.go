package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport"
)

func library(t *testing.T, pageSize int) *sdk.Server {
	server := sdk.NewServer(&sdk.Implementation{Name: "library", Version: "1"}, &sdk.ServerOptions{PageSize: pageSize})
	read := func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		contents := &sdk.ResourceContents{URI: r.Params.URI, MIMEType: "application/octet-stream"}
		switch r.Params.URI {
		case "doc:text":
			contents.Text = "the text"
		case "doc:pdf":
			contents.Blob = pdf1
		case "doc:picture":
			contents.Blob = png1x1
		default:
			return nil, sdk.ResourceNotFoundError(r.Params.URI)
		}
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{contents}}, nil
	}
	for _, name := range []string{"text", "pdf", "picture"} {
		server.AddResource(&sdk.Resource{URI: "doc:" + name, Name: name, Description: "one\n " + name, MIMEType: "x/" + name}, read)
	}
	server.AddResourceTemplate(&sdk.ResourceTemplate{URITemplate: "doc:{name}", Name: "any"}, read)
	server.AddPrompt(&sdk.Prompt{Name: "review", Arguments: []*sdk.PromptArgument{{Name: "file", Required: true}}}, func(_ context.Context, r *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
		return &sdk.GetPromptResult{Messages: []*sdk.PromptMessage{
			{Role: "user", Content: &sdk.TextContent{Text: "Review " + r.Params.Arguments["file"]}},
			{Role: "user", Content: &sdk.ImageContent{Data: png1x1, MIMEType: "image/png"}},
			{Role: "assistant", Content: &sdk.TextContent{Text: "What of it?"}},
		}}, nil
	})
	return server
}

func TestResources(t *testing.T) {
	c := inMemory(t, library(t, 2), mcp.Options{Prefix: "lib_", Traits: func(tool *sdk.Tool) tools.Traits {
		return tools.Traits{NeedsApproval: tool.Name == "read_resource"}
	}})
	resources, err := c.Resources(t.Context())
	if err != nil || len(resources) != 3 {
		t.Fatalf("%d resources, %v", len(resources), err)
	}
	for uri, want := range map[string]transport.BlockType{"doc:text": transport.TypeDocument, "doc:pdf": transport.TypeDocument, "doc:picture": transport.TypeImage} {
		blocks, err := c.ReadResource(t.Context(), uri)
		if err != nil || len(blocks) != 1 || blocks[0].Type() != want {
			t.Errorf("%s: %v, %v", uri, blocks, err)
		}
	}
	if _, err := c.ReadResource(t.Context(), "doc:none"); err == nil || !strings.Contains(err.Error(), "doc:none") {
		t.Errorf("a resource that isn't there: %v", err)
	}
	set := c.ResourceTools()
	names := definition(t, set[0]) + definition(t, set[1])
	if !strings.Contains(names, `"name":"lib_list_resources"`) || !strings.Contains(names, `"name":"lib_read_resource"`) || !set[1].(tools.Callable).Traits().NeedsApproval {
		t.Errorf("the tools are %s", names)
	}
	want := "doc:pdf  pdf (x/pdf): one pdf\ndoc:picture  picture (x/picture): one picture\ndoc:text  text (x/text): one text\nTemplates:\ndoc:{name}  any\n"
	if got := call(t, set[0].(tools.Callable), `{}`); got != want {
		t.Errorf("the list is %q", got)
	}
	if got := call(t, set[1].(tools.Callable), `{"uri":"doc:text"}`); !strings.Contains(got, `"data":"the text"`) {
		t.Errorf("read_resource: %s", got)
	}
}

func TestPrompts(t *testing.T) {
	c := inMemory(t, library(t, 1), mcp.Options{})
	prompts, err := c.Prompts(t.Context())
	if err != nil || len(prompts) != 1 || !prompts[0].Arguments[0].Required {
		t.Fatalf("%v, %v", prompts, err)
	}
	messages, err := c.Prompt(t.Context(), "review", map[string]string{"file": "a.go"})
	if err != nil || len(messages) != 2 || messages[0].Role != transport.RoleUser || messages[1].Role != transport.RoleAssistant {
		t.Fatalf("%v, %v", messages, err)
	}
	if messages[0].Text() != "Review a.go" || messages[0].Content[1].Type() != transport.TypeImage || messages[1].Text() != "What of it?" {
		t.Errorf("the messages are %v", messages)
	}
	if _, err := c.Prompt(t.Context(), "none", nil); err == nil {
		t.Error("a prompt that isn't there")
	}
}

// One entry that can't be read costs that entry.
func TestOneBadEntryCostsNoOther(t *testing.T) {
	var log logged
	c, _ := raw(t, one, mcp.Options{Logger: log.logger()})
	resources, err := c.Resources(t.Context())
	if err != nil || len(resources) != 2 || resources[0].URI != "a:1" || resources[1].URI != "c:1" {
		t.Errorf("resources: %v, %v", resources, err)
	}
	blocks, err := c.ReadResource(t.Context(), "a:1")
	if err != nil || len(blocks) != 1 || !strings.Contains(string(blocks[0].Raw()), "kept") {
		t.Errorf("resource: %v, %v", blocks, err)
	}
	prompts, err := c.Prompts(t.Context())
	if err != nil || len(prompts) != 1 || prompts[0].Name != "p" {
		t.Errorf("prompts: %v, %v", prompts, err)
	}
	messages, err := c.Prompt(t.Context(), "p", nil)
	if err != nil || len(messages) != 1 || messages[0].Text() != `a[content of type "odd"] {"type":"odd"}b` {
		t.Errorf("prompt: %v, %v", messages, err)
	}
	if got := strings.Count(log.String(), "was left out"); got != 6 {
		t.Errorf("%d entries were told of:\n%s", got, log.String())
	}
}

// A server that has neither is not asked.
func TestNoResources(t *testing.T) {
	c := inMemory(t, serve(t), mcp.Options{})
	resources, err := c.Resources(t.Context())
	prompts, err2 := c.Prompts(t.Context())
	if len(resources)+len(prompts) > 0 || err != nil || err2 != nil {
		t.Errorf("%v %v %v %v", resources, err, prompts, err2)
	}
	if got := call(t, c.ResourceTools()[0].(tools.Callable), `{}`); got != "The server has no resources." {
		t.Errorf("the list is %q", got)
	}
}

func TestToolsChange(t *testing.T) {
	server := sdk.NewServer(&sdk.Implementation{Name: "changes", Version: "1"}, nil)
	add := func(name string) {
		server.AddTool(&sdk.Tool{Name: name, InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
			return &sdk.CallToolResult{}, nil
		})
	}
	add("first")
	changed := make(chan struct{}, 10)
	c := inMemory(t, server, mcp.Options{ToolsChanged: func() { changed <- struct{}{} }})
	before := fmt.Sprint(len(list(t, c)))
	add("second")
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatal("the change was not told")
	}
	if after := fmt.Sprint(len(list(t, c))); before+after != "12" {
		t.Errorf("%s tools, then %s", before, after)
	}
}
