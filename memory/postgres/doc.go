// Package postgres keeps sessions in a PostgreSQL database: the store for
// programs on many machines.
package postgres
