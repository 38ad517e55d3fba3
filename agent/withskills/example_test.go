package withskills_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/withskills"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/skills"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// region program

// An agent that knows how letters are written here, once it needs to.
func Example() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("skill", map[string]any{"name": "letters"})),
		simulator.Say("Dear Ann, … Yours, the Shell Museum"),
	)})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		log.Fatal(err)
	}

	folder := fstest.MapFS{"letters/SKILL.md": &fstest.MapFile{Data: []byte(`---
name: letters
description: How the museum writes letters. Use it for every letter and e-mail.
---
End each letter with "Yours, the Shell Museum".
`)}}
	set, err := skills.Load(skills.Options{}, folder) // or skills.Open("skills", …) for a folder
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{set.Tool()}})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	in, err := withskills.Input(ctx, set, agent.Input{Prompt: "Thank Ann for the snail."})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, in)
	fmt.Println(res.Text, err)
	// Output: Dear Ann, … Yours, the Shell Museum <nil>
}

// endregion
