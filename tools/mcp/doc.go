// Package mcp connects an agent to servers of the Model Context Protocol, over a
// command's standard input and output or over HTTP. It also serves tools to MCP clients.
// It uses the official go-sdk, and is therefore a module of its own.
//
// # Threat model
//
// An MCP server is someone else's program. Its tools' names and descriptions go into the
// prompt, and what they return goes to the model, so a bad server can try to make the
// model misuse other tools. So connect to servers that you trust, take only the tools you
// want ([Options].Only), keep their names apart from yours ([Options].Prefix), and
// require approval for calls ([Options].Traits). The sizes of lists, descriptions and
// schemas are limited. A server's own statements about its tools, such as that they only
// read, are hints that this package does not rely on. The list of tools is taken once: a
// server can't slip in another description in the middle of a run, and the prompt's
// cached prefix stays as it is. A server's requests back to the client, for files or a
// model, are refused at once. A request of a server to the user is a question of the run
// ([tools.Host]), where the server speaks revision 2026-07-28: the call waits for the
// answer without a connection, and is then made again with it. In earlier revisions, and
// outside of a run, it is for [Options.Ask], and refused without it.
//
// A client of a server that is made here is someone else's program too. What it keeps
// for a call that waits is encrypted, and bound to that call
// ([ServerOptions.StateKey]). The answers are its user's: a call that asks whether it
// may run is approved by whoever is at the client, so let in clients that you trust.
//
// # Rules about arguments
//
// The Messages API doesn't take all names of arguments: "filter[id]" goes to the
// model as "filter_id_". Rules of a gate are about the model's names, and the
// server's are refused; [ArgumentNames] tells which belong together.
//
// # What is lost and what is not
//
// A call is sent again, on a new connection, only if no part of it was sent or the server
// didn't know the session. If the server answers with an error, that is the call's
// result, and the connection remains. If part of the server's output can't be read, only
// that part is lost: a tool of a list, a field of a tool, a block of a result, a line of
// output. [Options].Logger logs it.
//
// A command gets the environment in [exec.Cmd].Env. If that is nil, it inherits the
// program's environment, including any keys in it.
package mcp
