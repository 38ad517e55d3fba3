// Package agenttest has assertions for tests of agents: that a conversation's
// prefix stays the same from request to request, that it is read from the cache,
// and that it costs no more than it should. They name the block that broke it.
package agenttest
