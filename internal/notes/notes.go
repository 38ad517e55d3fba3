// Package notes has the words by which packages know notes of each other's in a log.
package notes

// Warm is the note of a request that did nothing but keep the newest prompt in the
// cache: the record's data is its response, its time when the request was sent.
const Warm = "warm"

// Check is the note of what Options.Check of package agent said of the newest answer:
// the member "error" of its data, if there was any.
const Check = "check"

// Began is the note of a sub-agent that begins to work in the background, and Ended
// that of one that has ended: the member "child" of their data is the id of its
// session.
const (
	Began = "agent.began"
	Ended = "agent.ended"
)
