// Package uistream speaks the UI message stream of the AI SDK, version 1, over the
// sessions of a [serve.Handler], so that useChat of @ai-sdk/react has an agent behind it.
//
//	h, err := serve.New(serve.Options{Store: store, Run: run, User: user})
//	…
//	mux.Handle("/chat/", http.StripPrefix("/chat", uistream.New(h)))
//
//	const chat = useChat({ id, messages, transport: new DefaultChatTransport({ api: "/chat/" }) })
//
// A chat is a session of the same id, and what is in the session counts, not what a
// client sends of it: from that the new message is taken, and the decisions and results
// of tools. A message that is sent twice lands once. To regenerate an answer, or to edit a
// message, begins a branch: the chat goes on in a fork of the session, and the session
// stays as it was.
//
// A client that lost its connection calls resumeStream, and gets the answer again from
// its beginning, and the rest of it as it comes. GET /chat/ID gives the messages of a
// chat to a page that is loaded, and POST /chat/ID/stop ends its run: to stop listening
// is not to stop it.
//
// docs/serve.md has a table of what becomes which chunk.
package uistream
