package simulator

import (
	"slices"

	"github.com/whorl-go/whorl/transport/models"
)

// generation orders the models up to Opus 5 by age: they read what is no younger
// (wire §9.6).
var generation = map[string]int{
	"claude-haiku-4-5": 1, "claude-sonnet-4-5": 1, "claude-opus-4-5": 2, "claude-opus-4-6": 3, "claude-sonnet-4-6": 3,
	"claude-mythos-preview": 4, "claude-opus-4-7": 4, "claude-opus-4-8": 5, "claude-fable-5": 6, "claude-mythos-5": 6, "claude-sonnet-5": 6,
	"claude-opus-5": 7,
}

// readsOf reports whether the model can read the thinking of another. A writer or
// reader that nothing is known of is no obstacle.
func (m *modelInfo) readsOf(writer string) bool {
	switch _, known := traitsOf[writer]; {
	case writer == m.ID:
		return true
	case !known && generation[writer] == 0:
		return true
	case m.reads != nil:
		return slices.Contains(m.reads, writer)
	case generation[m.ID] == 0:
		return true
	}
	return generation[writer] > 0 && generation[writer] <= generation[m.ID]
}

// unread finds the thinking that the model can't read, or that another account
// was given: the service drops it without an error and doesn't bill it.
func (r *request) unread(b *block) (reason string) {
	t := b.signed
	switch {
	case t == nil:
		return ""
	case t.Account != r.account && traitsOf[t.Model].ownAccount:
		return "organization_binding_mismatch"
	case !r.model.readsOf(t.Model):
		return "model_binding_mismatch"
	}
	return ""
}

// strip is the index of the message from which on thinking stays in the prompt, on
// models that keep that of the last turn only (wire §9.5); 0 on the others.
func (r *request) strip() int {
	if r.model.Thinking.Kept != models.Unsupported {
		return 0
	}
	return r.facts.spoken
}
