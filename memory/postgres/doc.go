// Package postgres keeps sessions in a PostgreSQL database: the store for
// programs on many machines.
//
//	store, err := postgres.Open(ctx, "postgres://user@host/db", nil)
//
// Open creates the tables or brings them up to date. An append is one statement. A lost
// connection is reopened, and what had been stored by then is not stored twice. Package
// pgserver starts a server for tests.
package postgres
