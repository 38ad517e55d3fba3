package agent

import (
	"context"

	"github.com/whorl-go/whorl/agent/internal/hook"
)

// watched makes emit tell those who watch the run, too: see package feed. ended
// tells them of its end. Nothing is made where nobody watches.
func (r *Run) watched(ctx context.Context, emit func(Event) bool) (_ func(Event) bool, ended func()) {
	tell := hook.Of[Event](ctx)
	if tell == nil {
		return emit, func() {}
	}
	report := hook.Report[Event]{Log: r.log}
	if caller := runOf(ctx); caller != nil {
		report.Caller = caller.log
	}
	tell(report)
	var seen Event
	emitSeen := func(ev Event) bool {
		seen = ev
		report.Event = &seen
		tell(report)
		return emit(ev)
	}
	return emitSeen, func() {
		report.Event, report.Over, report.Err = nil, true, r.err
		tell(report)
	}
}
