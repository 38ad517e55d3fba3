// Genkit does the task of this folder with genkit and its Anthropic plugin.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/firebase/genkit/go/ai"
	"github.com/firebase/genkit/go/genkit"
	"github.com/firebase/genkit/go/plugins/anthropic"
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

func weather(_ *ai.ToolContext, p place) (string, error) {
	if p.City != "Lisbon" {
		// An error in its place would end the run; a result can't say is_error.
		return fmt.Sprintf("error: no station in %q; give the English name", p.City), nil
	}
	return "18 °C, light rain", nil
}

func answer(ctx context.Context, guide, file, question string) (string, error) {
	g := genkit.Init(ctx, genkit.WithPlugins(&anthropic.Anthropic{}))
	tool := genkit.DefineTool(g, "weather", "Tells the weather of a city.", weather)
	var messages []*ai.Message
	if err := load(file, &messages); err != nil {
		return "", err
	}
	res, err := genkit.Generate(ctx, g,
		ai.WithModelName("anthropic/claude-opus-5-5"),
		ai.WithConfig(&sdk.MessageNewParams{MaxTokens: 16_000}), // the plugin has no way to mark for the cache
		ai.WithSystem("%s", guide),
		ai.WithMessages(messages...),
		ai.WithPrompt("%s", question),
		ai.WithTools(tool),
		ai.WithMaxTurns(100))
	if err != nil {
		return "", err
	}
	messages = nil
	for _, m := range res.History() {
		if m.Role != ai.RoleSystem {
			messages = append(messages, m)
		}
	}
	return res.Text(), save(file, messages)
}

// endregion
