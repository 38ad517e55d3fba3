// Package postgres keeps sessions in a PostgreSQL database: the store for
// programs on many machines.
//
//	store, err := postgres.Open(ctx, "postgres://user@host/db", nil)
//
// The tables are made, and brought up to date, when it is opened. An append is one
// statement. A connection that was lost is taken up again, and what had been stored
// by then is not stored twice. Package pgserver starts a server for tests.
package postgres
