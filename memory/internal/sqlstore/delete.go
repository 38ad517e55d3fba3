package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// Delete implements [memory.Store].
func (ss Sessions) Delete(ctx context.Context, id string) error {
	_, err := ss.delete(ctx, id, nil)
	return err
}

// DeleteOld implements [github.com/whorl-go/whorl/memory/sweep.Deleter].
func (ss Sessions) DeleteOld(ctx context.Context, id string, before time.Time, planned bool) (deleted bool, err error) {
	return ss.delete(ctx, id, func(tx Tx, keys []int64) (bool, error) {
		for _, key := range keys {
			var changed int64
			var plan bool
			err := tx.QueryRowContext(ctx, ss.db.Q("SELECT changed, wake IS NOT NULL OR due IS NOT NULL FROM ~sessions WHERE key = ?"), key).Scan(&changed, &plan)
			if err != nil || changed >= nanos(before) || plan && !planned {
				return false, err
			}
		}
		return true, nil
	})
}

// delete removes a session's tree, if the condition is true of it or nil, in one
// transaction in which nobody else changes it.
func (ss Sessions) delete(ctx context.Context, id string, condition func(tx Tx, keys []int64) (bool, error)) (deleted bool, err error) {
	d := ss.db
	err = d.named(id, d.once(ctx, func(tx Tx) error {
		deleted = false
		s, err := d.find(ctx, tx, id)
		if err != nil {
			return err
		}
		keys, err := d.lockTree(ctx, tx, s.key)
		if err != nil {
			return err
		}
		if err := d.unleased(ctx, tx, keys); err != nil {
			return err
		}
		if condition != nil {
			if fits, err := condition(tx, keys); err != nil || !fits {
				return err
			}
		}
		deleted = true
		for i := len(keys) - 1; i >= 0; i-- { // children first
			if err := d.remove(ctx, tx, keys[i]); err != nil {
				return err
			}
		}
		return nil
	}))
	return deleted && err == nil, err
}

// lockTree returns a session's key and those of the sessions below it, parents
// first, and locks them.
func (d *DB) lockTree(ctx context.Context, tx Tx, key int64) ([]int64, error) {
	keys := []int64{key}
	for i := 0; i < len(keys); i++ { // it grows
		rows, err := tx.QueryContext(ctx, d.Q("SELECT key FROM ~sessions WHERE caller = ? ORDER BY key"+d.ForUpdate), keys[i])
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var child int64
			if err := rows.Scan(&child); err != nil {
				rows.Close()
				return nil, err
			}
			keys = append(keys, child)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// unleased fails if somebody has a lease of one of the sessions.
func (d *DB) unleased(ctx context.Context, tx Tx, keys []int64) error {
	now, err := d.now(ctx, tx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		var le memory.LeaseError
		var until int64
		row := tx.QueryRowContext(ctx, d.Q("SELECT l.id, l.owner, l.until FROM ~sessions s JOIN ~leases l ON l.id = s.id WHERE s.key = ? AND l.until > ?"), key, now.UnixNano())
		if err := row.Scan(&le.ID, &le.Owner, &until); err == nil {
			le.Until = time.Unix(0, until)
			return &le
		} else if noSession(err) != memory.ErrNoSession {
			return err
		}
	}
	return nil
}

// remove deletes one session, but for the records that forks share.
func (d *DB) remove(ctx context.Context, tx Tx, key int64) error {
	if err := d.dropBlobs(ctx, tx, key); err != nil {
		return err
	}
	for _, stmt := range []string{
		"DELETE FROM ~leases WHERE id = (SELECT id FROM ~sessions WHERE key = ?)",
		"DELETE FROM ~meta WHERE session = ?",
		"DELETE FROM ~inbox WHERE session = ?",
		"UPDATE ~sessions SET id = NULL, caller = NULL, wake = NULL, due = NULL WHERE key = ?",
	} {
		if err := d.exec(ctx, tx, stmt, key); err != nil {
			return err
		}
	}
	// The words of those that it continued went when they lost their own ids.
	if err := d.Index.Remove(ctx, tx, Key(key, 0), Key(key+1, 0)); err != nil {
		return err
	}
	return d.prune(ctx, tx, key)
}

// prune removes what no session needs any more of one that has lost its id, and
// of those it continued.
func (d *DB) prune(ctx context.Context, tx Tx, key int64) error {
	for {
		var parent sql.NullInt64
		var id sql.NullString
		if err := tx.QueryRowContext(ctx, d.Q("SELECT parent, id FROM ~sessions WHERE key = ?"+d.ForUpdate), key).Scan(&parent, &id); err != nil {
			return err
		}
		if id.Valid {
			return nil
		}
		var shared sql.NullInt64
		if err := tx.QueryRowContext(ctx, d.Q("SELECT max(base) FROM ~sessions WHERE parent = ?"), key).Scan(&shared); err != nil {
			return err
		}
		if err := d.exec(ctx, tx, "DELETE FROM ~records WHERE id >= ? AND id < ?", Key(key, int(shared.Int64)), Key(key+1, 0)); err != nil {
			return err
		}
		if shared.Valid {
			return nil
		}
		if err := d.exec(ctx, tx, "DELETE FROM ~sessions WHERE key = ?", key); err != nil || !parent.Valid {
			return err
		}
		key = parent.Int64
	}
}

// ReplaceSealed is for [protect.EncryptedStore.Rewrap]: it replaces what an
// encrypted session's record is wrapped in, for its forks too.
func (ss Sessions) ReplaceSealed(ctx context.Context, id string, n int, r memory.Record) error {
	d := ss.db
	rows, err := Encode(id, n, []memory.Record{r})
	if err != nil {
		return err
	}
	parts, err := d.parts(ctx, id, memory.Position{Records: n})
	if err != nil {
		return d.Fail(id, err)
	}
	if len(parts) == 0 || r.Kind != memory.KindSealed {
		return d.Fail(id, memory.ErrConflict)
	}
	return d.Fail(id, d.once(ctx, func(tx Tx) error {
		old, err := d.rows(ctx, tx, part{parts[0].key, n, n + 1}, 1)
		if err != nil || len(old) == 0 {
			return noRows(err)
		}
		if was, err := old[0].decode(); err != nil || was.Kind != memory.KindSealed {
			return memory.ErrConflict
		}
		return d.exec(ctx, tx, "UPDATE ~records SET sum = ?, data = ? WHERE id = ?", int64(rows[0].Sum), rows[0].Data, Key(parts[0].key, n))
	}))
}

func noRows(err error) error {
	if err == nil {
		err = memory.ErrConflict
	}
	return err
}
