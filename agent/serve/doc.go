// Package serve gives an agent to many users over HTTP: sessions, messages, events as
// they happen, approvals, questions, forks and bills.
//
//	h, err := serve.New(serve.Options{Store: store, Run: run, User: user})
//	…
//	http.Handle("/agent/", http.StripPrefix("/agent", h))
//
// Who asks, and whose a session is, is looked at in each request: Options.User says
// whose request it is, by whatever the program's own middleware has found out, and
// a session belongs to the user who began it. For anybody else it does not exist.
//
// A run goes on whoever listens. Those who listen get a session's records, and of a
// response that is being written its pieces; a client that reconnects with the last
// id it received continues from there, at any replica. An invalid request is
// reported before a stream begins, as a problem document (RFC 9457); afterwards as
// an event.
//
// docs/serve.md describes the requests and the events, which are versioned.
package serve
