// Package serve gives an agent to many users over HTTP: sessions, messages, events as
// they happen, approvals, questions, forks and bills.
//
//	h, err := serve.New(serve.Options{Store: store, Run: run, User: user})
//	…
//	http.Handle("/agent/", http.StripPrefix("/agent", h))
//
// Each request is checked: Options.User tells which user makes it, from what the
// program's own middleware found out, and a session belongs to the user who began it.
// For other users it does not exist.
//
// A run continues whether or not anybody listens. A listener gets the session's records,
// and the pieces of a response while it is written; a client that reconnects with the
// last id it received continues from there, at any replica. An invalid request is
// reported before a stream begins, as a problem document (RFC 9457); afterwards as an
// event.
//
// docs/serve.md describes the requests and the events, which are versioned.
package serve
