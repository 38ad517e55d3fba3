// Package subagents gives a model its sub-agents by name, out of a registry that is
// given once.
package subagents

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// A Registry is one tool for many sub-agents: the model names the one that it gives a
// task to. The zero Registry is ready to use. Sub-agents may be added after agents
// were made with it, also those that have it as a tool themselves: agent.Limits.Depth
// bounds how deep they call each other. The tool's definition names those that are
// there when an agent is made.
type Registry struct {
	Name        string // of the tool; empty means "agent"
	Description string // empty means words that say what it does

	mu   sync.Mutex
	subs []agent.Sub
}

// Add adds a sub-agent. It fails if there is one of that name.
func (r *Registry) Add(s agent.Sub) error {
	if _, err := s.Definition(); err != nil {
		return err
	}
	if _, ok := r.SubAgent(s.Name); ok {
		return fmt.Errorf("sub-agent %q: there is another one of that name", s.Name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.subs = append(r.subs, s)
	return nil
}

// SubAgent is the sub-agent of a name.
func (r *Registry) SubAgent(name string) (agent.Sub, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.subs {
		if s.Name == name {
			return s, true
		}
	}
	return agent.Sub{}, false
}

func (r *Registry) name() string {
	if r.Name == "" {
		return "agent"
	}
	return r.Name
}

// tool is what the model sees, and what checks arguments.
func (r *Registry) tool() *tools.FuncTool {
	description := r.Description
	if description == "" {
		description = "Give a task to another agent, and get its answer."
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.subs {
		description += "\n- " + s.Name + ": " + s.Description
	}
	schema := json.RawMessage(`{"type":"object","properties":{"agent":{"type":"string","description":"The agent's name"},"task":{"type":"string","description":"What to do, with all that is needed to do it"}},"required":["agent","task"],"additionalProperties":false}`)
	return tools.Raw(r.name(), description, schema, func(context.Context, json.RawMessage) (tools.Result, error) { return tools.Result{}, nil })
}

// Definition implements [tools.Tool].
func (r *Registry) Definition() (transport.ToolDefinition, error) { return r.tool().Definition() }

// Normalize implements [tools.Normalizer].
func (r *Registry) Normalize(input json.RawMessage) (json.RawMessage, error) {
	return r.tool().Normalize(input)
}

// Traits implements [tools.Callable].
func (r *Registry) Traits() tools.Traits { return agent.Sub{}.Traits() }

// Call implements [tools.Callable].
func (r *Registry) Call(ctx context.Context, input json.RawMessage) (tools.Result, error) {
	name := rawjson.GetString(input, "agent")
	s, ok := r.SubAgent(name)
	if !ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		var names []string
		for _, s := range r.subs {
			names = append(names, s.Name)
		}
		return tools.Result{}, fmt.Errorf("there is no agent %q; the agents are: %s", name, strings.Join(names, ", "))
	}
	task, err := json.Marshal(map[string]string{"task": rawjson.GetString(input, "task")})
	if err == nil {
		task, err = s.Normalize(task)
	}
	if err != nil {
		return tools.Result{}, err
	}
	return s.Call(ctx, task)
}
