package simulator_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A script of two replies: a tool call, and the answer.
func Example() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("weather", map[string]string{"city": "Oslo"})),
		simulator.Say("It rains in Oslo."),
	)})
	if err != nil {
		panic(err)
	}
	defer sim.Close()

	body := `{"model":"claude-opus-5-5","max_tokens":1000,"messages":[{"role":"user","content":"Weather in Oslo?"}]}`
	for range 2 {
		req, _ := http.NewRequest("POST", sim.URL()+"/v1/messages", strings.NewReader(body))
		req.Header.Set("x-api-key", "any")
		req.Header.Set("anthropic-version", "2023-06-01")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(err)
		}
		raw, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		message, err := transport.ParseResponse(raw)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s %q\n", message.StopReason, message.Text())
	}
	// Output:
	// tool_use ""
	// end_turn "It rains in Oslo."
}
