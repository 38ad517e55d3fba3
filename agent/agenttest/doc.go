// Package agenttest provides assertions for tests of agents: that a conversation's
// prefix stays the same from request to request, that it is read from the cache, and
// that it costs no more than it should. A failure names the block that caused it.
package agenttest
