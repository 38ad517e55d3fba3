// Anthropicsdk2 drives the benchmark's task through the tool runner of
// anthropic-sdk-go v2, with its default settings but for message threads, which
// the benchmark turns on and off; its default is on.
package main

import (
	"context"

	anthropic "github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/anthropics/anthropic-sdk-go/v2/toolrunner"

	"github.com/whorl-go/whorl/examples/benchmark/harness"
)

func main() { harness.Main("anthropic-sdk-go", driver) }

func driver(c harness.Config, lookup *harness.Lookup) (func(context.Context) error, error) {
	client := anthropic.NewClient(option.WithBaseURL(c.Base), option.WithAPIKey("none"))
	tool, err := toolrunner.NewBetaToolFromJSONSchema(harness.ToolName, harness.ToolDescription,
		func(_ context.Context, in harness.Input) (anthropic.BetaToolResultBlockParamContentUnion, error) {
			return anthropic.BetaToolResultBlockParamContentUnion{OfText: &anthropic.BetaTextBlockParam{Text: lookup.Call(in)}}, nil
		})
	if err != nil {
		return nil, err
	}
	params := func() anthropic.BetaToolRunnerParams {
		p := anthropic.BetaMessageNewParams{
			Model: harness.Model, MaxTokens: harness.MaxTokens,
			System:   []anthropic.BetaTextBlockParam{{Text: c.System()}},
			Messages: []anthropic.BetaMessageParam{anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock(harness.Prompt))},
		}
		if c.Cache { // the service places a mark at the end of each request
			p.CacheControl = anthropic.NewBetaCacheControlEphemeralParam()
		}
		return anthropic.BetaToolRunnerParams{BetaMessageNewParams: p, DisableThread: c.Threads != "on"}
	}
	list := []anthropic.BetaTool{tool}
	if !c.Stream {
		return func(ctx context.Context) error {
			_, err := client.Beta.Messages.NewToolRunner(list, params()).RunToCompletion(ctx)
			return err
		}, nil
	}
	return func(ctx context.Context) error {
		runner := client.Beta.Messages.NewToolRunnerStreaming(list, params())
		for events, err := range runner.AllStreaming(ctx) {
			if err != nil {
				return err
			}
			for _, err := range events {
				if err != nil {
					return err
				}
			}
		}
		return runner.Err()
	}, nil
}
