package mcp

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Serve makes an MCP server of tools that run here. It is not listening yet:
// give it to [sdk.Server.Run] with a transport, or to [sdk.NewStreamableHTTPHandler].
//
// The tools run without an agent's limits: no approval is asked for, and a
// tool's own time limit is the only one. Calls may overlap.
func Serve(name, version string, set ...tools.Tool) (*sdk.Server, error) {
	server := sdk.NewServer(&sdk.Implementation{Name: name, Version: version}, &sdk.ServerOptions{Capabilities: &sdk.ServerCapabilities{}})
	for i, tool := range set {
		callable, ok := tool.(tools.Callable)
		if !ok {
			return nil, fmt.Errorf("mcp: tool %d runs at the provider and can't be served", i)
		}
		def, err := tool.Definition()
		if err != nil {
			return nil, fmt.Errorf("mcp: %w", err)
		}
		schema := rawjson.Get(def.Raw(), "input_schema")
		if schema == nil {
			if own, ok := tool.(interface{ Schema() json.RawMessage }); ok {
				schema = own.Schema()
			}
		}
		if schema == nil {
			return nil, fmt.Errorf("mcp: tool %q has no schema to serve", def.Name())
		}
		traits := callable.Traits()
		server.AddTool(&sdk.Tool{
			Name:        def.Name(),
			Description: rawjson.GetString(def.Raw(), "description"),
			InputSchema: json.RawMessage(schema),
			Annotations: &sdk.ToolAnnotations{ReadOnlyHint: traits.ReadOnly, IdempotentHint: traits.Repeatable},
		}, handler(def.Name(), callable))
	}
	return server, nil
}

// handler answers calls of one tool. Whatever goes wrong in it is an error
// result, so that the client's model sees it.
func handler(name string, tool tools.Callable) sdk.ToolHandler {
	return func(ctx context.Context, r *sdk.CallToolRequest) (result *sdk.CallToolResult, err error) {
		defer func() {
			if v := recover(); v != nil {
				result, err = failure(fmt.Sprintf("tool %q failed", name)), nil
			}
		}()
		if limit := tool.Traits().Timeout; limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		prepared, err := tools.Prepare(tool, r.Params.Arguments)
		if err != nil {
			return failure(err.Error()), nil
		}
		info := tools.CallInfo{Name: name, Prepared: prepared}
		if token := r.Params.GetProgressToken(); token != nil {
			steps := 0.0
			info.Progress = func(message string) {
				steps++
				_ = r.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{ProgressToken: token, Message: message, Progress: steps})
			}
		}
		ctx = extractTrace(ctx, r.Params.Meta)
		out, err := tool.Call(tools.WithCall(ctx, info), prepared.Input())
		if err != nil {
			return failure(err.Error()), nil
		}
		result = &sdk.CallToolResult{IsError: out.IsError, Content: []sdk.Content{}}
		for _, b := range out.Content {
			result.Content = append(result.Content, contentOf(b))
		}
		return result, nil
	}
}

func failure(text string) *sdk.CallToolResult {
	return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}
