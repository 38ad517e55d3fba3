// Package omit lets a conversation go on without something that the service
// doesn't take any more: a container that is gone, an expired file, a picture or a
// PDF that it refuses, thinking of another vendor, an MCP server that doesn't
// answer.
//
// [Find] tells from a refusal what could be left out. An [Omission] says it in
// places of the messages, so that it means the same each time: a log keeps it as a
// record, and every later request is the same again. [Omission.Request] leaves it
// out of a single request.
//
// Nothing is left out by this package on its own. See docs/errors.md, "A log that
// lets go".
package omit
