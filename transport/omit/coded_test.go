package omit_test

import (
	"fmt"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/omit"
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
