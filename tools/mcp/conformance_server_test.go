package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/transport"
)

const nameSchema = `{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`

// asker is a tool that asks, and says what it was told.
func asker(name string, questions ...tools.Question) tools.Tool {
	return tools.RawWith(name, "Asks the user.", nil, func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
		host, _ := tools.HostOf(ctx)
		text := ""
		var waiting error
		for _, q := range questions {
			answer, err := host.Ask(ctx, q)
			switch {
			case errors.Is(err, tools.ErrWaiting):
				waiting = err
			case errors.Is(err, tools.ErrDeclined):
				text += "action=decline "
			case err != nil:
				return tools.Result{}, err
			default:
				text += "action=accept content=" + string(answer.Value) + " "
			}
		}
		return tools.Text(text), waiting
	}, tools.Options{})
}

// conformanceTools are the tools that the scenarios call, by the names that they have there.
func conformanceTools() []tools.Tool {
	content := func(name string, of ...tools.Content) tools.Tool {
		return tools.Func(name, "Gives content.", func(context.Context, struct{}) ([]tools.Content, error) { return of, nil })
	}
	object := func(key, prompt, schema string) tools.Question {
		return tools.Question{Key: key, Prompt: prompt, Schema: json.RawMessage(schema)}
	}
	name := object("user_name", "What is your name?", nameSchema)
	confirm := object("confirm", "Please confirm", `{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}`)
	document := tools.Document{Text: "This is an embedded resource", Title: "embedded"}
	return []tools.Tool{
		tools.Func("test_simple_text", "Test simple text.", func(context.Context, struct{}) (string, error) {
			return "This is a simple text response for testing.", nil
		}),
		content("test_image_content", tools.Image{Data: png1x1}),
		content("test_audio_content", mcp.Audio{Data: []byte("RIFF&\x00\x00\x00WAVEfmt "), MediaType: "audio/wav"}),
		content("test_embedded_resource", document),
		content("test_multiple_content_types", words("This is text content"), tools.Image{Data: png1x1}, document),
		tools.Func("test_error_handling", "Test error handling.", func(context.Context, struct{}) (string, error) {
			return "", errors.New("This tool intentionally returns an error for testing")
		}),
		tools.Func("test_tool_with_progress", "Test tool with progress.", func(ctx context.Context, _ struct{}) (string, error) {
			for _, percent := range []int{0, 50, 100} {
				tools.Progress(ctx, fmt.Sprintf("%d %%", percent))
				time.Sleep(50 * time.Millisecond) // so that each is sent
			}
			return "done", nil
		}),
		tools.FuncWith("test_elicitation", "Asks.", func(ctx context.Context, in struct {
			Message string `json:"message"`
		}) (string, error) {
			host, _ := tools.HostOf(ctx)
			answer, err := host.Ask(ctx, object("user", in.Message, `{"type":"object","properties":{"username":{"type":"string"}},"required":["username"]}`))
			return "action=accept content=" + string(answer.Value), err
		}, tools.Options{}),
		asker("test_elicitation_sep1034_defaults", object("defaults", "Test defaults", `{"type":"object","properties":{
			"name":{"type":"string","default":"John Doe"},"age":{"type":"integer","default":30},"score":{"type":"number","default":95.5},
			"status":{"type":"string","enum":["active","inactive","pending"],"default":"active"},"verified":{"type":"boolean","default":true}}}`)),
		asker("test_elicitation_sep1330_enums", object("enums", "Test enums", `{"type":"object","properties":{
			"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
			"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
			"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},
			"untitledMulti":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"string","enum":["option1","option2","option3"]}},
			"titledMulti":{"type":"array","minItems":1,"maxItems":3,"items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}}}`)),
		tools.Raw("test_x_mcp_header", "Has an argument that is sent as a header too.", json.RawMessage(`{"type":"object","properties":{
			"region":{"type":"string","x-mcp-header":"Region"},"level":{"type":"integer"}}}`),
			func(_ context.Context, in json.RawMessage) (tools.Result, error) { return tools.Text(string(in)), nil }),
		tools.Func("test_streaming_elicitation", "Test streaming elicitation.", func(context.Context, struct{}) (string, error) { return "no requests in between", nil }),
		tools.Func("test_logging_tool", "Test logging tool.", func(context.Context, struct{}) (string, error) { return "nothing is logged to clients", nil }),
		asker("test_input_required_result_elicitation", name),
		asker("test_input_required_result_request_state", confirm),
		asker("test_input_required_result_tampered_state", confirm),
		asker("test_input_required_result_capabilities", name),
		tools.RawWith("test_input_required_result_multi_round", "Asks twice.", nil, func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			host, _ := tools.HostOf(ctx)
			text := ""
			for _, q := range []tools.Question{object("step1", "What is your name?", nameSchema),
				object("step2", "What is your favorite color?", `{"type":"object","properties":{"color":{"type":"string"}},"required":["color"]}`)} {
				answer, err := host.Ask(ctx, q)
				if err != nil {
					return tools.Result{}, err
				}
				text += string(answer.Value)
			}
			return tools.Text(text), nil
		}, tools.Options{}),
	}
}

// taskTools are the tools that the scenarios of tasks call.
func taskTools() []tools.Tool {
	sleep := func(ctx context.Context, d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	object := func(key, prompt, schema string) tools.Question {
		return tools.Question{Key: key, Prompt: prompt, Schema: json.RawMessage(schema)}
	}
	confirm := `{"type":"object","properties":{"confirm":{"type":"boolean"}},"required":["confirm"]}`
	return []tools.Tool{
		tools.Func("greet", "Greets.", func(_ context.Context, in struct {
			Name string `json:"name"`
		}) (string, error) {
			return "Hello, " + in.Name + "!", nil
		}),
		tools.Func("slow_compute", "Takes some seconds.", func(ctx context.Context, in struct {
			Seconds float64 `json:"seconds"`
			Label   string  `json:"label,omitempty"`
		}) (string, error) {
			return "computed " + in.Label, sleep(ctx, time.Duration(in.Seconds*float64(time.Second)))
		}),
		tools.Func("failing_job", "Fails.", func(ctx context.Context, _ struct{}) (string, error) {
			return "", errors.Join(sleep(ctx, 500*time.Millisecond), errors.New("this job always fails"))
		}),
		tools.Func("protocol_error_job", "Panics.", func(context.Context, struct{}) (string, error) { panic("always") }),
		tools.RawWith("confirm_delete", "Asks before it deletes.", json.RawMessage(`{"type":"object","properties":{"filename":{"type":"string"}}}`), func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			host, _ := tools.HostOf(ctx)
			answer, err := host.Ask(ctx, object("confirm", "Delete it?", confirm))
			return tools.Text("answered: " + string(answer.Value)), err
		}, tools.Options{}),
		asker("multi_input", object("first", "The first?", confirm), object("second", "The second?", confirm)),
		tools.RawWith("test_tool_with_task", "Asks, and takes its time then.", nil, func(ctx context.Context, _ json.RawMessage) (tools.Result, error) {
			host, _ := tools.HostOf(ctx)
			answer, err := host.Ask(ctx, object("user_name", "What is your name?", nameSchema))
			if err != nil {
				return tools.Result{}, err
			}
			return tools.Text("Hello, " + string(answer.Value)), sleep(ctx, time.Second)
		}, tools.Options{}),
	}
}

func taskRules(tool string) mcp.TaskRule {
	switch tool {
	case "slow_compute", "protocol_error_job", "confirm_delete", "multi_input":
		return mcp.TaskRule{After: -1}
	case "failing_job":
		return mcp.TaskRule{After: -1, Required: true}
	case "test_tool_with_task":
		return mcp.TaskRule{After: 200 * time.Millisecond, Required: true}
	}
	return mcp.TaskRule{Never: true}
}

// conformanceServer is a server of all that the scenarios want to find. Tools that
// no agent could have are the SDK's own.
func conformanceServer(t *testing.T) *sdk.Server {
	text := func(s string) []transport.Block { return []transport.Block{transport.Text(s)} }
	image, err := tools.Image{Data: png1x1}.Block()
	if err != nil {
		t.Fatal(err)
	}
	user := func(blocks ...transport.Block) []transport.Message {
		return []transport.Message{{Role: transport.RoleUser, Content: blocks}}
	}
	tasks, err := mcp.NewTasks(mcp.TaskOptions{Rule: taskRules})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tasks.Close(context.Background()) })
	server, err := mcp.NewServer(mcp.ServerOptions{
		Name: "whorl-conformance", Version: "1", Tools: append(conformanceTools(), taskTools()...), TTL: time.Minute, Tasks: tasks,
		Resources: []mcp.Resource{
			{URI: "test://static-text", Name: "static-text", MediaType: "text/plain", Read: func(context.Context, string, map[string]string) ([]transport.Block, error) {
				return text("This is the content of the static text resource."), nil
			}},
			{URI: "test://static-binary", Name: "static-binary", MediaType: "image/png", Read: func(context.Context, string, map[string]string) ([]transport.Block, error) {
				return []transport.Block{image}, nil
			}},
			{URI: "test://template/{id}/data", Name: "template", MediaType: "application/json", Read: func(_ context.Context, _ string, parts map[string]string) ([]transport.Block, error) {
				return text(fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, parts["id"], parts["id"])), nil
			}},
			{URI: "test://watched-resource", Name: "watched-resource", Read: func(context.Context, string, map[string]string) ([]transport.Block, error) {
				return text("Watched resource content"), nil
			}},
		},
		Prompts: []mcp.Prompt{
			{Name: "test_simple_prompt", Description: "A simple prompt", Messages: func(context.Context, map[string]string) ([]transport.Message, error) {
				return user(transport.Text("This is a simple prompt for testing.")), nil
			}},
			{Name: "test_prompt_with_arguments", Description: "With arguments", Arguments: []mcp.PromptArgument{{Name: "arg1", Description: "First", Required: true}, {Name: "arg2", Description: "Second", Required: true}},
				Complete: func(_ context.Context, _, typed string, _ map[string]string) ([]string, error) {
					return []string{typed + "aris"}, nil
				},
				Messages: func(_ context.Context, a map[string]string) ([]transport.Message, error) {
					return user(transport.Text(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", a["arg1"], a["arg2"]))), nil
				}},
			{Name: "test_prompt_with_embedded_resource", Description: "With a resource", Arguments: []mcp.PromptArgument{{Name: "resourceUri", Description: "Its URI", Required: true}}, Messages: func(_ context.Context, a map[string]string) ([]transport.Message, error) {
				d, err := tools.Document{Text: "Embedded resource content for testing.", Title: a["resourceUri"]}.Block()
				return user(d, transport.Text("Please process the embedded resource above.")), err
			}},
			{Name: "test_prompt_with_image", Description: "With a picture", Messages: func(context.Context, map[string]string) ([]transport.Message, error) {
				return user(image, transport.Text("Please analyze the image above.")), nil
			}},
			{Name: "test_input_required_result_prompt", Description: "Asks", Messages: func(ctx context.Context, _ map[string]string) ([]transport.Message, error) {
				host, _ := tools.HostOf(ctx)
				answer, err := host.Ask(ctx, tools.Question{Key: "user_context", Prompt: "Please provide context", Schema: json.RawMessage(`{"type":"object","properties":{"context":{"type":"string"}},"required":["context"]}`)})
				return user(transport.Text("Context: " + string(answer.Value))), err
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{}}, nil
	}
	object := json.RawMessage(`{"type":"object"}`)
	server.AddTool(&sdk.Tool{Name: "json_schema_2020_12_tool", Description: "Has keywords that the Messages API takes in no tool.", InputSchema: json.RawMessage(`{
		"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
		"$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
		"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},
			"phone":{"type":"string"},"email":{"type":"string"}},
		"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
		"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},"then":{"required":["phone"]},"else":{"required":["email"]},
		"additionalProperties":false}`)}, nothing)
	server.AddTool(&sdk.Tool{Name: "test_missing_capability", Description: "Needs a client that offers sampling.", InputSchema: object}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return nil, &jsonrpc.Error{Code: sdk.CodeMissingRequiredClientCapabilities, Message: "no sampling", Data: json.RawMessage(`{"requiredCapabilities":{"sampling":{}}}`)}
	})
	server.AddTool(&sdk.Tool{Name: "test_reconnection", Description: "Closes the stream of its call, of revisions that have a way back.", InputSchema: object}, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		r.Extra.CloseSSEStream(sdk.CloseSSEStreamArgs{RetryAfter: 200 * time.Millisecond})
		time.Sleep(100 * time.Millisecond) // so that the result is for the next stream
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "you are back"}}}, nil
	})
	server.AddTool(&sdk.Tool{Name: "test_trigger_tool_change", Description: "Changes a list.", InputSchema: object}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		server.AddTool(&sdk.Tool{Name: "transient", Description: "Comes later.", InputSchema: object}, nothing)
		return &sdk.CallToolResult{Content: []sdk.Content{}}, nil
	})
	server.AddTool(&sdk.Tool{Name: "test_trigger_prompt_change", Description: "Changes a list.", InputSchema: object}, func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		server.AddPrompt(&sdk.Prompt{Name: "transient", Description: "Comes later."}, func(context.Context, *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
			return &sdk.GetPromptResult{Messages: []*sdk.PromptMessage{}}, nil
		})
		return &sdk.CallToolResult{Content: []sdk.Content{}}, nil
	})
	return server
}

// sessions serves clients of revisions before 2026-07-28, which are asked while a
// call runs.
func sessions(server *sdk.Server) http.Handler {
	return sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{EventStore: sdk.NewMemoryEventStore(nil)})
}

// words are a text among other contents.
type words string

func (w words) Block() (transport.Block, error) { return transport.Text(string(w)), nil }
