// Package acp gives an agent to editors: Zed, the JetBrains editors, Neovim, Emacs and
// others that speak the Agent Client Protocol, over standard input and output.
//
//	err := acp.Serve(ctx, os.Stdin, os.Stdout, acp.Options{Store: store, Run: run})
//
// A session of the editor is a session of the store, under the same id. It is begun by
// session/new; session/load tells the editor its past, also after the process was
// killed, and session/list finds it. One prompt at a time is answered in a session; a
// second one gets a [Problem] of the type "busy".
//
// # What waits
//
// A call that needs approval is put to the user as a request for permission: once, or
// for the session. The decision is in the log; "always" is forgotten with the process.
// A question with choices is asked in the same way. Another question is told as text,
// and the user's next prompt answers it.
//
// # Files and commands
//
// [Session.Files] and [Session.Terminal] are tools that work through the editor, if it
// can: with the text that isn't saved yet, and in a terminal that the user sees.
//
// # Trust
//
// The editor is trusted, as the user is: it has the sessions of the store that have
// [Options].Meta. The model is not: it reaches the session's folders, and each change
// and each command needs the user's approval unless the program says otherwise.
//
// docs/acp.md has the settings of editors.
package acp
