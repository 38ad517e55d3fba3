package agent

import (
	"context"
	"sync"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/taint"
)

// labels are those that the log is known to have. Others may have come meanwhile:
// a note too many is no harm.
type labels struct {
	mu    sync.Mutex
	known taint.Labels
	read  bool // known was read from the log
}

// label is what the log gets before a call runs whose result brings labels that it
// doesn't have: nothing, or one note. The note comes before the result, so that none
// is ever without.
func (r *Run) label(l taint.Labels, tool, call string) []memory.Record {
	if l.IsZero() {
		return nil
	}
	r.labels.mu.Lock()
	defer r.labels.mu.Unlock()
	if !r.labels.read {
		r.labels.known, r.labels.read = taint.Of(r.log), true
	}
	if r.labels.known.Has(l) {
		return nil
	}
	r.labels.known = r.labels.known.With(l)
	return []memory.Record{taint.Note(l, tool, call)}
}

// appendLabels appends what label gives.
func (r *Run) appendLabels(ctx context.Context, l taint.Labels, tool, call string) error {
	err := r.append(ctx, r.label(l, tool, call)...)
	if err != nil {
		r.labels.mu.Lock()
		r.labels.read = false
		r.labels.mu.Unlock()
	}
	return err
}

// reads are the labels of a tool's results.
func (t *tool) reads() taint.Labels {
	return taint.Labels{Untrusted: t.traits.Untrusted, Private: t.traits.Private}
}

// fresh reports whether the sub-agent's log has nothing of its own yet but labels.
func fresh(log *memory.Log, shared int) bool {
	for _, r := range log.Records(shared) {
		if r.Kind != memory.KindNote {
			return false
		}
	}
	return true
}

// writesOutside reports whether one of the agent's tools does, and no gate is asked.
func (a *Agent) writesOutside() bool {
	if a == nil || a.opts.Gate != nil {
		return false
	}
	for _, t := range a.tools {
		if t.traits.Outside {
			return true
		}
	}
	return false
}
