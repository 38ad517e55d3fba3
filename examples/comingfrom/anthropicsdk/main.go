// Anthropicsdk does the task of this folder with the tool runner of anthropic-sdk-go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/toolrunner"
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
	City string `json:"city" jsonschema_description:"Name of the city, in English"`
}

func weather(_ context.Context, p place) (anthropic.BetaToolResultBlockParamContentUnion, error) {
	if p.City != "Lisbon" {
		return anthropic.BetaToolResultBlockParamContentUnion{}, fmt.Errorf("no station in %q; give the English name", p.City)
	}
	return anthropic.BetaToolResultBlockParamContentUnion{OfText: &anthropic.BetaTextBlockParam{Text: "18 °C, light rain"}}, nil
}

func answer(ctx context.Context, guide, file, question string) (string, error) {
	client := anthropic.NewClient()
	tool, err := toolrunner.NewBetaToolFromJSONSchema("weather", "Tells the weather of a city.", weather)
	if err != nil {
		return "", err
	}
	var messages []anthropic.BetaMessageParam
	if err := load(file, &messages); err != nil {
		return "", err
	}
	messages = append(messages, anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock(question)))
	runner := client.Beta.Messages.NewToolRunner([]anthropic.BetaTool{tool}, anthropic.BetaToolRunnerParams{
		MaxIterations: 100,
		DisableThread: os.Getenv("DISABLE_THREAD") != "", // on by default: later requests hold what is new
		BetaMessageNewParams: anthropic.BetaMessageNewParams{
			Model: "claude-opus-5-5", MaxTokens: 16_000,
			System:       []anthropic.BetaTextBlockParam{{Text: guide}},
			Messages:     messages,
			CacheControl: anthropic.NewBetaCacheControlEphemeralParam(), // off by default
		},
	})
	last, err := runner.RunToCompletion(ctx)
	if err != nil {
		return "", err
	}
	text := ""
	for _, b := range last.Content {
		text += b.Text
	}
	return text, save(file, runner.Messages())
}

// endregion
