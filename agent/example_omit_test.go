package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/omit"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func Example_letGo() {
	sim, err := simulator.Start(simulator.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	report, err := transport.Document{FileID: "file_011expired"}.Block()
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	question := transport.Message{Role: transport.RoleUser, Content: []transport.Block{transport.Text("What does it say?"), report}}

	// region letgo
	res, err := a.Run(ctx, agent.Input{Messages: []transport.Message{question}})
	var gone *omit.Error
	if errors.As(err, &gone) {
		fmt.Println("without", gone.What)
		err = res.Log.Append(ctx, memory.Record{Kind: memory.KindOmission, Omission: &gone.Omission})
		if err == nil {
			res, err = a.Run(ctx, agent.Input{Log: res.Log})
		}
	}
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.StopReason)
	// Output:
	// without the file file_011expired
	// end_turn
}
