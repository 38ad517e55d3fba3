// Package temporal runs the sessions of a store on Temporal: one activity for each
// action of [agent.Next].
//
//	c, err := client.Dial(client.Options{})
//	w, err := temporal.NewWorker(c, "agents", temporal.Options{Store: store, Run: choose}, worker.Options{})
//	err = w.Run(worker.InterruptCh())
//
// The conversation is in the store. The workflow carries the session's id and its
// number of records, and nothing else, so its history grows by the same few hundred
// bytes with each action, however long the conversation is. The number is the fence:
// an attempt that comes late finds that the log has gone on, and changes nothing.
//
// A workflow lasts as long as there is something to do: it ends with the turn, and
// the next message begins another one ([Client.Say]). While it waits for an approval
// or an answer it takes them as updates, and the end of the time that a question has
// is a timer.
//
// Use either Temporal or agent/worker for the sessions of a store, not both.
package temporal
