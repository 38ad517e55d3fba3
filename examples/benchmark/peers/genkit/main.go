// Genkit drives the benchmark's task through genkit and its Anthropic plugin,
// with their default settings.
package main

import (
	"context"
	"errors"

	anthropicsdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/firebase/genkit/go/ai"
	"github.com/firebase/genkit/go/genkit"
	"github.com/firebase/genkit/go/plugins/anthropic"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

func main() { harness.Main("genkit", driver) }

func driver(c harness.Config, lookup *harness.Lookup) (func(context.Context) error, error) {
	g := genkit.Init(context.Background(), genkit.WithPlugins(&anthropic.Anthropic{APIKey: "none", BaseURL: c.Base}))
	tool := genkit.DefineTool(g, harness.ToolName, harness.ToolDescription, func(_ *ai.ToolContext, in harness.Input) (string, error) {
		return lookup.Call(in), nil
	})
	if c.Cache {
		return nil, errors.New("no switch: the schema of its config refuses cache_control")
	}
	options := []ai.GenerateOption{
		ai.WithModelName("anthropic/" + harness.Model),
		ai.WithConfig(&anthropicsdk.MessageNewParams{MaxTokens: harness.MaxTokens}),
		ai.WithSystem("%s", c.System()),
		ai.WithPrompt(harness.Prompt),
		ai.WithTools(tool),
		ai.WithMaxTurns(c.Turns + 1),
	}
	if c.Stream {
		options = append(options, ai.WithStreaming(func(context.Context, *ai.ModelResponseChunk) error { return nil }))
	}
	return func(ctx context.Context) error {
		_, err := genkit.Generate(ctx, g, options...)
		return err
	}, nil
}
