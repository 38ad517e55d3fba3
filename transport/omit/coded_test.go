package omit_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// TestPathsOfARefusal holds that the code and the paths of a refusal lead to the
// pictures, whatever its words are, and that a place is counted from the first
// message that was sent.
func TestPathsOfARefusal(t *testing.T) {
	refusal := func(message, paths string) error {
		return transport.ParseError(400, fmt.Appendf(nil, `{"type":"error","error":{"type":"invalid_request_error","message":%q,"details":{"error_code":"image_dimensions_too_large","max_side_length_pixels":8000,"paths":%s}}}`, message, paths))
	}
	const both = `["messages.2.content.0.content.1","messages.0.content.0","messages.0.content.0"]`
	for name, c := range map[string]struct {
		err     error
		thread  *transport.Thread
		want    string
		guessed bool
	}{
		"all paths":                       {err: refusal("no", both), want: "[messages.0.content.0 messages.2.content.0.content.1]"},
		"words of another place":          {err: refusal("messages.0.content.0.image.source.base64.data: large", `["messages.2.content.0.content.1"]`), want: "[messages.2.content.0.content.1]"},
		"an inner path as words have it":  {err: refusal("no", `["messages.2.content.0.tool_result.content.1.image.source"]`), want: "[messages.2.content.0.content.1]"},
		"behind what a thread holds":      {err: refusal("no", `["messages.0.content.0.content.1"]`), thread: &transport.Thread{PreviousMessageID: "msg_1", Held: 2}, want: "[messages.2.content.0.content.1]"},
		"a new thread":                    {err: refusal("no", `["messages.0.content.0"]`), thread: &transport.Thread{}, want: "[messages.0.content.0]"},
		"paths of text and of nothing":    {err: refusal("no", `["messages.0.content.1","messages.99999999999999999999.content.0",null,7]`), want: "[messages.0.content.0 messages.2.content.0.content.1]", guessed: true},
		"the same on a thread":            {err: refusal("no", `["messages.99999999999999999999.content.0"]`), thread: &transport.Thread{PreviousMessageID: "msg_1", Held: 2}, want: "[messages.0.content.0 messages.2.content.0.content.1]", guessed: true},
		"no paths, words without a place": {err: refusal("no", `null`), want: "[messages.0.content.0 messages.2.content.0.content.1]", guessed: true},
	} {
		r := request(t)
		r.Thread = c.thread
		got := omit.Find(c.err, r)
		if got == nil {
			t.Errorf("%s: nothing was found", name)
			continue
		}
		if s := fmt.Sprint(got.Omission.Blocks); s != c.want || got.Guessed != c.guessed {
			t.Errorf("%s: %s, guessed %t; want %s", name, s, got.Guessed, c.want)
		}
	}
}

// TestPathsFromTheSimulator sends a picture with too many pixels in both versions of
// the API, whole and behind what a thread holds; what is found is left out, and the
// rest is taken.
func TestPathsFromTheSimulator(t *testing.T) {
	encoded := func(width int) string {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, 1))); err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(b.Bytes())
	}
	const png64 = `{"type":"image","source":{"type":"base64","media_type":"image/png","data":%q}}`
	small, wide := encoded(1), fmt.Sprintf(png64, encoded(8001))
	for _, version := range []string{anthropic.APIVersion, anthropic.APIVersion2026} {
		for _, threaded := range []bool{false, true} {
			sim := simulator.StartTest(t, simulator.Options{})
			client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("sk-1"), Version: version, Features: anthropic.AllFeatures()})
			if err != nil {
				t.Fatal(err)
			}
			r := &transport.Request{Model: "claude-opus-5", MaxTokens: 2000, Messages: []transport.Message{message(t, transport.RoleUser, fmt.Sprintf(png64, small), words)}}
			if threaded {
				r.Thread = &transport.Thread{}
				resp, err := transport.Create(t.Context(), client, r)
				if err != nil {
					t.Fatal(err)
				}
				replay, _ := resp.Replay()
				r.Messages = append(r.Messages, replay)
				r.Thread = &transport.Thread{PreviousMessageID: resp.ID, Held: len(r.Messages)}
			} else {
				r.Messages = append(r.Messages, message(t, transport.RoleAssistant, words))
			}
			r.Messages = append(r.Messages, message(t, transport.RoleUser, words, wide))
			_, err = transport.Create(t.Context(), client, r)
			got := omit.Find(err, r)
			if got == nil || fmt.Sprint(got.Omission.Blocks) != "[messages.2.content.1]" || got.Guessed {
				t.Errorf("%s, threaded %t: %+v of %v", version, threaded, got, err)
				continue
			}
			without, err := got.Omission.Request(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := transport.Create(t.Context(), client, without); err != nil {
				t.Errorf("%s, threaded %t: without the picture: %v", version, threaded, err)
			}
		}
	}
}
