// Package decided finds out what has been decided behind a run's back.
//
// Whoever decides records that first, and then has the session run on. If its last run has
// not ended by then, that does nothing: the run has looked for the last time, and keeps
// others off until it has given the session back. So whoever has run it looks once more.
package decided

import (
	"context"
	"errors"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
)

// Since reports whether a call or a question that a run has ended to wait for, by its
// error, waits no more. It is false for any other error.
func Since(ctx context.Context, store memory.Store, err error) (bool, error) {
	var waits *agent.ApprovalError
	if !errors.As(err, &waits) {
		return false, nil
	}
	logs := make(map[string]*memory.Log)
	open := func(id string) (*memory.Log, error) {
		if logs[id] != nil {
			return logs[id], nil
		}
		log, err := memory.Open(ctx, store, id)
		logs[id] = log
		return log, err
	}
	for _, c := range waits.Calls {
		log, err := open(c.Session)
		if err != nil {
			return false, err
		}
		still := false
		for _, is := range agent.Pending(log) {
			still = still || is.Record == c.Record && is.CallID == c.CallID
		}
		if !still {
			return true, nil
		}
	}
	for _, q := range waits.Questions {
		if q.Question.Kind == "session" {
			continue // a sub-agent, whose own are listed
		}
		log, err := open(q.Session)
		if err != nil {
			return false, err
		}
		still := false
		for _, is := range agent.Questions(log) {
			still = still || is.Call == q.Call && is.Question.Key == q.Question.Key
		}
		if !still {
			return true, nil
		}
	}
	return false, nil
}
