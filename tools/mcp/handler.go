package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// Handler serves a server by streamable HTTP without sessions: each request is
// independent, so any replica may answer any request. A call that asks the user continues
// at the replica that the answer reaches; all replicas need the same
// ServerOptions.StateKey.
//
// Clients of revisions before 2026-07-28 are served too, but their users can't be asked,
// because these revisions ask while the call runs. [sdk.NewStreamableHTTPHandler] without
// Stateless keeps sessions for them.
//
// A client that closes the connection cancels its request, unless the call has become a
// task.
//
// Requests of web pages from other origins are refused. The Handler doesn't check who may
// call: wrap it in a handler that does. The [auth.TokenInfo] that the wrapper sets binds
// a call that waits to the user who made it.
func Handler(server *sdk.Server) http.Handler {
	h := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return server }, &sdk.StreamableHTTPOptions{Stateless: true})
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Mcp-Method") {
		case "tasks/get", "tasks/update", "tasks/cancel":
			if !namesTask(w, r) {
				return
			}
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r.Context())))
	}))
}

// namesTask reports whether the header of a request about a task names the same one as its
// body. If not, it has answered, as the SDK answers for the methods that it knows.
func namesTask(w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, sdk.DefaultMaxRequestBodyBytes))
	if err != nil {
		http.Error(w, "the request can't be read, or is too long", http.StatusRequestEntityTooLarge)
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	id := rawjson.Get(body, "id")
	if !json.Valid(body) || len(id) == 0 || r.Header.Get("Mcp-Name") == rawjson.GetString(rawjson.Get(body, "params"), "taskId") {
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"the header Mcp-Name is not the taskId of the request"}}`, id, sdk.CodeHeaderMismatch)
	return false
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
