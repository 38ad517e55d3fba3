// Package mcp connects to servers of the Model Context Protocol, over a
// command's standard input and output or over HTTP, and makes their tools the
// agent's; and the other way round it serves tools to MCP clients. It stands on
// the official go-sdk, and is a module of its own for that reason.
//
// # Threat model
//
// An MCP server is someone else's program. Its tools' names and descriptions go
// into the prompt, and what they return goes to the model, so a bad server can
// try to talk the model into misuse of other tools. Hence: connect to servers
// that you trust, take only the tools you want ([Options.Only]), keep their
// names apart from yours ([Options.Prefix]), and have calls approved
// ([Options.Traits]). What a server says of its own tools, such as that they
// only read, is a hint that nothing here relies on. The list of tools is taken
// once: a server can't slip in another description in the middle of a run, and
// the prompt's cached prefix stays as it is. A server's requests back to the
// client, for files, a model or the user's answers, are not offered to it.
//
// A command gets the environment that it is given in [exec.Cmd.Env]; leave that
// nil and it inherits the program's, with the keys in it.
package mcp
