package agent

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
	"github.com/whorl-go/whorl/transport/view"
)

// A ToolChange turns tools on and off in the middle of a conversation, without
// touching what the cache holds (wire §4.6).
type ToolChange struct {
	// Add and Remove are names of tools that the agent has. Those to be turned on
	// later have defer_loading.
	Add, Remove []string
	// Define are tools that the agent doesn't have: their definitions are told to the
	// model where the change stands. They are accepted by [Run.ChangeTools] only.
	// Toolsets and computer tools can't be told there.
	Define []tools.Tool
}

// ChangeTools makes the message that turns tools on and off, for [Run.Steer] or
// [Input].Messages. After that message, a call of a tool that is off is answered
// with an error. It fails for a name that the agent has no tool of, and where the
// model or the endpoint can't do it: then every change of the tools is a cache
// miss, and takes another agent.
func (a *Agent) ChangeTools(c ToolChange) (transport.Message, error) {
	if len(c.Define) > 0 {
		return transport.Message{}, errors.New("change tools: a tool that the agent doesn't have can be brought in by a run only; use Run.ChangeTools")
	}
	m, err := a.toolChange(c, a.tools)
	if err == nil && len(m.Content) == 0 {
		err = errors.New("change tools: nothing to add or to remove")
	}
	return m, err
}

// ChangeTools turns tools on and off while the run goes on, or before it begins.
// The message lands at the next place where one may stand, as by [Run.Steer];
// calls of tools that it defines are answered from now on, by this run. A run that
// resumes the conversation has to be told of them again: a definition that the log
// has already is not sent twice. It fails as [Agent.ChangeTools] does, for a
// definition that can't stand there, and once the run has ended.
func (r *Run) ChangeTools(c ToolChange) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state >= runEnded {
		return errors.New("change tools: the run has ended; make a new run with its log")
	}
	defined := make(map[toolKey]*tool, len(r.defined)+len(c.Define))
	maps.Copy(defined, r.defined)
	var definitions []transport.Block
	for i, t := range c.Define {
		reg, def, err := r.agent.define(t)
		if err != nil {
			return fmt.Errorf("change tools: Define[%d]: %w", i, err)
		}
		defined[toolKey{name: reg.name}] = reg
		if !r.definedBy(def) {
			block, err := view.ToolAddition{Tool: view.ChangedTool{Definition: def.Raw()}}.Block()
			if err != nil {
				return fmt.Errorf("change tools: Define[%d]: %w", i, err)
			}
			definitions = append(definitions, block)
		}
	}
	known := maps.Clone(r.agent.tools)
	maps.Copy(known, defined)
	m, err := r.agent.toolChange(c, known)
	if err != nil {
		return err
	}
	m.Content = append(definitions, m.Content...)
	if len(m.Content) == 0 && len(c.Define) == 0 {
		return errors.New("change tools: nothing to add, to remove or to define")
	}
	r.defined = defined
	if len(m.Content) > 0 {
		r.steers = append(r.steers, m)
	}
	return nil
}

// lookup is the tool that a call is for, or nil.
func (r *Run) lookup(c transport.ToolCall) *tool {
	if t := r.agent.lookup(c); t != nil || c.Toolset != "" {
		return t
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.defined[toolKey{name: c.Name}]
}

// define checks a tool that is to be told in a message.
func (a *Agent) define(t tools.Tool) (*tool, transport.ToolDefinition, error) {
	var def transport.ToolDefinition
	if t == nil {
		return nil, def, errors.New("the tool is nil")
	}
	def, traits, callable, err := describe(t)
	if err != nil {
		return nil, def, err
	}
	name := def.Name()
	switch {
	case name == "" || strings.HasPrefix(def.Type(), "computer_"):
		return nil, def, fmt.Errorf("a tool of type %q can't be brought in later; give it in Options.Tools", def.Type())
	case a.tools[toolKey{name: name}] != nil:
		return nil, def, fmt.Errorf("tool %q: the agent has a tool of that name; name the new one differently", name)
	case def.Marked() && def.Deferred():
		return nil, def, fmt.Errorf("tool %q: it has both defer_loading and cache_control; leave one out", name)
	case !slices.ContainsFunc(a.request.Tools, func(t transport.ToolDefinition) bool { return !t.Deferred() }):
		return nil, def, fmt.Errorf("tool %q: the agent has no tool without defer_loading, so that the first one brought in later would cost a cache miss of everything; give one in Options.Tools", name)
	}
	inner, err := a.inner(t)
	return &tool{name: name, callable: a.wrap(callable), traits: traits, inner: inner}, def, err
}

// toolChange makes the message that turns known tools on and off. Definitions
// are not in it.
func (a *Agent) toolChange(c ToolChange, known map[toolKey]*tool) (transport.Message, error) {
	m := transport.Message{Role: transport.RoleSystem}
	if !a.features.InlineTools || !a.takesSystemMessages() {
		return m, fmt.Errorf("change tools: model %q at this endpoint doesn't take tool changes inside a conversation; make another agent with other tools", a.request.Model)
	}
	for _, name := range c.Add {
		if known[toolKey{name: name}] == nil {
			return m, fmt.Errorf("change tools: there is no tool %q; register it with defer_loading", name)
		}
		b, err := view.ToolAddition{Tool: view.ChangedTool{Name: name}}.Block()
		if err != nil {
			return m, fmt.Errorf("change tools: %w", err)
		}
		m.Content = append(m.Content, b)
	}
	for _, name := range c.Remove {
		if known[toolKey{name: name}] == nil {
			return m, fmt.Errorf("change tools: there is no tool %q to remove", name)
		}
		b, err := view.ToolRemoval{Tool: view.ChangedTool{Name: name}}.Block()
		if err != nil {
			return m, fmt.Errorf("change tools: %w", err)
		}
		m.Content = append(m.Content, b)
	}
	return m, nil
}

// A toolNews follows what a log says of tools, without reading it again at each call.
// The zero toolNews has read nothing.
type toolNews struct {
	mu       sync.Mutex
	messages []transport.Message // that were read
	newest   map[string]toolChanged
}

// A toolChanged is the newest change of a tool: its type, and what it says of the tool.
type toolChanged struct {
	typ  transport.BlockType
	tool []byte
}

// of is the newest change of a tool in the log; zero if there is none. A summary by the
// service reports those before it.
func (n *toolNews) of(log *memory.Log, name string) toolChanged {
	n.mu.Lock()
	defer n.mu.Unlock()
	messages := log.Messages()
	if k := len(n.messages); k > len(messages) || k > 0 && &n.messages[0] != &messages[0] { // not one list that only grows
		n.messages, n.newest = nil, nil
	}
	for i := len(n.messages); i < len(messages); i++ {
		if i > 0 && messages[i].Role != transport.RoleSystem {
			continue
		}
		for _, b := range messages[i].Content {
			switch b.Type() {
			case view.TypeCompaction:
				n.newest = nil
				for change := range rawjson.Elements(rawjson.Get(b.Raw(), "tool_changes")) {
					n.add(transport.BlockType(rawjson.GetString(change, "type")), rawjson.Get(change, "tool"))
				}
			case view.TypeToolAddition, view.TypeToolRemoval:
				n.add(b.Type(), rawjson.Get(b.Raw(), "tool"))
			}
		}
	}
	n.messages = messages
	return n.newest[name]
}

func (n *toolNews) add(typ transport.BlockType, tool []byte) {
	if n.newest == nil {
		n.newest = map[string]toolChanged{}
	}
	for _, name := range []string{rawjson.GetString(tool, "name"), rawjson.GetString(rawjson.Get(tool, "definition"), "name")} {
		n.newest[name] = toolChanged{typ, tool}
	}
}

// turnedOff reports whether the newest change of a tool in the log removed it.
// The model may still call it: the removal is a hint (wire §4.6).
func (r *Run) turnedOff(name string) bool {
	return r.toolNews.of(r.log, name).typ == view.TypeToolRemoval
}

// definedBy reports whether the newest change of a tool in the log is its
// definition, byte for byte.
func (r *Run) definedBy(def transport.ToolDefinition) bool {
	return bytes.Equal(rawjson.Get(r.toolNews.of(r.log, def.Name()).tool, "definition"), def.Raw())
}
