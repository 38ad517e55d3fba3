package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// Lease implements [memory.Store].
func (ss Sessions) Lease(ctx context.Context, id, owner string, dur time.Duration) error {
	d := ss.db
	take := func(tx *sql.Tx) error {
		now, err := d.now(ctx, tx)
		if err != nil {
			return err
		}
		until := now.Add(dur).UnixNano()
		if dur <= 0 {
			until = 0
		}
		res, err := tx.ExecContext(ctx, d.Q("INSERT INTO leases (id, owner, until) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE leases.owner = excluded.owner OR leases.until <= ?"),
			id, owner, until, now.UnixNano())
		if err != nil {
			return err
		}
		if changed, err := res.RowsAffected(); err != nil || changed > 0 {
			return err
		}
		le := &memory.LeaseError{ID: id}
		if err := tx.QueryRowContext(ctx, d.Q("SELECT owner, until FROM leases WHERE id = ?"), id).Scan(&le.Owner, &until); err != nil {
			return err
		}
		le.Until = time.Unix(0, until)
		return le
	}
	err := d.retry(ctx, func() error { return d.Tx(ctx, take) })
	if errors.Is(err, memory.ErrLeased) {
		return err // it names the session
	}
	return d.fail(id, err)
}

// Send implements [memory.Store].
func (ss Sessions) Send(ctx context.Context, id string, input memory.Record) error {
	d := ss.db
	return d.fail(id, d.Tx(ctx, func(tx *sql.Tx) error {
		s, err := d.find(ctx, tx, id)
		if err != nil {
			return err
		}
		t, err := d.now(ctx, tx)
		if err != nil {
			return err
		}
		now := t.UnixNano()
		row := tx.QueryRowContext(ctx, d.Q("UPDATE sessions SET queued = CASE WHEN queued >= ? THEN queued + 1 ELSE ? END WHERE key = ? RETURNING queued"), now, now, s.key)
		if err := row.Scan(&input.Queued); err != nil {
			return err
		}
		data, err := input.AppendJSON(nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, d.Q("INSERT INTO inbox (session, n, data) VALUES (?, ?, ?)"), s.key, input.Queued, data)
		return err
	}))
}

// Inbox implements [memory.Store].
func (ss Sessions) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	d := ss.db
	return func(yield func(memory.Record, error) bool) {
		var records []memory.Record
		err := d.retry(ctx, func() (err error) {
			var old bool
			if records, old, err = d.inbox(ctx, id, after); err != nil || !old {
				return err
			}
			_, err = d.Write.ExecContext(ctx, d.Q("DELETE FROM inbox WHERE session = (SELECT key FROM sessions WHERE id = ?) AND n <= ?"), id, after)
			return err
		})
		if err != nil {
			yield(memory.Record{}, d.fail(id, err))
			return
		}
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// inbox reads what is queued behind after, and whether there is older.
func (d *DB) inbox(ctx context.Context, id string, after int64) (records []memory.Record, old bool, err error) {
	rows, err := d.Read.QueryContext(ctx, d.Q("SELECT i.n, i.data FROM sessions s LEFT JOIN inbox i ON i.session = s.key WHERE s.id = ? ORDER BY i.n"), id)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	found := false
	for rows.Next() {
		found = true
		var n sql.NullInt64
		var data []byte
		if err := rows.Scan(&n, &data); err != nil {
			return nil, false, err
		}
		switch {
		case !n.Valid: // an empty inbox
		case n.Int64 <= after:
			old = true
		default:
			r, err := memory.ParseRecord(data)
			if err != nil {
				return nil, false, errors.Join(memory.ErrCorrupt, err)
			}
			r.Queued = n.Int64
			records = append(records, r)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, false, err
	}
	if !found {
		err = memory.ErrNoSession
	}
	return records, old, err
}
