package withskills

import (
	"context"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools/skills"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Gate is base, which may be nil, with the calls allowed that it would have a
// person asked about and that the allowed-tools of a loaded skill name; see
// [skills.Skill].Allows. A call that base denies stays denied, one that it allows
// is not narrowed, and one that it would change needs an approval. A skill is
// loaded from the result of the call that loads it on, as long as the conversation
// has that: not behind a compaction, and not if the skill has changed since.
//
// names gives the tools of the agent the names by which skills know them, where
// those are others: {"read_file": "Read"}.
//
// So a skill can spare its user questions, and no more. Leave the gate out if you
// don't trust the skills that far.
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
