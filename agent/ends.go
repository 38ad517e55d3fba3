package agent

import (
	"context"
	"time"
)

// warnOfEnd tells the logger once a day that the agent's model ends soon or has
// ended, and returns its end, or the zero time.
func (r *Run) warnOfEnd(ctx context.Context) (ends time.Time) {
	m, now := &r.agent.model, time.Now()
	if !m.EndsSoon(now) {
		return time.Time{}
	}
	if today := now.Unix() / (24 * 60 * 60); r.agent.warned.Swap(today) == today {
		return m.Ends
	}
	message := "the model ends soon"
	if !now.Before(m.Ends) {
		message = "the model has ended"
	}
	r.warn(ctx, message, "model", m.ID, "ends", m.Ends.Format(time.DateOnly), "successor", m.Successor)
	return m.Ends
}
