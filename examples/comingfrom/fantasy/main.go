// Fantasy does the task of this folder with fantasy.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"charm.land/fantasy"
	"charm.land/fantasy/providers/anthropic"
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
type place struct {
	City string `json:"city" description:"Name of the city, in English"`
}

func weather(_ context.Context, p place, _ fantasy.ToolCall) (fantasy.ToolResponse, error) {
	if p.City != "Lisbon" {
		// An error in its place would end the run.
		return fantasy.NewTextErrorResponse(fmt.Sprintf("no station in %q; give the English name", p.City)), nil
	}
	return fantasy.NewTextResponse("18 °C, light rain"), nil
}

func answer(ctx context.Context, guide, file, question string) (string, error) {
	provider, err := anthropic.New(anthropic.WithAPIKey(os.Getenv("ANTHROPIC_API_KEY")), anthropic.WithBaseURL(os.Getenv("ANTHROPIC_BASE_URL")))
	if err != nil {
		return "", err
	}
	model, err := provider.LanguageModel(ctx, "claude-opus-5-5")
	if err != nil {
		return "", err
	}
	var messages []fantasy.Message
	if err := load(file, &messages); err != nil {
		return "", err
	}
	cached := anthropic.NewProviderCacheControlOptions(&anthropic.ProviderCacheControlOptions{CacheControl: anthropic.CacheControl{Type: "ephemeral"}})
	agent := fantasy.NewAgent(model,
		fantasy.WithSystemPrompt(guide),
		fantasy.WithMaxOutputTokens(16_000),
		fantasy.WithStopConditions(fantasy.StepCountIs(100)),
		fantasy.WithTools(fantasy.NewAgentTool("weather", "Tells the weather of a city.", weather)),
		// Marks the newest message; off by default.
		fantasy.WithPrepareStep(func(ctx context.Context, o fantasy.PrepareStepFunctionOptions) (context.Context, fantasy.PrepareStepResult, error) {
			marked := append([]fantasy.Message(nil), o.Messages...)
			marked[len(marked)-1].ProviderOptions = cached
			return ctx, fantasy.PrepareStepResult{Messages: marked}, nil
		}))
	res, err := agent.Generate(ctx, fantasy.AgentCall{Prompt: question, Messages: messages})
	if err != nil {
		return "", err
	}
	messages = append(messages, fantasy.NewUserMessage(question))
	for _, step := range res.Steps {
		messages = append(messages, step.Messages...)
	}
	return res.Response.Content.Text(), save(file, messages)
}

// endregion
