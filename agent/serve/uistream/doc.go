// Package uistream serves the sessions of a [serve.Handler] by the UI message stream of
// the AI SDK, version 1, for useChat of @ai-sdk/react.
//
//	h, err := serve.New(serve.Options{Store: store, Run: run, User: user})
//	…
//	mux.Handle("/chat/", http.StripPrefix("/chat", uistream.New(h)))
//
//	const chat = useChat({ id, messages, transport: new DefaultChatTransport({ api: "/chat/" }) })
//
// A chat is a session with the same id. The session in the store is authoritative. Of the
// messages that a client sends, the handler takes only the new message, the decisions and
// the results of tools. A message that is sent twice is stored once. Regenerating an
// answer, or editing a message, forks the session: the chat continues in the fork, and
// the original session stays as it was.
//
// A client that lost its connection calls resumeStream. It gets the answer again from its
// beginning, and then the rest as the model writes it. GET /chat/ID returns the messages
// of a chat, for a page that is loaded. POST /chat/ID/stop ends its run; a client that
// disconnects does not.
//
// docs/serve.md has a table of the chunks.
package uistream
