// Langchaingo does the task of this folder with langchaingo's Anthropic model.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"slices"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/anthropic"
)

// Usage: GUIDE FILE QUESTION, where GUIDE holds the system prompt and FILE keeps the conversation.
func main() {
	guide, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	text, err := answer(context.Background(), string(guide), os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
}

// load reads what save kept; a file that isn't there leaves v as it is.
func load(file string, v any) error {
	kept, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(kept, v)
}

func save(file string, v any) error {
	kept, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, kept, 0o600)
}

// region answer
var weatherTool = llms.Tool{Type: "function", Function: &llms.FunctionDefinition{
	Name: "weather", Description: "Tells the weather of a city.",
	Parameters: map[string]any{
		"type":       "object",
		"properties": map[string]any{"city": map[string]any{"type": "string", "description": "Name of the city, in English"}},
		"required":   []string{"city"},
	},
}}

func weather(arguments string) string {
	var p struct{ City string }
	if err := json.Unmarshal([]byte(arguments), &p); err != nil {
		return "error: " + err.Error() // a result can't say is_error
	}
	if p.City != "Lisbon" {
		return fmt.Sprintf("error: no station in %q; give the English name", p.City)
	}
	return "18 °C, light rain"
}

func answer(ctx context.Context, guide, file, question string) (string, error) {
	model, err := anthropic.New(anthropic.WithModel("claude-sonnet-4-6"), anthropic.WithBaseURL(os.Getenv("ANTHROPIC_BASE_URL")+"/v1"))
	if err != nil {
		return "", err
	}
	messages := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeSystem, guide)}
	if err := load(file, &messages); err != nil {
		return "", err
	}
	messages = append(messages, llms.TextParts(llms.ChatMessageTypeHuman, question))
	asked := len(messages) - 1
	for range 100 { // the agents of package agents speak to other APIs, so the loop is yours
		// Only a question can be marked for the cache. The mark isn't kept: it would be lost in JSON, with the text.
		sent := slices.Clone(messages)
		sent[asked].Parts = []llms.ContentPart{llms.WithCacheControl(llms.TextPart(question), anthropic.EphemeralCache())}
		res, err := model.GenerateContent(ctx, sent, llms.WithTools([]llms.Tool{weatherTool}), llms.WithMaxTokens(16_000), llms.WithTemperature(1))
		if err != nil {
			return "", err
		}
		text, calls := "", 0
		for _, choice := range res.Choices { // one for each block
			text += choice.Content
			for _, call := range choice.ToolCalls {
				calls++
				messages = append(messages,
					llms.MessageContent{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{call}},
					llms.MessageContent{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{
						llms.ToolCallResponse{ToolCallID: call.ID, Name: call.FunctionCall.Name, Content: weather(call.FunctionCall.Arguments)},
					}})
			}
		}
		if calls == 0 {
			messages = append(messages, llms.TextParts(llms.ChatMessageTypeAI, text))
			return text, save(file, messages)
		}
	}
	return "", errors.New("no answer after 100 steps")
}

// endregion
