// Package withmcp has the tests of agents whose tools are those of MCP servers, on
// Temporal's engine of tests. It is a module of its own so that package temporal does not
// depend on MCP.
package withmcp
