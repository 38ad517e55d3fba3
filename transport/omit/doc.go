// Package omit lets a conversation continue without content that the service no longer
// accepts: a container that is gone, an expired file, a picture or a PDF that it
// refuses, thinking of another vendor, an MCP server that doesn't answer.
//
// [Find] determines from a refusal what can be left out. An [Omission] names it by its
// places in the messages. A log keeps the omission as a record, so that every later
// request leaves out the same. [Omission.Request] applies an omission to a single
// request.
//
// The package leaves out nothing on its own. See docs/errors.md, "A log that lets go".
package omit
