// Whorl does the task of this folder with Whorl.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: whorl GUIDE FILE QUESTION; GUIDE holds the system prompt, FILE keeps the conversation")
	}
	guide, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	text, err := answer(context.Background(), string(guide), os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
}

// region answer
type place struct {
	City string `json:"city" jsonschema_description:"Name of the city, in English"`
}

func weather(_ context.Context, p place) (string, error) {
	if p.City != "Lisbon" {
		return "", fmt.Errorf("no station in %q; give the English name", p.City)
	}
	return "18 °C, light rain", nil
}

func answer(ctx context.Context, guide, file, question string) (string, error) {
	client, err := anthropic.FromEnv()
	if err != nil {
		return "", err
	}
	store, err := sqlite.Open(file, nil)
	if err != nil {
		return "", err
	}
	defer store.Close()
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", System: guide,
		Tools: []tools.Tool{tools.Func("weather", "Tells the weather of a city.", weather)},
	})
	if err != nil {
		return "", err
	}
	res, err := a.Run(ctx, agent.Input{Store: store, Session: "ann", Prompt: question})
	return res.Text, err
}

// endregion
