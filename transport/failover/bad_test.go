package failover_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/failover"
)

type streamFunc func() iter.Seq2[transport.Event, error]

func (f streamFunc) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return f()
}

// Endpoints that can't be asked are errors of New, which say which.
func TestBadEndpoints(t *testing.T) {
	good := &stub{answer: ok("msg_1")}
	var none *anthropic.Client // of a New whose error nobody looked at
	for name, tt := range map[string]struct {
		bad  failover.Endpoint
		want string
	}{
		"none":           {failover.Endpoint{Name: "b"}, "no Client"},
		"a nil pointer":  {failover.Endpoint{Name: "b", Client: none}, "nil *anthropic.Client"},
		"a nil function": {failover.Endpoint{Name: "b", Client: streamFunc(nil)}, "nil failover_test.streamFunc"},
		"no name":        {failover.Endpoint{Client: good}, "no Name"},
		"a name twice":   {failover.Endpoint{Name: "a", Client: good}, "two endpoints"},
	} {
		_, err := failover.New(failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: good}, tt.bad}})
		var bad *failover.EndpointError
		if !errors.As(err, &bad) || bad.Index != 1 || bad.Name != tt.bad.Name || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A request that is nil is refused before anybody is asked, and a client that returns no
// stream has failed.
func TestNil(t *testing.T) {
	good := &stub{answer: ok("msg_1")}
	c := newClient(t, failover.Options{Endpoints: []failover.Endpoint{
		{Name: "a", Client: streamFunc(func() iter.Seq2[transport.Event, error] { return nil })}, {Name: "b", Client: good},
	}})
	_, _, _, err := collect(c.Stream(t.Context(), nil))
	var wrong *transport.RequestError
	if !errors.As(err, &wrong) || !errors.Is(err, transport.ErrInvalidRequest) || len(good.seen) != 0 {
		t.Errorf("a nil request: %v", err)
	}
	_, _, resp, err := collect(c.Stream(t.Context(), hello()))
	if err != nil || resp.Meta.Endpoint != "b" {
		t.Errorf("a nil stream: %v", err)
	}
}

// Meta.Attempts counts what was sent to all endpoints, those of endpoints that are
// failovers themselves among them, and so does the error if none answers.
func TestAttempts(t *testing.T) {
	twice := func(*transport.Request) (*transport.Response, error) {
		return nil, &transport.Error{Status: 529, Type: transport.ErrOverloaded, Attempts: 2}
	}
	lost := func(*transport.Request) (*transport.Response, error) {
		return nil, &transport.LostError{Err: errors.New("reset"), Attempts: 3}
	}
	nested := func(first, second func(*transport.Request) (*transport.Response, error)) transport.Client {
		return newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "x", Client: &stub{answer: first}}, {Name: "y", Client: &stub{answer: second}}}})
	}
	answers := func(*transport.Request) (*transport.Response, error) {
		r := says("msg_1", "hello")
		r.Meta.Attempts, r.Meta.Lost = 4, 1
		return r, nil
	}
	outer := newClient(t, failover.Options{Endpoints: []failover.Endpoint{
		{Name: "a", Client: nested(twice, lost)}, {Name: "b", Client: nested(twice, answers)},
	}})
	_, _, resp, err := collect(outer.Stream(t.Context(), hello()))
	if err != nil || resp.Meta.Attempts != 2+3+2+4 || resp.Meta.Lost != 3+1 || resp.Meta.Endpoint != "b" {
		t.Errorf("%+v, %v", resp.Meta, err)
	}
	outer = newClient(t, failover.Options{Endpoints: []failover.Endpoint{
		{Name: "a", Client: nested(twice, lost)}, {Name: "b", Client: nested(lost, twice)},
	}})
	_, _, _, err = collect(outer.Stream(t.Context(), hello()))
	var none *failover.Error
	if !errors.As(err, &none) || none.Failures[0].Attempts != 5 || none.Failures[1].Attempts != 5 {
		t.Errorf("%v", err)
	}
	// What an endpoint refuses before it takes less was sent, too.
	thinks, err := transport.ParseBlock([]byte(`{"type":"thinking","thinking":"hm","signature":"Zm9yZWlnbg=="}`))
	if err != nil {
		t.Fatal(err)
	}
	req := hello()
	req.Messages = append(req.Messages, transport.Message{Role: transport.RoleAssistant, Content: []transport.Block{thinks, transport.Text("yes")}}, transport.UserText("go on"))
	picky := &stub{}
	picky.answer = func(*transport.Request) (*transport.Response, error) {
		if len(picky.seen) == 1 {
			return nil, &transport.Error{Status: 400, Type: transport.ErrInvalidRequest, Message: "messages.1.content.0: Invalid `signature` in `thinking` block"}
		}
		return answers(nil)
	}
	c := newClient(t, failover.Options{Endpoints: []failover.Endpoint{{Name: "a", Client: &stub{answer: twice}}, {Name: "b", Client: picky}}})
	_, _, resp, err = collect(c.Stream(t.Context(), req))
	if err != nil || len(picky.seen) != 2 || resp.Meta.Attempts != 2+1+4 {
		t.Errorf("%d requests: %+v, %v", len(picky.seen), resp, err)
	}
}
