package simulator

import (
	"slices"

	"github.com/whorl-go/whorl/transport"
)

// newTurn makes what the model gets to see of a request.
func (s *Server) newTurn(r *request, positions prompt) *Turn {
	t := &Turn{
		Model: r.model.resolved, MaxTokens: r.maxTokens, Thinking: r.thinks(), Effort: r.effort(),
		ToolChoice: r.toolChoice.Type, ForcedTool: r.toolChoice.Name, Format: r.outputConfig.Format, server: s, looked: &r.looked,
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
	if at := r.facts.summed; r.held0.shown != nil && at == r.held0.facts.summed {
		t.held = len(r.held0.shown)
		r.shown = slices.Grow(r.held0.shown, len(r.messages)-r.held+1)
		for _, m := range r.fresh() {
			r.shown = append(r.shown, m.transport)
		}
		t.folds = &r.held0.index.folds
	} else {
		if r.held0.index != nil {
			r.held0.index.folds = nil
		}
		r.shown = make([]transport.Message, 0, len(r.messages)-at[0]+1)
		for _, m := range r.messages[at[0]:] {
			r.shown = append(r.shown, r.seen(m))
		}
		r.shown[0].Content = r.shown[0].Content[min(at[1], len(r.shown[0].Content)):]
	}
	t.Messages = r.shown[:len(r.shown):len(r.shown)]
	t.PromptTokens = positions.tokens()
	return t
}

// Folded turns are what Turn.fold has made of the messages that a thread holds.
type foldedTurns struct {
	n, value int
}

// fold goes through the messages, from the first to the last, and returns what next
// makes of the last. In a thread it begins with what is new: key tells one fold from
// others.
func (t *Turn) fold(key any, next func(value, i int, m *transport.Message) int) int {
	var f foldedTurns
	if t.folds != nil {
		f = (*t.folds)[key]
	}
	value := f.value
	for i := f.n; i < len(t.Messages); i++ {
		if t.folds != nil && i == t.held {
			if *t.folds == nil {
				*t.folds = map[any]foldedTurns{}
			}
			(*t.folds)[key] = foldedTurns{i, value}
		}
		if t.looked != nil {
			*t.looked++
		}
		value = next(value, i, &t.Messages[i])
	}
	return value
}
