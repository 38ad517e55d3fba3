// Package inspect serves a page that shows the runs in a store: the transcript
// as it grows, where the time went and what each request cost, where the prompt
// cache was marked and why it missed, the exact requests, and the tool calls that
// wait for approval.
//
// It is mounted like net/http/pprof:
//
//	mux.Handle("/debug/agents/", inspect.Handler(store, inspect.Options{}))
//
// The page needs no network and no build step. It shows conversations to
// whoever can open it, so it answers to this machine only, unless a token is set.
// What a reverse proxy on this machine passes on comes from this machine, too: set
// a token in front of one.
package inspect
