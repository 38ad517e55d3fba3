// Package astool makes an agent a tool for callers that are not agents, such as the
// clients of an MCP server. The caller gives it a task in words and gets the agent's
// answer. For an agent's own sub-agents use [agent.Sub].
//
//	tool, err := astool.New(astool.Options{Agent: a, Name: "research", Description: "Looks things up.", Store: store})
//	server, err := mcp.NewServer(mcp.ServerOptions{Name: "research", Version: "1", Tools: []tools.Tool{tool}})
//
// Each call is a session in [Options.Store]. The call reports the names of the tools that
// the agent calls as its progress. If the agent needs an approval or an answer, the call
// asks the caller's [tools.Host] and waits. Any process can then run the call again, and
// it continues in the session. Without a host, calls that need an approval are denied.
package astool
