// Package worker runs the sessions of a store that can continue, on any number of
// processes, each with a limited number of sessions at once.
//
//	w, err := worker.New(worker.Options{Store: store, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) {
//		return support, agent.Input{}, nil
//	}})
//	…
//	err = w.Work(ctx) // until ctx ends
//
// Any process can send a session a message with [Submit]. A session can go on when
// a message waits for it, when its time to be woken has come ([memory.Waker]), and
// when the process that ran it has died. The worker keeps nothing else of it: no
// queue, no job, no row but the session's own. A session that waits for an approval
// costs nothing until the decision is there and somebody wakes it ([Wake]).
//
// The worker has no loop of its own: it makes a run of [agent.Agent] for the session,
// under the session's lease. Before that it sets a time to wake the session again, which
// it takes back when the run has ended; so a session whose process is killed at any
// moment is found by another one.
package worker
