package uploads_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/uploads"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// The log has the picture; what is sent has a file.
func Example() {
	ctx := context.Background()
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(simulator.Say("Noise."))})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("test")})
	if err != nil {
		log.Fatal(err)
	}

	// region client
	files := uploads.New(client, &uploads.Options{ExpiresIn: 30 * 24 * time.Hour})
	a, err := agent.New(agent.Options{Client: transport.Wrap(client, files.Middleware), Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	res, err := a.Run(ctx, agent.Input{Messages: []transport.Message{{Role: transport.RoleUser, Content: []transport.Block{picture(1)}}}})
	if err != nil {
		log.Fatal(err)
	}
	n := 0
	for _, err := range client.Files(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println(res.Text, n, "file;", "base64 in the log:", strings.Contains(string(res.Log.Messages()[0].Content[0].Raw()), `"base64"`))
	// Output: Noise. 1 file; base64 in the log: true
}
