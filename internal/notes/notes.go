// Package notes has the words by which packages know notes of each other's in a log.
package notes

// Warm is the note of a request that did nothing but keep the newest prompt in the
// cache: the record's data is its response, its time when the request was sent.
const Warm = "warm"
