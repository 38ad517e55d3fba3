// Package astool makes an agent a tool for callers that are no agents, such as the
// clients of an MCP server: the caller gives it a task in words, and gets its answer.
// An agent's own sub-agents are [agent.Sub].
//
//	tool, err := astool.New(astool.Options{Agent: a, Name: "research", Description: "Looks things up.", Store: store})
//	server, err := mcp.NewServer(mcp.ServerOptions{Name: "research", Version: "1", Tools: []tools.Tool{tool}})
//
// What the agent does is a session of Options.Store. The names of the tools that it calls
// are the call's progress. Where it must ask, for an approval or an answer, the caller's
// [tools.Host] is asked; the call waits for it, and is then run again, by any process,
// and goes on in the session. Without a host calls that need an approval are denied.
package astool
