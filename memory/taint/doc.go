// Package taint labels conversations by what they have read: text from untrusted
// sources, and private data.
//
// A model that has read untrusted text may follow instructions in it, and may disclose
// whatever it has read. A policy can check which of the two a conversation has read
// before something goes out. The labels are a pure function of the log: of the results
// of server tools, and of the notes that an agent appends when it calls a tool whose
// traits say that it reads such data. A label is never removed: a restart, a later
// fork, a summary or an omission leaves the records in the log.
//
// Rules of package policy see the labels:
//
//	outside && taint.untrusted && taint.private ? "ask" : ""
//
// A program that puts untrusted text into a conversation itself appends a [Note].
package taint
