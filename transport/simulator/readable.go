package simulator

import (
	"strings"

	"github.com/whorl-go/whorl/transport"
)

// generation orders the models by age; wire §9.6 says which read
// whose thinking, and that nothing older reads newer.
var generation = map[string]int{
	"claude-haiku-4-5": 1, "claude-sonnet-4-5": 1, "claude-opus-4-5": 2, "claude-opus-4-6": 3, "claude-sonnet-4-6": 3,
	"claude-mythos-preview": 4, "claude-opus-4-7": 4, "claude-opus-4-8": 5, "claude-fable-5": 6, "claude-mythos-5": 6, "claude-sonnet-5": 6,
	"claude-opus-5": 7, "claude-fable-5-1": 8, "claude-mythos-5-1": 8, "claude-opus-5-5": 8, "claude-sonnet-5-5": 8, "claude-haiku-5-5": 9,
}

// reads reports whether the model can read the thinking of another.
func (m *modelInfo) reads(writer string) bool {
	if writer == m.ID || generation[writer] == 0 || generation[m.ID] == 0 {
		return true
	}
	line := func(id string) string { return strings.Split(id, "-")[1] }
	switch m.ID {
	case "claude-fable-5-1", "claude-mythos-5-1":
		return generation[writer] < 8 || writer == "claude-fable-5-1" || writer == "claude-mythos-5-1" || writer == "claude-opus-5-5"
	case "claude-opus-5-5":
		return writer == "claude-sonnet-5-5" || generation[writer] < 8 && line(writer) != "fable" && line(writer) != "mythos"
	case "claude-sonnet-5-5":
		return writer == "claude-sonnet-5" || generation[writer] <= 5
	}
	return generation[writer] <= generation[m.ID]
}

// unread finds the thinking that the model can't read, or that another account
// was given: the service drops it without an error and doesn't bill it.
func (r *request) unread(b *block) (reason string) {
	t := b.signed
	switch {
	case t == nil:
		return ""
	case t.Account != r.account && r.model.ID == "claude-sonnet-5-5":
		return "organization_binding_mismatch"
	case !r.model.reads(t.Model):
		return "model_binding_mismatch"
	}
	return ""
}

// stripsBefore is the index of the message from which on thinking stays in the
// prompt, on models that keep that of the last turn only (wire §9.5); 0 on
// the others.
func (r *request) stripsBefore() int {
	if r.model.Thinking.Kept != transport.Unsupported {
		return 0
	}
	for i := len(r.messages) - 1; i >= 0; i-- {
		if m := r.messages[i]; m.role == transport.RoleUser && !m.onlyResults() {
			return i
		}
	}
	return 0
}
