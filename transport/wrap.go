package transport

import (
	"context"
	"iter"

	"github.com/whorl-go/whorl/transport/internal/seam"
)

// As finds an optional ability of a client, such as a Features or a BaseURL
// method: in c itself, or in what it wraps. It follows a method Unwrap that
// returns the wrapped client, and otherwise an embedded Client, so that
// struct{ Client } loses nothing. An Unwrap that returns nil hides the rest.
//
//	counter, ok := transport.As[interface {
//		CountTokens(context.Context, *transport.Request) (int, error)
//	}](client)
func As[T any](c Client) (T, bool) { return seam.As[T](c) }

// A StreamFunc is a [Client]'s Stream method.
type StreamFunc func(ctx context.Context, req *Request) iter.Seq2[Event, error]

// A Middleware makes a StreamFunc that does something besides what next does: it
// counts, logs, changes a copy of the request, answers by itself. It must not
// change the request that it is given, and must keep to what [Client] promises.
type Middleware func(next StreamFunc) StreamFunc

// Wrap puts middleware around a client; the first is the outermost. Other abilities
// of the client are found through [As] as before, and do not pass through the
// middleware.
func Wrap(c Client, middleware ...Middleware) Client {
	if len(middleware) == 0 {
		return c
	}
	stream := StreamFunc(c.Stream)
	for i := len(middleware) - 1; i >= 0; i-- {
		if middleware[i] != nil {
			stream = middleware[i](stream)
		}
	}
	return &wrapped{stream: stream, client: c}
}

type wrapped struct {
	stream StreamFunc
	client Client
}

func (w *wrapped) Stream(ctx context.Context, req *Request) iter.Seq2[Event, error] {
	return w.stream(ctx, req)
}

// Unwrap returns the client that the middleware is around.
func (w *wrapped) Unwrap() Client { return w.client }
