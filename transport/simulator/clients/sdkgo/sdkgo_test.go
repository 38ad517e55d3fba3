// Package sdkgo runs Anthropic's Go SDK against the simulator. It is a module of
// its own, because the SDK takes long to compile.
package sdkgo

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/toolrunner"

	"github.com/whorl-go/whorl/transport/simulator"
)

type weatherInput struct {
	City string `json:"city" jsonschema:"required,description=The city"`
}

// weather asks the tool, thinks about it, and tells what it said.
func weather(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	last := turn.Messages[len(turn.Messages)-1]
	if last.Content[0].Type() == "tool_result" {
		reply := simulator.Say("It is 20 degrees in Oslo.")
		return &reply, nil
	}
	reply := simulator.Do(simulator.Thinking("The tool knows."), simulator.Text("Let me ask."), simulator.Call("get_weather", weatherInput{"Oslo"}))
	return &reply, nil
}

func newClient(t *testing.T) (anthropic.Client, *[]simulator.Exchange) {
	var seen []simulator.Exchange
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(weather), Observe: func(ex simulator.Exchange) { seen = append(seen, ex) }})
	return anthropic.NewClient(option.WithBaseURL(sim.URL()), option.WithAPIKey("test-key-of-the-go-sdk"), option.WithMaxRetries(0)), &seen
}

func runnerParams(t *testing.T) ([]anthropic.BetaTool, anthropic.BetaToolRunnerParams) {
	tool, err := toolrunner.NewBetaToolFromJSONSchema("get_weather", "Tells the weather.", func(ctx context.Context, in weatherInput) (anthropic.BetaToolResultBlockParamContentUnion, error) {
		return anthropic.BetaToolResultBlockParamContentUnion{OfText: &anthropic.BetaTextBlockParam{Text: "20 degrees in " + in.City}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return []anthropic.BetaTool{tool}, anthropic.BetaToolRunnerParams{BetaMessageNewParams: anthropic.BetaMessageNewParams{
		Model: "claude-opus-5-5", MaxTokens: 4000,
		Messages: []anthropic.BetaMessageParam{anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock("What is the weather in Oslo?"))},
	}}
}

func TestToolRunner(t *testing.T) {
	client, seen := newClient(t)
	tools, params := runnerParams(t)
	message, err := client.Beta.Messages.NewToolRunner(tools, params).RunToCompletion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := message.Content[0].Text; text != "It is 20 degrees in Oslo." || len(*seen) != 2 {
		t.Errorf("%q after %d requests", text, len(*seen))
	}
}

func TestToolRunnerStreaming(t *testing.T) {
	client, seen := newClient(t)
	tools, params := runnerParams(t)
	var text strings.Builder
	for events, err := range client.Beta.Messages.NewToolRunnerStreaming(tools, params).AllStreaming(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for ev, err := range events {
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(ev.Delta.Text)
		}
	}
	if text.String() != "Let me ask.It is 20 degrees in Oslo." || len(*seen) != 2 {
		t.Errorf("%q after %d requests", text.String(), len(*seen))
	}
}

func TestStreamAndErrors(t *testing.T) {
	client, _ := newClient(t)
	params := anthropic.MessageNewParams{Model: "claude-opus-5-5", MaxTokens: 4000,
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hi"))}}
	stream := client.Messages.NewStreaming(t.Context(), params)
	var message anthropic.Message
	for stream.Next() {
		if err := message.Accumulate(stream.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Err(); err != nil || message.StopReason != "tool_use" || len(message.Content) != 3 {
		t.Errorf("%v %+v", err, message)
	}
	params.Messages = nil
	_, err := client.Messages.New(t.Context(), params)
	var api *anthropic.Error
	if !errors.As(err, &api) || api.StatusCode != 400 || api.RequestID == "" {
		t.Errorf("%v", err)
	}
}
