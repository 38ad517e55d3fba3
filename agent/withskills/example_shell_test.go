package withskills_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/withskills"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/shell"
	"github.com/whorl-go/whorl/tools/skills"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A skill's script, run by a shell that asks first, and by what the skill may do
// unasked.
func ExampleGate() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("skill", map[string]any{"name": "greet"})),
		simulator.Do(simulator.Call("bash", map[string]any{"command": "sh skills/greet/scripts/hello.sh Ann"})),
		simulator.Say("Greeted."),
	)})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		log.Fatal(err)
	}
	work, err := os.MkdirTemp("", "work")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(work)
	folder := fstest.MapFS{
		"greet/SKILL.md": &fstest.MapFile{Data: []byte(
			"---\nname: greet\ndescription: Greets people.\nallowed-tools: Bash(sh skills/greet/scripts/hello.sh:*)\n---\nRun scripts/hello.sh with a name.\n")},
		"greet/scripts/hello.sh": &fstest.MapFile{Data: []byte("echo Hello, $1 > greeting\n"), Mode: 0o755},
	}

	// region shell
	set, err := skills.Load(skills.Options{Dir: "skills"}, folder)
	if err != nil {
		log.Fatal(err)
	}
	if err := set.CopyTo(filepath.Join(work, "skills")); err != nil {
		log.Fatal(err)
	}
	sh, err := shell.New(shell.Options{Dir: work, Confinement: shell.AskFirst}) // Sandboxed, where there is bubblewrap
	if err != nil {
		log.Fatal(err)
	}
	// endregion

	// region gate
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Tools: []tools.Tool{set.Tool(), sh.Tool()},
		Gate:  withskills.Gate(set, nil, nil), // in place of nil, your own gate
	})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	in, err := withskills.Input(ctx, set, agent.Input{Prompt: "Greet Ann."})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, in)
	greeting, _ := os.ReadFile(filepath.Join(work, "greeting"))
	fmt.Printf("%s %v\n%s", res.Text, err, greeting)
	// Output:
	// Greeted. <nil>
	// Hello, Ann
}

// Skills that run at the provider.
func Example_hosted() {
	sim, err := simulator.Start(simulator.Options{Model: simulator.Script(simulator.Say("Here is the sheet."))})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		log.Fatal(err)
	}
	// region hosted
	container, err := skills.Container(skills.Hosted{ID: "xlsx", Version: "20251013"})
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5",
		Tools:    []tools.Tool{tools.CodeExecution{}},
		Template: transport.Request{Container: container},
	})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(context.Background(), agent.Input{Prompt: "Make a sheet of it."})
	fmt.Println(res.Text, err)
	// Output: Here is the sheet. <nil>
}
