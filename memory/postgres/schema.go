package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// migrations make the tables. The table version tells how many of them the
// schema has had. One that has been released is never changed; a new one is
// added.
var migrations = []string{`
	CREATE TABLE ~sessions (
		key     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		id      text UNIQUE,               -- NULL once deleted, while forks still need it
		parent  bigint,                    -- the session that the first base records are rows of
		base    bigint NOT NULL DEFAULT 0,
		n       bigint NOT NULL,           -- records, those of the parent included
		created bigint NOT NULL,           -- nanoseconds since 1970, as all times here
		changed bigint NOT NULL,
		origin  text,                      -- the id of the session that it was forked from
		queued  bigint NOT NULL DEFAULT 0  -- the newest number of its inbox
	) WITH (fillfactor = 70);
	CREATE INDEX sessions_parent ON ~sessions (parent) WHERE parent IS NOT NULL;
	CREATE TABLE ~records (
		id   bigint PRIMARY KEY,           -- session's key << 32 | position
		sum  bigint NOT NULL,              -- CRC-32C of data
		data bytea NOT NULL
	);
	CREATE TABLE ~meta (
		session bigint NOT NULL,
		name    text NOT NULL,
		value   text NOT NULL,
		PRIMARY KEY (session, name)
	);
	CREATE TABLE ~leases (id text PRIMARY KEY, owner text NOT NULL, until bigint NOT NULL);
	CREATE TABLE ~inbox (session bigint NOT NULL, n bigint NOT NULL, data bytea NOT NULL, PRIMARY KEY (session, n));
	`, `
	ALTER TABLE ~sessions ADD COLUMN indexed bigint NOT NULL DEFAULT 0; -- records whose words are in search
	CREATE TABLE ~search (id bigint PRIMARY KEY, words tsvector NOT NULL);
	CREATE INDEX search_words ON ~search USING gin (words);
	`, `
	ALTER TABLE ~sessions ADD COLUMN incarnation text; -- NULL in rows of v0.1: their key stands for it
	ALTER TABLE ~sessions ADD COLUMN caller bigint;    -- the session whose run began it
	ALTER TABLE ~sessions ADD COLUMN wake bigint;      -- when it is to be woken
	ALTER TABLE ~sessions ADD COLUMN due bigint;       -- when it can go on; see sqlstore's plan
	CREATE INDEX sessions_caller ON ~sessions (caller) WHERE caller IS NOT NULL;
	CREATE INDEX sessions_due ON ~sessions (due) WHERE due IS NOT NULL;
	CREATE INDEX meta_value ON ~meta (name, substr(value, 1, 200));
	CREATE TABLE ~budgets (
		name     text NOT NULL,
		period   text NOT NULL,
		spent    bigint NOT NULL,          -- billionths of a dollar, as all money here
		reserved bigint NOT NULL,
		PRIMARY KEY (name, period)
	);
	CREATE TABLE ~charges (
		id      text PRIMARY KEY,
		name    text NOT NULL,
		period  text NOT NULL,
		usd     bigint NOT NULL,           -- what was reserved
		made    bigint NOT NULL,
		settled bigint NOT NULL            -- when it was charged; 0 while it is open
	);
	CREATE INDEX charges_open ON ~charges (name, period) WHERE settled = 0;
	CREATE INDEX charges_settled ON ~charges (settled) WHERE settled > 0;
	CREATE TABLE ~blobs (key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, data bytea NOT NULL);
	CREATE TABLE ~blob_refs (
		session    bigint NOT NULL,
		blob       bigint NOT NULL,        -- its key: what was stored together is together in the indexes
		media_type text NOT NULL,
		since      bigint NOT NULL,        -- the record that it was appended with; -1 if it was put by itself
		PRIMARY KEY (session, blob)
	);
	CREATE INDEX blob_refs_blob ON ~blob_refs (blob);
	DELETE FROM ~leases WHERE until = 0;
	UPDATE ~sessions AS s SET due = COALESCE((SELECT until FROM ~leases l WHERE l.id = s.id), (SELECT min(n) FROM ~inbox WHERE session = key))
		WHERE id IN (SELECT id FROM ~leases) OR key IN (SELECT session FROM ~inbox);
	`,
}

// migrationLock is the number of the lock that keeps processes that start at the
// same time from migrating at the same time.
const migrationLock = 0x77686f726c

// migrate brings the schema up to date, and makes it if it isn't there.
func migrate(ctx context.Context, tx sqlstore.Tx, schema string) error {
	prefix := quoteIdent(schema) + "."
	named := func(stmts string) string { return strings.ReplaceAll(stmts, "~", prefix) }
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	var most int
	if err := tx.QueryRowContext(ctx, "SELECT current_setting('max_identifier_length')::int").Scan(&most); err != nil {
		return err
	}
	if len(schema) > most { // the server would cut it, and two of them might be one
		return fmt.Errorf("the schema's name has %d bytes, the server takes %d: choose a shorter one", len(schema), most)
	}
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT to_regclass(quote_ident($1::text) || '.version') IS NOT NULL", schema).Scan(&there); err != nil {
		return err
	}
	version := 0
	if there {
		if err := tx.QueryRowContext(ctx, named("SELECT max(n) FROM ~version")).Scan(&version); err != nil {
			return err
		}
	} else if err := createSchema(ctx, tx, schema); err != nil {
		return err
	} else if _, err := tx.ExecContext(ctx, named("CREATE TABLE ~version (n integer PRIMARY KEY)")); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the schema %s is version %d, this library knows up to %d: use a newer version of the library: %w", schema, version, len(migrations), errors.ErrUnsupported)
	}
	for i, m := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, named(m), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, named("INSERT INTO ~version (n) VALUES ($1)"), version+i+1); err != nil {
			return err
		}
	}
	return nil
}

// createSchema makes the schema if it isn't there. Who has been given one need not have
// the right to make one, which CREATE SCHEMA IF NOT EXISTS asks for in any case.
func createSchema(ctx context.Context, tx sqlstore.Tx, schema string) error {
	var there bool
	err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1::text)", schema).Scan(&there)
	if err == nil && !there {
		_, err = tx.ExecContext(ctx, "CREATE SCHEMA "+quoteIdent(schema))
	}
	return err
}
