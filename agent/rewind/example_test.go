package rewind_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/rewind"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A fork gets the folder as it was where it begins.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "rewind")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(
		simulator.Do(put("plan.txt", "Use tabs.")), simulator.Say("Written."),
		simulator.Do(put("plan.txt", "Use spaces.")), simulator.Say("Changed."),
	)})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("test")})
	if err != nil {
		log.Fatal(err)
	}
	store := new(memory.RAM)

	// region rewind
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5",
		Tools: files.Tools(root, files.Options{Follow: "repo"})})
	if err != nil {
		log.Fatal(err)
	}
	first, err := a.Run(ctx, agent.Input{Store: store, Session: "s", Prompt: "Write a plan."})
	if err != nil {
		log.Fatal(err)
	}
	n := first.Log.Len() // where to come back to
	second, err := a.Run(ctx, agent.Input{Store: store, Session: "s", Prompt: "Spaces, please."})
	if err != nil {
		log.Fatal(err)
	}

	fork, err := memory.ForkSession(ctx, store, "s", n, "s-2", nil)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := rewind.Folder(ctx, root, rewind.Options{Folder: "repo", From: second.Log, To: fork})
	if err != nil { // a *rewind.ConflictError names the files that somebody else has changed
		log.Fatal(err)
	}
	// endregion
	for _, f := range plan.Files {
		text, err := os.ReadFile(filepath.Join(dir, f.Path))
		fmt.Println(f.Path, string(text), err)
	}
	// Output: plan.txt Use tabs. <nil>
}
