// Package inspect serves a page that shows the runs in a store: the transcript as it
// grows, the time and the cost of each request, the marks of the prompt cache and the
// reasons for misses, the exact requests, and the tool calls and questions that wait.
//
// It is mounted like net/http/pprof:
//
//	page := inspect.Handler(store, inspect.Options{})
//	mux.Handle("/debug/agents/", page)
//	fmt.Println("sessions:", page.URL("http://127.0.0.1:8100/debug/agents/"))
//
// The page needs no network and no build step. It shows conversations, and its users can
// decide on calls and answer questions. So every request needs the token in that URL,
// also from the same machine.
package inspect
