package anthropic_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// The server stands for the service; a program leaves BaseURL empty and gives an APIKey.
func Example() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, data := range []string{
			`{"type":"message_start","message":{"id":"msg_1","role":"assistant","model":"claude-opus-5-5","content":[],"usage":{"input_tokens":9}}}`,
			`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello, "}}`,
			`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"world."}}`,
			`{"type":"content_block_stop","index":0}`,
			`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}`,
			`{"type":"message_stop"}`,
		} {
			fmt.Fprintf(w, "data: %s\n\n", data)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer srv.Close()

	// region client
	client, err := anthropic.New(anthropic.Options{BaseURL: srv.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	req := &transport.Request{
		Model:     "claude-opus-5-5",
		MaxTokens: 1024,
		Messages:  []transport.Message{transport.UserText("Greet the world.")},
	}
	for ev, err := range client.Stream(context.Background(), req) {
		if err != nil {
			fmt.Println(err)
			return
		}
		switch ev.Type {
		case transport.EventContentBlockDelta:
			fmt.Print(ev.Delta.Text())
		case transport.EventMessageStop:
			fmt.Printf("\n%s, %d tokens\n", ev.Response.StopReason, ev.Response.Usage.OutputTokens)
		}
	}
	// endregion

	// Output:
	// Hello, world.
	// end_turn, 4 tokens
}

// CometAPI, or another gateway, is a base URL and its key.
func ExampleNew_cometAPI() {
	key := "any"
	// region cometapi
	client, err := anthropic.New(anthropic.Options{BaseURL: anthropic.CometBaseURL, APIKey: secret.New(key)})
	if err != nil {
		fmt.Println(err)
		return
	}
	// endregion
	defer client.CloseIdleConnections()
	fmt.Println(anthropic.CometBaseURL)

	// Output: https://api.cometapi.com
}
