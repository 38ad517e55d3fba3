package failover_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/failover"
)

// An early client ends its streams behind the first event of a type, without an error.
type early struct{ behind transport.EventType }

func (e early) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		for ev := range says("msg_half", "half").Events() {
			if !yield(ev, nil) || ev.Type == e.behind {
				return
			}
		}
	}
}

// TestEndsEarly has the first endpoint end a stream as if it were whole: another one is
// asked if nothing was delivered, and otherwise it is an error.
func TestEndsEarly(t *testing.T) {
	for behind, asked := range map[transport.EventType]bool{transport.EventMessageStart: true, transport.EventContentBlockDelta: false, transport.EventContentBlockStop: false} {
		second := &stub{answer: ok("msg_2")}
		client := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: early{behind}}, {Name: "b", Client: second}}})
		_, _, resp, err := collect(client.Stream(t.Context(), hello()))
		var cut *transport.StreamError
		if (len(second.seen) == 1) != asked || asked && (err != nil || resp.Text() != "hello") || !asked && (!errors.As(err, &cut) || !cut.Delivered) {
			t.Errorf("behind %s: %v, %v", behind, resp, err)
		}
	}
}
