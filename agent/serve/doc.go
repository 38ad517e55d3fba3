// Package serve gives an agent to many users over HTTP: sessions, messages, events as
// they happen, approvals, questions, forks and costs.
//
//	h, err := serve.New(serve.Options{Store: store, Run: run, User: user})
//	…
//	http.Handle("/agent/", http.StripPrefix("/agent", h))
//
// Each request is checked. [Options.User] returns the user who makes the request, usually
// from what the program's own middleware has put into the context. A session belongs to
// the user who began it, and does not exist for other users.
//
// A run continues whether or not a client listens. A listener gets the session's records,
// and the parts of a response while the model writes it. A client that reconnects with
// the last id it received continues from there, at any replica. An error is reported as a
// problem document (RFC 9457) before a stream begins, and as an event afterwards.
//
// The requests, below the prefix, are
//
//	GET, POST /sessions    GET, DELETE /sessions/ID    POST /messages/ID    GET /events/ID
//	POST /decisions/ID     POST /answers/ID            POST /stop/ID        POST /forks/ID
//	GET /bill/ID           GET /budget
//
// docs/serve.md describes their bodies and the events, which are versioned.
package serve
