package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/whorl-go/whorl/transport/simulator"
)

// offline is the model where there is no key: it books a table, step by step.
type offline struct{}

// Respond implements [simulator.Model].
func (offline) Respond(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	said, results := "", []string(nil)
	for _, m := range turn.Messages {
		for _, b := range m.Content {
			if b.ToolUseID() != "" {
				results = append(results, string(b.Raw()))
			} else if m.Role == "user" && b.Type() == "text" {
				said, results = m.Text(), nil
			}
		}
	}
	table := strings.Contains(strings.ToLower(said), "table") || strings.Contains(strings.ToLower(said), "book")
	critic := strings.Contains(turn.System, "reviews") // the sub-agent
	var r simulator.Reply
	switch {
	case critic && len(results) == 0:
		r = simulator.Do(simulator.Text("I read what guests say. "), simulator.Call("read_reviews", map[string]any{"place": "Golden Snail"}))
	case critic:
		r = simulator.Say("Guests praise the **soup**. Most had to wait, and would do so again.")
	case strings.Contains(strings.ToLower(said), "review") && len(results) == 0:
		r = simulator.Do(simulator.Text("I have somebody read them. "), simulator.Call("critic", map[string]any{"task": "What do guests say of the Golden Snail?"}))
	case strings.Contains(strings.ToLower(said), "review"):
		r = simulator.Say("Go there for the soup, and bring some time.")
	case !table:
		r = simulator.Say("You said: *" + said + "*\n\nI book tables. Tonight there are:\n\n| Place | Kitchen | Free at |\n|:--|:--|--:|\n| Golden Snail | French | 19:30 |\n| Chez Escargot | French | 20:00 |\n\n1. Say `Book a table for two`.\n   - Name a **kitchen**, such as Thai.\n2. Choose one, and approve it.\n\n```go\nfmt.Println(\"code is shown as code\")\n```\n")
	case len(results) == 0:
		r = simulator.Do(simulator.Thinking("First see what is free."), simulator.Text("Let me see what is free. "), simulator.Call("find_places", find{}))
	case len(results) == 1:
		r = simulator.Do(simulator.Call("ask", map[string]any{"question": "Which one would you like?", "choices": []string{"Golden Snail", "Chez Escargot"}}))
	case len(results) == 2:
		place := "Golden Snail"
		if strings.Contains(results[1], "Chez") {
			place = "Chez Escargot"
		}
		r = simulator.Do(simulator.Call("book_table", book{place, 2}))
	case strings.Contains(results[2], "booked"):
		r = simulator.Say("Your table is **booked**. Enjoy the evening!")
	default:
		r = simulator.Say(fmt.Sprintf("I have not booked anything. %s", "Say the word if you change your mind."))
	}
	r.Delay = 15 * time.Millisecond
	if strings.Contains(said, "slowly") { // to see how it looks while it is written
		r.Delay = 400 * time.Millisecond
	}
	return &r, nil
}
