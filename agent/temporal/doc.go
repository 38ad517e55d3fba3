// Package temporal runs the sessions of a store on Temporal: one activity for each
// action of [agent.Next].
//
//	c, err := client.Dial(client.Options{})
//	w, err := temporal.NewWorker(c, "agents", temporal.Options{Store: store, Run: choose}, worker.Options{})
//	err = w.Run(worker.InterruptCh())
//
// The conversation is in the store. The workflow carries only the session's id and its
// number of records, so each action adds the same few hundred bytes to its history,
// however long the conversation is. The number of records prevents an action from running
// twice: a late attempt finds that the log has more records, and changes nothing.
//
// A workflow ends with the turn, and the next message begins another one ([Client.Say]).
// While it waits for an approval or an answer, it accepts them as updates. The deadline
// of a question is a timer.
//
// Use either Temporal or agent/worker for the sessions of a store, not both.
package temporal
