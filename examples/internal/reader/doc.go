// Package reader is a model without weights for the simulator: it answers
// questions by reading. It searches with whatever tools the request declares,
// reads around the best places, follows the identifiers that it meets there, and
// answers in the words of what it read, each statement with the place it stands
// at. What it can't find it says it can't find.
//
// It is deterministic and keeps nothing: all it knows it takes from the
// request's messages, so a conversation can be resumed, forked or replayed.
package reader
