// Package sdkgo runs Anthropic's Go SDK against the simulator. It is a module of
// its own, because the SDK takes long to compile.
package sdkgo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/anthropics/anthropic-sdk-go/v2/toolrunner"

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

// A watcher counts what a client sends: requests that create a thread, that
// continue one, and that have none; and the answers that were no 200.
type watcher struct {
	created, continued, plain int
	refused                   []string
}

func (w *watcher) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	switch {
	case bytes.Contains(body, []byte(`"thread":{"type":"create"`)):
		w.created++
	case bytes.Contains(body, []byte(`"thread":{`)):
		w.continued++
	default:
		w.plain++
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(text))
		w.refused = append(w.refused, string(text))
	}
	return resp, err
}

func newClient(t *testing.T, now func() time.Time) (anthropic.Client, *watcher) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.ModelFunc(weather), Now: now})
	w := &watcher{}
	return anthropic.NewClient(option.WithBaseURL(sim.URL()), option.WithAPIKey("test-key-of-the-go-sdk"), option.WithMaxRetries(0),
		option.WithHTTPClient(&http.Client{Transport: w})), w
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

// TestToolRunner runs the SDK's loop whole and streamed, on a message thread and
// without, with models that bind thinking to what came before it and one that doesn't.
func TestToolRunner(t *testing.T) {
	for _, model := range []anthropic.Model{"claude-fable-5-2", "claude-opus-5-5", "claude-haiku-5-5", "claude-opus-5"} {
		for _, threaded := range []bool{true, false} {
			client, w := newClient(t, nil)
			tools, params := runnerParams(t)
			params.Model, params.DisableThread = model, !threaded
			message, err := client.Beta.Messages.NewToolRunner(tools, params).RunToCompletion(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if text := message.Content[0].Text; text != "It is 20 degrees in Oslo." {
				t.Errorf("%s: %q", model, text)
			}
			w.check(t, threaded)

			client, w = newClient(t, nil)
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
			if text.String() != "Let me ask.It is 20 degrees in Oslo." {
				t.Errorf("%s: %q", model, text.String())
			}
			w.check(t, threaded)
		}
	}
}

// check holds that a run of two requests went as it had to.
func (w *watcher) check(t *testing.T, threaded bool) {
	t.Helper()
	want := watcher{plain: 2}
	if threaded {
		want = watcher{created: 1, continued: 1}
	}
	if w.created != want.created || w.continued != want.continued || w.plain != want.plain || w.refused != nil {
		t.Errorf("%+v, want %+v", *w, want)
	}
}

// TestThreadThatEnded has a conversation on a thread that the service forgets
// between two turns: the SDK's helper sends it whole again.
func TestThreadThatEnded(t *testing.T) {
	now := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	client, w := newClient(t, func() time.Time { return now })
	_, params := runnerParams(t)
	thread := client.Beta.Messages.NewThread(anthropic.BetaMessageThreadCreateParams{
		Model: "claude-fable-5-2", MaxTokens: 4000, CacheControl: anthropic.NewBetaCacheControlEphemeralParam(),
	})
	send := func(messages ...anthropic.BetaMessageParam) {
		t.Helper()
		if _, err := thread.Send(t.Context(), anthropic.BetaMessageThreadSendParams{Messages: messages}); err != nil {
			t.Fatal(err)
		}
	}
	result := func() anthropic.BetaMessageParam {
		for _, b := range thread.LastMessage().Content {
			if b.Type == "tool_use" {
				return anthropic.NewBetaUserMessage(anthropic.NewBetaToolResultBlock(b.ID, "20 degrees", false))
			}
		}
		t.Fatal("no call")
		return anthropic.BetaMessageParam{}
	}
	send(params.Messages...)
	send(result())
	now = now.Add(6 * time.Minute)
	send(anthropic.NewBetaUserMessage(anthropic.NewBetaTextBlock("And in Bergen?")))
	send(result())
	if w.created != 2 || w.continued != 3 || len(w.refused) != 1 || !strings.Contains(w.refused[0], "thread_not_found") {
		t.Errorf("%+v", *w)
	}
}

func TestStreamAndErrors(t *testing.T) {
	client, _ := newClient(t, nil)
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
