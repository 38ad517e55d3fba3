package transport_test

import (
	"fmt"

	"github.com/whorl-go/whorl/transport"
)

// A request is written from blocks that were encoded once. A breakpoint is inserted
// in while it is written, and is no part of the block.
func Example() {
	req := &transport.Request{
		Model:     "claude-opus-5-5",
		MaxTokens: 1024,
		System:    []transport.Block{transport.Text("Answer in one word.")},
		Messages:  []transport.Message{transport.UserText("Is 3 < 4?")},
		Breakpoints: []transport.Breakpoint{
			{Part: transport.PartSystem, Index: 0},
		},
	}
	body, err := req.StreamBody()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", body.Bytes())
	fmt.Printf("%s\n", req.System[0].Raw())
	// Output:
	// {"model":"claude-opus-5-5","max_tokens":1024,"stream":true,"system":[{"type":"text","text":"Answer in one word.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Is 3 < 4?"}]}]}
	// {"type":"text","text":"Answer in one word."}
}
