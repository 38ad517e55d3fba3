package mcp

import (
	"context"
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
// A client that closes the connection cancels its request.
//
// Requests of web pages from other origins are refused. Who may call is for the
// handler around it to check; its [auth.TokenInfo] binds a call that waits to the
// user who has begun it.
func Handler(server *sdk.Server) http.Handler {
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{Stateless: true})
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r.Context())))
	}))
}

type requestKey struct{}

// withRequest is ctx, which ends with the HTTP request too: the SDK passes on the
// values of a request's context, and not its end. Without sessions nobody can come back
// for the answer to a request that is over.
func withRequest(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	request, ok := ctx.Value(requestKey{}).(context.Context)
	if !ok {
		return ctx, cancel
	}
	stop := context.AfterFunc(request, cancel)
	return ctx, func() { stop(); cancel() }
}
