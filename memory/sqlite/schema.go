package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// migrations make the schema. The database's user_version tells how many of them
// it has had. One that has been released is never changed; a new one is added.
var migrations = []string{`
	CREATE TABLE sessions (
		key     INTEGER PRIMARY KEY AUTOINCREMENT,
		id      TEXT UNIQUE,                 -- NULL once deleted, while forks still need it
		parent  INTEGER,                     -- the session that the first base records are rows of
		base    INTEGER NOT NULL DEFAULT 0,
		n       INTEGER NOT NULL,            -- records, those of the parent included
		created INTEGER NOT NULL,            -- nanoseconds since 1970, as all times here
		changed INTEGER NOT NULL,
		origin  TEXT,                        -- the id of the session that it was forked from
		queued  INTEGER NOT NULL DEFAULT 0   -- the newest number of its inbox
	);
	CREATE INDEX sessions_parent ON sessions (parent) WHERE parent IS NOT NULL;
	CREATE TABLE records (
		id   INTEGER PRIMARY KEY,            -- session's key << 32 | position
		sum  INTEGER NOT NULL,               -- CRC-32C of data
		data BLOB NOT NULL
	);
	CREATE TABLE meta (
		session INTEGER NOT NULL,
		name    TEXT NOT NULL,
		value   TEXT NOT NULL,
		PRIMARY KEY (session, name)
	) WITHOUT ROWID;
	CREATE TABLE leases (id TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
	CREATE TABLE inbox (session INTEGER NOT NULL, n INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (session, n));
	`, `
	ALTER TABLE sessions ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0; -- records whose words are in search
	CREATE VIRTUAL TABLE search USING fts5 (text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');
	`, `
	ALTER TABLE sessions ADD COLUMN incarnation TEXT;  -- NULL in rows of v0.1: their key stands for it
	ALTER TABLE sessions ADD COLUMN caller INTEGER;    -- the session whose run began it
	ALTER TABLE sessions ADD COLUMN wake INTEGER;      -- when it is to be woken
	ALTER TABLE sessions ADD COLUMN due INTEGER;       -- when it can go on; see sqlstore's plan
	CREATE INDEX sessions_caller ON sessions (caller) WHERE caller IS NOT NULL;
	CREATE INDEX sessions_due ON sessions (due) WHERE due IS NOT NULL;
	CREATE INDEX meta_value ON meta (name, substr(value, 1, 200));
	CREATE TABLE budgets (
		name     TEXT NOT NULL,
		period   TEXT NOT NULL,
		spent    INTEGER NOT NULL,           -- billionths of a dollar, as all money here
		reserved INTEGER NOT NULL,
		PRIMARY KEY (name, period)
	) WITHOUT ROWID;
	CREATE TABLE charges (
		id      TEXT PRIMARY KEY,
		name    TEXT NOT NULL,
		period  TEXT NOT NULL,
		usd     INTEGER NOT NULL,            -- what was reserved
		made    INTEGER NOT NULL,
		settled INTEGER NOT NULL             -- when it was charged; 0 while it is open
	) WITHOUT ROWID;
	CREATE INDEX charges_open ON charges (name, period) WHERE settled = 0;
	CREATE INDEX charges_settled ON charges (settled) WHERE settled > 0;
	CREATE TABLE blobs (key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, data BLOB NOT NULL);
	CREATE TABLE blob_refs (
		session    INTEGER NOT NULL,
		blob       INTEGER NOT NULL,         -- its key: what was stored together is together in the indexes
		media_type TEXT NOT NULL,
		since      INTEGER NOT NULL,         -- the record that it was appended with; -1 if it was put by itself
		PRIMARY KEY (session, blob)
	) WITHOUT ROWID;
	CREATE INDEX blob_refs_blob ON blob_refs (blob);
	DELETE FROM leases WHERE until = 0;
	UPDATE sessions SET due = COALESCE((SELECT until FROM leases l WHERE l.id = sessions.id), (SELECT min(n) FROM inbox WHERE session = key))
		WHERE id IS NOT NULL;
	`,
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, tx sqlstore.Tx) error {
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("the file's schema is version %d, this library knows up to %d: use a newer version of the library: %w", version, len(migrations), errors.ErrUnsupported)
	}
	for _, m := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return err
		}
	}
	if version == len(migrations) {
		return nil
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations)))
	return err
}

// checkVersion is migrate for a file that can't be written to.
func checkVersion(ctx context.Context, db *sql.DB) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version != len(migrations) {
		return fmt.Errorf("the file's schema is version %d, not %d, and can't be changed: %w", version, len(migrations), memory.ErrReadOnly)
	}
	return nil
}
