// Package mcpskill has one of the tasks that docs/skill teaches: an agent with the tools
// of an MCP server and with a skill. It is a module of its own, since tools/mcp is one.
package mcpskill

import (
	"context"
	"os/exec"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/withskills"
	"github.com/whorl-go/whorl/tools/mcp"
	"github.com/whorl-go/whorl/tools/skills"
	"github.com/whorl-go/whorl/transport"
)

// region answer

// answer has the tool count of an MCP server, which is a command, and the skills of a
// folder, each with its SKILL.md in a folder of its own.
func answer(ctx context.Context, client transport.Client, command func() *exec.Cmd, folder, question string) (string, error) {
	server, err := mcp.Command(ctx, command, mcp.Options{Prefix: "stock_", Only: []string{"count"}})
	if err != nil {
		return "", err
	}
	defer server.Close()
	list, err := server.Tools(ctx)
	if err != nil {
		return "", err
	}
	set, err := skills.Open(folder, skills.Options{})
	if err != nil {
		return "", err
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: append(list, set.Tool())})
	if err != nil {
		return "", err
	}
	in, err := withskills.Input(ctx, set, agent.Input{Prompt: question}) // tells which skills there are
	if err != nil {
		return "", err
	}
	res, err := a.Run(ctx, in)
	return res.Text, err
}

// endregion
