// Package sqlite keeps sessions in one file, with SQLite in pure Go: the store
// for a program on one machine.
package sqlite
