package inspect_test

import (
	"net/http"

	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
)

// The page stands beside what else a program serves.
func ExampleHandler() {
	// region mount
	store := new(memory.RAM) // or the store that your sessions are in
	mux := http.NewServeMux()
	mux.Handle("/debug/agents/", inspect.Handler(store, inspect.Options{}))
	go http.ListenAndServe("127.0.0.1:8100", mux) // open http://127.0.0.1:8100/debug/agents/
	// endregion
}
