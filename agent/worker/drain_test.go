package worker

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport"
)

// A noService is a client that fails.
type noService struct{}

func (noService) Stream(context.Context, *transport.Request) iter.Seq2[transport.Event, error] {
	return func(yield func(transport.Event, error) bool) {
		yield(transport.Event{}, errors.New("there is no service"))
	}
}

// The end of Work's context doesn't end the contexts of its runs, which come to the end
// of their step.
func TestARunOutlivesTheWorkersContext(t *testing.T) {
	store := new(memory.RAM)
	if err := Submit(t.Context(), store, "s", transport.UserText("go"), nil); err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: noService{}, Model: "claude-opus-5-5"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	watched, state := false, State("")
	w, err := New(Options{
		Store: store,
		Run:   func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) { return a, agent.Input{}, nil },
		Watch: func(run context.Context, _ memory.Info) context.Context {
			end()
			if watched = true; run.Err() != nil {
				t.Errorf("the run ends with the worker's context: %v", run.Err())
			}
			return run
		},
		Done: func(_ memory.Info, o Outcome) { state = o.State },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Work(ctx); err != nil || !watched || state != Stopped {
		t.Errorf("watched %v, %s, %v", watched, state, err)
	}
}
