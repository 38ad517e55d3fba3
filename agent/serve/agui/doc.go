// Package agui speaks AG-UI 1.0, the Agent-User Interaction protocol, over the sessions
// of a [serve.Handler]: a thread is a session.
//
//	h, err := serve.New(serve.Options{Store: store, Run: run, User: user})
//	…
//	mux.Handle("/agent/", http.StripPrefix("/agent", h))
//	mux.Handle("POST /agui", agui.New(h, agui.Options{}))
//
// The session is what counts. From the messages that a client sends, only what the user
// has said since is taken; a client that has missed something is sent a snapshot of the
// messages. So a client that lost its connection, or a page that was loaded again, sends
// what it has, and gets the rest, that of a run which goes on as it comes. A message that
// is sent twice lands once.
//
// Calls that need approval and questions of tools end a run with the interrupt
// outcome. A front-end tool, one of those in the client's input, is a tool that the
// client answers: see [Tools]. To stop listening is not to stop the run: that is POST
// /stop of the serve.Handler.
//
// docs/serve.md has a table of what becomes which event.
package agui
