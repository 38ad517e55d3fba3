// Package subagents provides one tool with which a model calls any of several
// sub-agents, by name.
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

// A Registry is one tool for many sub-agents: the model names the sub-agent that it
// gives a task to. The zero Registry is ready to use. Sub-agents may be added after
// agents were made with the registry, and may have the registry as a tool themselves:
// agent.Limits.Depth bounds how deep they call each other. The tool's definition names
// the sub-agents that are in the registry when an agent is made.
type Registry struct {
	Name        string // of the tool; empty means "agent"
	Description string // of the tool; empty means a description of what it does

	// NeedsApproval and Outside are traits of the tool's calls; see [tools.Traits]. The
	// tool has the traits of the sub-agents that are in the registry when an agent is
	// made with it. Set the fields if sub-agents with these traits are added later.
	NeedsApproval bool
	Outside       bool

	mu   sync.Mutex
	subs []agent.Sub
	told *tools.Traits // to agents; nil before the first one
}

// Add adds a sub-agent. It fails if the registry has a sub-agent of that name, if s has
// a Group, or if the calls of s have a trait that agents already made with the registry
// don't know of.
func (r *Registry) Add(s agent.Sub) error {
	if _, err := s.Definition(); err != nil {
		return err
	}
	if _, ok := r.SubAgent(s.Name); ok {
		return fmt.Errorf("sub-agent %q: the registry already has a sub-agent of that name", s.Name)
	}
	if s.Group != "" {
		return fmt.Errorf("sub-agent %q: it has the Group %q; leave it out, or give agents the Sub itself as a tool", s.Name, s.Group)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch has := s.Traits(); {
	case r.told == nil:
	case has.NeedsApproval && !r.told.NeedsApproval:
		return fmt.Errorf("sub-agent %q: its calls need approval, and agents made with the registry don't ask for it; add it earlier, or set Registry.NeedsApproval", s.Name)
	case has.Outside && !r.told.Outside:
		return fmt.Errorf("sub-agent %q: it writes outside, and agents made with the registry don't know that; add it earlier, give it a Gate, or set Registry.Outside", s.Name)
	}
	r.subs = append(r.subs, s)
	return nil
}

// SubAgent returns the sub-agent of that name. It returns false if there is none.
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
func (r *Registry) Traits() tools.Traits {
	r.mu.Lock()
	defer r.mu.Unlock()
	traits := agent.Sub{NeedsApproval: r.NeedsApproval}.Traits()
	traits.Outside = r.Outside
	for _, s := range r.subs {
		has := s.Traits()
		traits.NeedsApproval = traits.NeedsApproval || has.NeedsApproval
		traits.Outside = traits.Outside || has.Outside
	}
	r.told = &traits
	return traits
}

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
