// Package memory keeps conversations. A [Log] is one: records that are appended
// and never changed, from which the next request follows. A [Store] keeps logs
// under an id, as sessions: [RAM] in memory, package sqlite in a file, package
// postgres in a database, and yours wherever it likes, if it passes the tests of
// package storetest.
//
// [NewLog] makes a log that lives in memory only. [Create] begins a session in a
// store, [Open] loads one; what is appended to its log is in the store when
// [Log.Append] returns, or an error says that it is not. Most programs call
// neither: agent.Input names a session.
//
//	l := memory.NewLog()
//	err := l.Append(ctx, memory.Record{Kind: memory.KindInput, Message: transport.UserText("Hello.")})
//
// Append refuses a record that doesn't fit, such as the result of a call that
// nobody made, so the messages that follow from a log are ones that the service
// takes. A Log may be read by many goroutines while one appends. [Log.Fork] begins
// another log with the records of one and copies none of them.
//
// A record has one JSON form, [Record.AppendJSON], which keeps the bytes that came.
// [Enqueue] leaves a message for a session from outside. Further abilities of a
// store are interfaces that [As] finds. Package transfer copies, exports and
// imports sessions; package protect encrypts and redacts; packages budget and
// search are about money and past words. docs/sessions.md has the whole, with the
// format.
package memory
