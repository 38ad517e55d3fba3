// Package tasks has the tasks that docs/skill teaches, each as a small program with a
// test that runs it against the simulator: go test ./examples/tasks. The task with an
// MCP server and a skill is in mcpskill, a module of its own, since tools/mcp is one.
package tasks
