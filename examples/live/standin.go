package main

import (
	"context"
	"embed"
	"io/fs"
	"strings"

	"github.com/whorl-go/whorl/transport/simulator"
)

//go:embed pages
var embedded embed.FS

// standIn is the simulator that embodies what the project assumes. Its model does what
// the probes ask a model to do.
func standIn() simulator.Options {
	pages, err := fs.Sub(embedded, "pages")
	if err != nil {
		panic(err) // the name is a constant
	}
	return simulator.Options{Seed: 1, Pages: pages, Model: simulator.ModelFunc(answerAsAsked)}
}

func answerAsAsked(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	var parts []simulator.Part
	if turn.Thinking {
		parts = append(parts, simulator.Thinking("27 times 453 is 12231."))
	}
	said := turn.LastUserText()
	last := turn.Messages[len(turn.Messages)-1]
	switch {
	case turn.Format != nil:
		word := `{}`
		if strings.Contains(string(turn.Format), `"word"`) {
			word = `{"word":"blue"}`
		}
		parts = append(parts, simulator.Text(word))
	case turn.HasTool("f") && strings.Contains(said, "se the tool f") && last.Content[0].Type() == "text":
		parts = append(parts, simulator.Call("f", map[string]any{"x": 1}))
	case turn.HasTool("web_search") && strings.Contains(said, "Search the web") && turn.Step == 0:
		parts = append(parts, simulator.ServerCall("web_search", map[string]any{"query": "Go programming language"}))
	case strings.HasPrefix(said, "Count:"):
		parts = append(parts, simulator.Text("1 2 3 4 5 6"))
	default:
		parts = append(parts, simulator.Text("ok"))
	}
	r := simulator.Do(parts...)
	return &r, nil
}
