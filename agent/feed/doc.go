// Package feed carries what happens in sessions to any number of those who watch
// them: pages, servers, protocols. It is the one source of events for all of them.
//
// A [Feed] is attached to the context of runs, and asked by id what happens in a
// session. A watcher gets the session's records, in order, each once, and between
// them what no store has: the response that is being written, block by block, what
// running tools report, what the session waits for, and how a run ended. A watcher
// that joins during a response gets what there is of it; one that returns continues
// from a [Position]. In a process that doesn't run the session the records come
// from the store.
//
// Nothing is kept for a watcher but its place. One that is slow holds nobody up: it
// gets the records, and of a response that is over meanwhile not the pieces, but the
// record. A watcher needs no goroutine but the one that reads.
package feed
