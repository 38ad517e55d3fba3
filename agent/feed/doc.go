// Package feed carries what happens in sessions to any number of watchers: pages,
// servers, protocols. It is the only source of events for all of them.
//
// A [Feed] is attached to the context of runs. A watcher names a session by its id and
// gets the session's records in order, each once. Between them it gets what no store
// has: the response that is being written, block by block, what running tools report,
// what the session waits for, and how a run ended. A watcher that joins during a
// response gets what has been written so far. A watcher that returns continues from a
// [Position]. In a process that doesn't run the session, the records come from the
// store.
//
// The feed keeps only the position of a watcher. A slow watcher delays nobody: if a
// response ended in the meantime, it gets the record and not the pieces. A watcher
// needs no goroutine other than the one that reads.
package feed
