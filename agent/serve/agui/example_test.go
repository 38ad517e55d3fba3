package agui_test

import (
	"context"
	"net/http"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/agui"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// The same sessions are served to clients of AG-UI, whose own tools the agent may call.
func Example() {
	var client transport.Client // of package anthropic, say
	var own []tools.Tool
	h, err := serve.New(serve.Options{
		Store: new(memory.RAM),
		Run: func(ctx context.Context, _ serve.User, _ memory.Info) (*agent.Agent, agent.Input, error) {
			a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: agui.Tools(ctx, own...)})
			return a, agent.Input{}, err
		},
		User: func(r *http.Request) (serve.User, error) {
			return serve.User{ID: r.Header.Get("X-User")}, nil // set by the middleware in front
		},
	})
	if err != nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/agent/", http.StripPrefix("/agent", h))
	mux.Handle("POST /agui", agui.New(h, agui.Options{}))
}
