package withskills

import (
	"context"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/skills"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Gate returns a gate that decides as base does, except that it allows a call for which
// base would ask a person if the allowed-tools of a loaded skill name the call; see
// [skills.Skill].Allows. base may be nil. A call that base denies stays denied, a call
// that base allows stays allowed, and a call that base would change needs an approval.
// A skill counts as loaded from the result of the call that loads it on, as long as the
// conversation contains that result: not after a compaction, and not if the skill has
// changed since.
//
// names maps the names of the agent's tools to the names that skills use for them,
// where they differ: {"read_file": "Read"}.
//
// A skill can thereby save its user questions, and nothing more. Leave the gate out if
// you don't trust the skills that far.
func Gate(set *skills.Set, base agent.Gate, names map[string]string) agent.Gate {
	return func(ctx context.Context, req agent.ToolRequest) agent.Decision {
		var d agent.Decision
		if base != nil {
			d = base(ctx, req)
		}
		asks := d.Permission == agent.Ask || d.Permission == "" && req.Traits.NeedsApproval
		if !asks || d.Input != nil || set == nil || req.Call.Toolset != "" {
			return d
		}
		name := req.Call.Name
		if n := names[name]; n != "" {
			name = n
		}
		for _, s := range loaded(set, req.Log) {
			if s.Allows(name, req.Call.Input) {
				return agent.Decision{Permission: agent.Allow, Rule: "skill " + s.Name}
			}
		}
		return d
	}
}

// loaded are the skills that a conversation has loaded, in that order.
func loaded(set *skills.Set, log *memory.Log) (list []*skills.Skill) {
	if log == nil {
		return nil
	}
	var calls map[string]*skills.Skill // of the message before, by id
	for _, m := range log.Messages() {
		if m.Role == transport.RoleAssistant {
			calls = map[string]*skills.Skill{}
			for _, b := range m.Content {
				if c, ok := b.ToolCall(); ok && c.Name == skills.ToolName && c.Toolset == "" && rawjson.GetString(c.Input, "file") == "" {
					calls[c.ID] = set.Skill(rawjson.GetString(c.Input, "name"))
				}
			}
			continue
		}
		for _, b := range m.Content {
			if s := calls[b.ToolUseID()]; s != nil && string(rawjson.Get(b.Raw(), "is_error")) != "true" && s.IsLoaded(text(b)) {
				list = append(list, s)
				delete(calls, b.ToolUseID())
			}
		}
	}
	return list
}

// text is the first text of a tool's result.
func text(b transport.Block) string {
	content := rawjson.Get(b.Raw(), "content")
	for e := range rawjson.Elements(content) {
		return rawjson.GetString(e, "text")
	}
	return rawjson.Unquote(content)
}
