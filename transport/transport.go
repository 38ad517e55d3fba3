package transport

import (
	"context"
	"errors"
	"iter"
)

// A Client reaches a service that speaks the Messages API. Package anthropic
// has the one for HTTP; a test may have its own.
//
// Stream sends req and yields the events of the response in the order they
// came. The last event of a complete response is message_stop, and carries the
// whole [Response]. After an error there are no more events; the error is an
// [*Error] where the service sent one, and a [*StreamError] where the stream
// broke after it had begun, with what had come by then.
//
// An Event is valid until the next one is asked for. When the caller stops
// early, or ctx ends, the connection is closed before Stream returns. Many
// goroutines may use one Client.
type Client interface {
	Stream(ctx context.Context, req *Request) iter.Seq2[Event, error]
}

// Create sends req and waits for the whole response. It drains [Client.Stream], so
// that streaming makes no difference to the response.
func Create(ctx context.Context, c Client, req *Request) (*Response, error) {
	var resp *Response
	for ev, err := range c.Stream(ctx, req) {
		if err != nil {
			return nil, err
		}
		if ev.Type == EventMessageStop {
			resp = ev.Response
		}
	}
	if resp == nil {
		return nil, &StreamError{Err: errors.New("the stream ended without message_stop")}
	}
	return resp, nil
}
