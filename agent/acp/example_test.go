package acp_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/acp"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/tools/todo"
	"github.com/whorl-go/whorl/transport/anthropic"
)

func Example() {
	client, err := anthropic.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	store, err := sqlite.Open("sessions.db", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	// region serve
	run := func(ctx context.Context, s *acp.Session) (*agent.Agent, agent.Input, error) {
		list := s.Files(acp.FileOptions{})
		if list == nil { // an editor without files: the disk
			root, err := os.OpenRoot(s.Dir)
			if err != nil {
				return nil, agent.Input{}, err
			}
			context.AfterFunc(ctx, func() { root.Close() })
			list = files.Tools(root, files.Options{NeedsApproval: true})
		}
		list = append(list, s.Terminal(acp.TerminalOptions{})...)
		a, err := agent.New(agent.Options{
			Client: client, Model: "claude-opus-5-5", Tools: append(list, todo.New()),
			System: fmt.Sprintf("You are a programmer's assistant. The project is in %s.", s.Dir),
		})
		gate := func(_ context.Context, req agent.ToolRequest) agent.Decision {
			if s.Mode == "read" && !req.Traits.ReadOnly {
				return agent.Decision{Permission: agent.Deny, Reason: "The user has chosen to change nothing."}
			}
			return agent.Decision{Permission: agent.Allow}
		}
		return a, agent.Input{Gate: gate}, err
	}
	err = acp.Serve(context.Background(), os.Stdin, os.Stdout, acp.Options{
		Store: store, Run: run, Name: "assistant",
		Modes: []acp.Mode{{ID: "write", Name: "Write"}, {ID: "read", Name: "Read only"}},
	})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
}
