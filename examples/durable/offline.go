package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// connect reaches the service that the environment names, or a simulated one.
func connect(out io.Writer) (transport.Client, func() error, error) {
	if o, err := anthropic.EnvOptions(); err == nil {
		client, err := anthropic.New(o)
		return client, func() error { return nil }, err
	}
	fmt.Fprintln(out, "no key is set: the model is simulated")
	sim, err := simulator.Start(simulator.Options{Model: simulator.ModelFunc(clerk)})
	if err != nil {
		return nil, nil, err
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	return client, sim.Close, err
}

var parcels = regexp.MustCompile(`\b[A-Z][0-9]\b`)

// clerk is the simulated model. It reads in the conversation which parcels are
// shipped, and ships the next two; if it is in doubt about one it looks first.
func clerk(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	var todo, doubt, denied, said []string
	calls := map[string]string{} // the parcel, by the id of the call
	for _, m := range turn.Messages {
		if text := m.Text(); m.Role == transport.RoleUser && text != "" {
			if todo == nil {
				todo = unique(parcels.FindAllString(text, -1))
			} else {
				said = append(said, text)
			}
		}
		for _, b := range m.Content {
			if c, ok := b.ToolCall(); ok {
				calls[c.ID] = parcels.FindString(string(c.Input))
			}
			if b.Type() != transport.TypeToolResult {
				continue
			}
			p, text := calls[b.ToolUseID()], resultText(b)
			switch {
			case strings.HasPrefix(text, "shipped"):
				todo = without(todo, p)
			case strings.HasPrefix(text, "list:"):
				doubt = nil
				todo = without(todo, parcels.FindAllString(text, -1)...)
			case strings.Contains(text, "not permitted"):
				todo = without(todo, p)
				denied = append(denied, p+" ("+text+")")
			default: // it failed, or nobody knows
				doubt = append(doubt, p)
			}
		}
	}
	reply := &simulator.Reply{}
	if turn.Thinking {
		reply.Content = append(reply.Content, simulator.Thinking(fmt.Sprintf("Left: %v. In doubt: %v.", todo, doubt)))
	}
	switch {
	case len(doubt) > 0:
		reply.Content = append(reply.Content, simulator.Text("I don't know about "+strings.Join(doubt, " and ")+"; I'll look."), simulator.Call("shipped", struct{}{}))
	case len(todo) > 0:
		for _, p := range todo[:min(2, len(todo))] {
			reply.Content = append(reply.Content, simulator.Call("ship", parcel{p}))
		}
	default:
		text := fmt.Sprintf("All parcels are shipped, %d of them.", len(unique(parcels.FindAllString(turn.Messages[0].Text(), -1)))-len(denied))
		if len(denied) > 0 {
			text += " Left out: " + strings.Join(denied, "; ") + "."
		}
		for _, s := range said {
			text += fmt.Sprintf(" You said: %q.", s)
		}
		reply.Content = append(reply.Content, simulator.Text(text))
	}
	return reply, nil
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func without(list []string, drop ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(drop, s) })
}
