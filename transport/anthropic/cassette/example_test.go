package cassette_test

import (
	"context"
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic/cassette"
)

// A test uses Open instead of New, and need not look at the error.
func Example() {
	// region cassette
	c, err := cassette.New("testdata/greeting.json", cassette.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	req := &transport.Request{
		Model:     "claude-opus-5-5",
		MaxTokens: 64,
		Messages:  []transport.Message{transport.UserText("Greet the world.")},
	}
	resp, err := transport.Create(context.Background(), c.Client(), req)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(resp.Text())
	// endregion

	// Output: Hello, world.
}
