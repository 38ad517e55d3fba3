package uistream_test

import (
	"net/http"

	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/uistream"
)

// The sessions of a server are chats of the AI SDK.
func Example() {
	h, err := serve.New(serve.Options{ /* Store, Run, User */ })
	if err != nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/agent/", http.StripPrefix("/agent", h))
	mux.Handle("/chat/", http.StripPrefix("/chat", uistream.New(h)))
}
