package stage

import (
	"context"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
)

// A Meeting has requests meet between what they read of a session and what they write:
// the first one waits there for a second one, for a while.
type Meeting struct {
	mu  sync.Mutex
	met chan struct{} // nil if nobody waits for anybody
	n   int
}

// Change is for Options.
func (m *Meeting) Change(o *serve.Options) {
	run := o.Run
	o.Run = func(ctx context.Context, u serve.User, s memory.Info) (*agent.Agent, agent.Input, error) {
		m.mu.Lock()
		met := m.met
		if m.n++; met != nil && m.n == 2 {
			close(met)
		}
		m.mu.Unlock()
		if met != nil {
			select {
			case <-met:
			case <-time.After(300 * time.Millisecond):
			}
		}
		return run(ctx, u, s)
	}
}

// Both sends two requests at once, and returns their answers.
func (m *Meeting) Both(send func() *httptest.ResponseRecorder) (answers [2]*httptest.ResponseRecorder) {
	m.mu.Lock()
	m.met, m.n = make(chan struct{}), 0
	m.mu.Unlock()
	var both sync.WaitGroup
	for i := range answers {
		both.Go(func() { answers[i] = send() })
	}
	both.Wait()
	m.mu.Lock()
	m.met = nil
	m.mu.Unlock()
	return answers
}
