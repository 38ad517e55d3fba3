// Package sqlite keeps sessions in one file, with SQLite in pure Go: the store
// for a program on one machine.
//
//	store, err := sqlite.Open("sessions.db", nil)
//
// The file and its tables are created if they don't exist; the folder is not. When
// Append returns, the records are on the disk (a write-ahead log, synchronous=FULL).
// Several processes may have the file open: a writer waits for another up to
// Options.Wait, then fails with memory.ErrLocked and has stored nothing.
package sqlite
