// Package inspect serves a page that shows the runs in a store: the transcript
// as it grows, where the time went and what each request cost, where the prompt
// cache was marked and why it missed, the exact requests, and the tool calls and
// questions that wait.
//
// It is mounted like net/http/pprof:
//
//	page := inspect.Handler(store, inspect.Options{})
//	mux.Handle("/debug/agents/", page)
//	fmt.Println("sessions:", page.URL("http://127.0.0.1:8100/debug/agents/"))
//
// The page needs no network and no build step. It shows conversations, decides
// on calls and answers questions, so it wants the token of that URL from everybody, on this machine too.
package inspect
