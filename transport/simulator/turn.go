package simulator

import "github.com/whorl-go/whorl/transport"

// newTurn makes what the model gets to see of a request.
func (s *Server) newTurn(r *request, positions []position) *Turn {
	t := &Turn{
		Model: r.model.resolved, MaxTokens: r.maxTokens, Thinking: r.thinks(), Effort: r.effort(),
		ToolChoice: r.toolChoice.Type, ForcedTool: r.toolChoice.Name, Format: r.outputConfig.Format, server: s,
	}
	if r.tools != nil {
		t.Tools = r.tools.definitions
	}
	for i := range r.system {
		if i > 0 {
			t.System += "\n"
		}
		t.System += textOf(r.system[i].raw)
	}
	t.Seed = s.opts.Seed
	for j := range r.messages[0].blocks {
		t.Seed = mix(t.Seed, r.messages[0].blocks[j].digest.value)
	}
	from, at := r.lastCompaction()
	t.Messages = make([]transport.Message, 0, len(r.messages)-from+1)
	for _, m := range r.messages[from:] {
		t.Messages = append(t.Messages, r.shown(m))
	}
	t.Messages[0].Content = t.Messages[0].Content[min(at, len(t.Messages[0].Content)):]
	if n := len(positions); n > 0 {
		t.PromptTokens = positions[n-1].tokens
	}
	return t
}
