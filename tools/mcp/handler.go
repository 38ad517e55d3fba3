package mcp

import (
	"net/http"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Handler serves a server by streamable HTTP without sessions: each request stands
// for itself, so any number of replicas may answer them, in any order. A call that
// asks goes on at whichever replica the answer reaches; give all of them the same
// ServerOptions.StateKey.
//
// Clients of revisions before 2026-07-28 are answered too, but can't be asked, since
// they would have to be asked while the call runs. [sdk.NewStreamableHTTPHandler]
// without Stateless keeps sessions for them.
//
// Requests of web pages from other origins are refused. Who may call is for the
// handler around it to check; its [auth.TokenInfo] binds a call that waits to the
// user who has begun it.
func Handler(server *sdk.Server) http.Handler {
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{Stateless: true})
	return http.NewCrossOriginProtection().Handler(h)
}
