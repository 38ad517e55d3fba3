// Langchaingo drives the benchmark's task through langchaingo's Anthropic model,
// with its default settings. Its agents speak to other APIs, so the loop is here.
package main

import (
	"context"
	"encoding/json"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

func main() { harness.Main("langchaingo", driver) }

func driver(c harness.Config, lookup *harness.Lookup) (func(context.Context) error, error) {
	model, err := anthropic.New(anthropic.WithModel(harness.Model), anthropic.WithToken("none"), anthropic.WithBaseURL(c.Base+"/v1"))
	if err != nil {
		return nil, err
	}
	tool := llms.Tool{Type: "function", Function: &llms.FunctionDefinition{
		Name: harness.ToolName, Description: harness.ToolDescription,
		Parameters: map[string]any{
			"type": "object",
			"properties": map[string]any{
				"query": map[string]any{"type": "string", "description": "What to look for"},
				"limit": map[string]any{"type": "integer", "description": "How many results at most"},
			},
			"required": []string{"query", "limit"},
		},
	}}
	options := []llms.CallOption{llms.WithTools([]llms.Tool{tool}), llms.WithMaxTokens(harness.MaxTokens), llms.WithTemperature(1)}
	if c.Stream {
		options = append(options, llms.WithStreamingFunc(func(context.Context, []byte) error { return nil }))
	}
	return func(ctx context.Context) error {
		messages := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeSystem, c.System()), llms.TextParts(llms.ChatMessageTypeHuman, harness.Prompt)}
		for {
			res, err := model.GenerateContent(ctx, messages, options...)
			if err != nil {
				return err
			}
			calls := 0
			for _, choice := range res.Choices { // one for each block
				if choice.Content != "" && len(choice.ToolCalls) == 0 {
					messages = append(messages, llms.TextParts(llms.ChatMessageTypeAI, choice.Content))
				}
				for _, call := range choice.ToolCalls {
					calls++
					var in harness.Input
					if err := json.Unmarshal([]byte(call.FunctionCall.Arguments), &in); err != nil {
						return err
					}
					messages = append(messages,
						llms.MessageContent{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{call}},
						llms.MessageContent{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{
							llms.ToolCallResponse{ToolCallID: call.ID, Name: call.FunctionCall.Name, Content: lookup.Call(in)},
						}})
				}
			}
			if calls == 0 {
				return nil
			}
		}
	}, nil
}
