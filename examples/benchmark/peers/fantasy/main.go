// Fantasy drives the benchmark's task through charm.land/fantasy, with its
// default settings.
package main

import (
	"context"
	"slices"

	"charm.land/fantasy"
	"charm.land/fantasy/providers/anthropic"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

func main() { harness.Main("fantasy", driver) }

func driver(c harness.Config, lookup *harness.Lookup) (func(context.Context) error, error) {
	provider, err := anthropic.New(anthropic.WithBaseURL(c.Base), anthropic.WithAPIKey("none"))
	if err != nil {
		return nil, err
	}
	model, err := provider.LanguageModel(context.Background(), harness.Model)
	if err != nil {
		return nil, err
	}
	tool := fantasy.NewParallelAgentTool(harness.ToolName, harness.ToolDescription,
		func(_ context.Context, in harness.Input, _ fantasy.ToolCall) (fantasy.ToolResponse, error) {
			return fantasy.NewTextResponse(lookup.Call(in)), nil
		})
	options := []fantasy.AgentOption{fantasy.WithSystemPrompt(c.System()), fantasy.WithTools(tool), fantasy.WithMaxOutputTokens(harness.MaxTokens),
		fantasy.WithStopConditions(fantasy.StepCountIs(c.Turns + 1))}
	if c.Cache {
		tool.SetProviderOptions(mark)
		options = append(options, fantasy.WithPrepareStep(markMessages))
	}
	agent := fantasy.NewAgent(model, options...)
	return func(ctx context.Context) error {
		var err error
		if c.Stream {
			_, err = agent.Stream(ctx, fantasy.AgentStreamCall{Prompt: harness.Prompt})
		} else {
			_, err = agent.Generate(ctx, fantasy.AgentCall{Prompt: harness.Prompt})
		}
		return err
	}, nil
}

var mark = anthropic.NewProviderCacheControlOptions(&anthropic.ProviderCacheControlOptions{CacheControl: anthropic.CacheControl{Type: "ephemeral"}})

// markMessages places cache breakpoints where crush, its makers' own agent,
// has them: on the system prompt and the last two messages, beside the last tool.
// Fantasy has no switch for it; this is its hook before each step.
func markMessages(ctx context.Context, o fantasy.PrepareStepFunctionOptions) (context.Context, fantasy.PrepareStepResult, error) {
	marked := slices.Clone(o.Messages)
	for i := range marked {
		marked[i].ProviderOptions = nil
		if marked[i].Role == fantasy.MessageRoleSystem || i >= len(marked)-2 {
			marked[i].ProviderOptions = mark
		}
	}
	return ctx, fantasy.PrepareStepResult{Messages: marked}, nil
}
