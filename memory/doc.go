// Package memory keeps conversations. A [Log] is one: records that are appended
// and never changed, from which the next request follows. A [Store] keeps logs
// under an id, as sessions: [RAM] in memory, package sqlite in a file, package
// postgres in a database, and yours wherever it likes, if it passes the tests of
// package storetest.
//
// A record has one JSON form, [Record.AppendJSON], which keeps the bytes that
// came. [Export] and [Import] move sessions as JSON Lines; [Encrypted] and
// [Redacted] wrap a store. docs/sessions.md tells of it all.
package memory
