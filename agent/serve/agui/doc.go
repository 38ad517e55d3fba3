// Package agui serves the sessions of a [serve.Handler] by AG-UI 1.0, the Agent-User
// Interaction protocol. A thread is a session.
//
//	h, err := serve.New(serve.Options{Store: store, Run: run, User: user})
//	…
//	mux.Handle("/agent/", http.StripPrefix("/agent", h))
//	mux.Handle("POST /agui", agui.New(h, agui.Options{}))
//
// The session in the store is authoritative. Of the messages that a client sends, the
// handler takes only the user's new ones. A client that has missed something gets a
// snapshot of the messages. So a client that lost its connection, or a page that was
// loaded again, sends the messages that it has and gets the rest, including the events of
// a run in progress. A message that is sent twice is stored once.
//
// A run that waits for approval of a call, or for the answer to a tool's question, ends
// with the interrupt outcome. A front-end tool is a tool in the client's input, whose
// calls the client answers; see [Tools]. A client that disconnects does not stop the run;
// POST /stop of the serve.Handler does.
//
// docs/serve.md has a table of the events.
package agui
