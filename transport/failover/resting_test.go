package failover_test

import (
	"errors"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/failover"
)

// TestRefusedWhileResting has the second endpoint refuse what the first would take, such
// as a model that it doesn't have, while the first rests: the first is asked then.
func TestRefusedWhileResting(t *testing.T) {
	down := true
	first := &stub{answer: func(*transport.Request) (*transport.Response, error) {
		if down {
			return nil, overloaded()
		}
		return says("msg_1", "hello"), nil
	}}
	second := &stub{answer: ok("msg_2")}
	client := newClient(t, failover.Options{Rest: time.Hour, Endpoints: []failover.Endpoint{{Name: "a", Client: first}, {Name: "b", Client: second}}})
	if _, _, resp, err := collect(client.Stream(t.Context(), hello())); err != nil || resp.Meta.Endpoint != "b" {
		t.Fatalf("%v %v", resp, err)
	}
	down = false
	second.answer = failing(&transport.Error{Status: 404, Type: transport.ErrNotFound, Message: "model: claude-opus-5-5"})
	_, _, resp, err := collect(client.Stream(t.Context(), hello()))
	if err != nil || resp.Meta.Endpoint != "a" {
		t.Errorf("the first was not asked: %v, %v", resp, err)
	}
	// If the first refuses it too, nothing else is asked, and both reasons are told.
	refused := &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "no"}
	third := &stub{answer: ok("msg_3")}
	first = &stub{answer: failing(refused)}
	client = newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: first}, {Name: "b", Client: third}}})
	if _, _, _, err := collect(client.Stream(t.Context(), hello())); !errors.Is(err, refused) || len(third.seen) != 0 {
		t.Errorf("%v, the other was asked %d times", err, len(third.seen))
	}
}
