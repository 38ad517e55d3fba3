// Package transport holds the Messages API as Go values, and one interface to
// reach it, [Client].
//
// Its values keep bytes: a [Block], a [ToolDefinition] and a [Response] hold the
// JSON that came, and their methods are views of it. What is sent back to the
// service is therefore what came from it.
package transport
