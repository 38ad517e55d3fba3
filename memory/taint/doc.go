// Package taint tells what a conversation has read: texts that strangers may have
// written, and what not everybody may know.
//
// A model that read a stranger's text may do what that asks, and can tell whatever
// it has read. So what matters is which of both has been read before something goes
// out. The labels are a pure function of the log: of the results of server tools,
// and of notes that an agent appends when it calls a tool whose traits say that it
// reads such things. Nothing takes a label away: not a restart, a fork behind it,
// a summary or an omission, since the log keeps its records.
//
// Rules of package policy see the labels:
//
//	outside && taint.untrusted && taint.private ? "ask" : ""
//
// A program that puts a stranger's text into a conversation itself appends a [Note].
package taint
