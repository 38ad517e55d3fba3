// Example is an agent for editors: it works on the files of the project that the editor
// has open, and asks before it changes anything or runs a command.
//
//	cd agent/acp && go build -o ~/bin/whorl-acp ./example
//
// An editor starts it, and speaks with it over standard input and output; docs/acp.md
// has the settings. It needs a key in the environment, such as ANTHROPIC_API_KEY. With
// -offline a simulated model repeats what it is told.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/acp"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/tools/todo"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func main() {
	store := flag.String("store", "", "file of the sessions; empty means ~/.local/state/whorl/acp.db")
	model := flag.String("model", "claude-opus-5-5", "model")
	offline := flag.Bool("offline", false, "answer without a key and a network")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Standard output is the protocol's.
	if err := serve(ctx, os.Stdin, os.Stdout, *store, *model, *offline); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "acp:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, in io.Reader, out io.Writer, file, model string, offline bool) error {
	client, done, err := connect(offline)
	if err != nil {
		return err
	}
	defer done()
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		file = filepath.Join(home, ".local", "state", "whorl", "acp.db")
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	store, err := sqlite.Open(file, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	return acp.Serve(ctx, in, out, acp.Options{
		Store: store,
		Run: func(ctx context.Context, s *acp.Session) (*agent.Agent, agent.Input, error) {
			list, err := toolbox(ctx, s)
			if err != nil {
				return nil, agent.Input{}, err
			}
			a, err := agent.New(agent.Options{
				Client: client, Model: model, Tools: list,
				System: fmt.Sprintf("You are a programmer's assistant in an editor. The project is in %s. Look before you answer, and do what was asked and no more. The user is asked before a tool changes something; if they deny a call, don't try it another way.", s.Dir),
			})
			return a, agent.Input{Gate: gate(s.Mode)}, err
		},
		Name: "whorl", Title: "Whorl",
		Modes: []acp.Mode{
			{ID: "write", Name: "Write", Description: "Changes files and runs commands, after asking."},
			{ID: "read", Name: "Read only", Description: "Changes nothing."},
		},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// toolbox are the editor's tools where it has them. Lists and searches are the disk's:
// the protocol has none.
func toolbox(ctx context.Context, s *acp.Session) ([]tools.Tool, error) {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { root.Close() })
	list := s.Files(acp.FileOptions{})
	taken := map[string]bool{}
	for _, t := range list {
		d, err := t.Definition()
		if err != nil {
			return nil, err
		}
		taken[d.Name()] = true
	}
	for _, t := range files.Tools(root, files.Options{NeedsApproval: true}) {
		d, err := t.Definition()
		if err != nil {
			return nil, err
		}
		if !taken[d.Name()] {
			list = append(list, t)
		}
	}
	list = append(list, s.Terminal(acp.TerminalOptions{})...)
	return append(list, todo.New()), nil
}

// gate decides on calls in a mode. The tools are the same in all modes: other ones would
// cost the prompt's cache.
func gate(mode string) agent.Gate {
	return func(_ context.Context, req agent.ToolRequest) agent.Decision {
		if mode == "read" && !req.Traits.ReadOnly && req.Call.Name != todo.Name {
			return agent.Decision{Permission: agent.Deny, Reason: "The user has chosen a mode in which nothing is changed."}
		}
		return agent.Decision{Permission: agent.Allow}
	}
}

func connect(offline bool) (transport.Client, func() error, error) {
	if !offline {
		client, err := anthropic.FromEnv()
		return client, func() error { return nil }, err
	}
	sim, err := simulator.Start(simulator.Options{Model: simulator.Echo{}})
	if err != nil {
		return nil, nil, err
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("offline")})
	return client, sim.Close, err
}
