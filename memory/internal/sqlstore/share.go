package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/cursor"
)

// named is Fail, but for an error that names the session itself.
func (d *DB) named(id string, err error) error {
	if le := (*memory.LeaseError)(nil); errors.As(err, &le) {
		return le
	}
	return d.Fail(id, err)
}

// Lease implements [memory.Leaser].
func (ss Sessions) Lease(ctx context.Context, id, owner string, dur time.Duration) error {
	d := ss.db
	take := func(tx Tx) error {
		s, err := d.find(ctx, tx, id) // so that whoever deletes it comes before or after
		there := err == nil
		if err != nil && !errors.Is(err, memory.ErrNoSession) {
			return err
		}
		now, err := d.now(ctx, tx)
		if err != nil {
			return err
		}
		until := cursor.Nanos(now.Add(dur))
		if dur <= 0 {
			until = 0
		}
		res, err := tx.ExecContext(ctx, d.Q("INSERT INTO ~leases AS l (id, owner, until) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, until = excluded.until WHERE l.owner = excluded.owner OR l.until <= ?"),
			id, owner, until, now.UnixNano())
		if err != nil {
			return err
		}
		if changed, err := res.RowsAffected(); err != nil {
			return err
		} else if changed == 0 {
			le := &memory.LeaseError{ID: id}
			if err := tx.QueryRowContext(ctx, d.Q("SELECT owner, until FROM ~leases WHERE id = ?"), id).Scan(&le.Owner, &until); err != nil {
				return err
			}
			le.Until = time.Unix(0, until)
			return le
		}
		if dur <= 0 {
			if err := d.exec(ctx, tx, "DELETE FROM ~leases WHERE id = ?", id); err != nil {
				return err
			}
		}
		if !there {
			return nil
		}
		if dur > 0 { // what it was to be woken for begins; a later renewal finds due in the future
			if err := d.exec(ctx, tx, "UPDATE ~sessions SET wake = NULL WHERE key = ? AND wake <= ? AND due <= ?", s.key, now.UnixNano(), now.UnixNano()); err != nil {
				return err
			}
		}
		return d.plan(ctx, tx, s.key)
	}
	return d.named(id, d.retry(ctx, func() error { return d.Tx(ctx, take) }))
}

// plan brings up to date when a session is due: once its lease ends, or when a
// message came, or at the time it is to be woken. It is in an index, so that those
// that are due are found without the others.
func (d *DB) plan(ctx context.Context, tx Tx, key int64) error {
	now, err := d.now(ctx, tx)
	if err != nil {
		return err
	}
	return d.exec(ctx, tx, planSession, now.UnixNano(), now.UnixNano(), now.UnixNano(), key)
}

const planSession = `
	UPDATE ~sessions AS s SET due = COALESCE(
		(SELECT NULLIF(l.until, 0) FROM ~leases l WHERE l.id = s.id),
		(SELECT CASE WHEN min(i.n) IS NULL THEN s.wake
			WHEN s.wake < min(i.n) AND s.wake < ? THEN s.wake
			WHEN min(i.n) < ? THEN min(i.n) ELSE ? END
		 FROM ~inbox i WHERE i.session = s.key))
	WHERE key = ?`

// Wake implements [memory.Waker].
func (ss Sessions) Wake(ctx context.Context, id string, at time.Time) error {
	d := ss.db
	wake := func(tx Tx) error {
		s, err := d.find(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := d.exec(ctx, tx, "UPDATE ~sessions SET wake = ? WHERE key = ?", nullInt(plannedAt(at)), s.key); err != nil {
			return err
		}
		return d.plan(ctx, tx, s.key)
	}
	return d.Fail(id, d.retry(ctx, func() error { return d.Tx(ctx, wake) }))
}

// Enqueue implements [memory.Inbox].
func (ss Sessions) Enqueue(ctx context.Context, id string, input memory.Record) error {
	d := ss.db
	return d.Fail(id, d.once(ctx, func(tx Tx) error {
		s, err := d.find(ctx, tx, id)
		if err != nil {
			return err
		}
		t, err := d.now(ctx, tx)
		if err != nil {
			return err
		}
		r := input
		if r.Queued == 0 {
			r.Queued = max(s.queued+1, t.UnixNano())
		} else if r.Queued <= s.queued {
			return fmt.Errorf("the number %d of a message is not above %d: %w", r.Queued, s.queued, memory.ErrConflict)
		}
		data, err := r.AppendJSON(nil)
		if err != nil {
			return err
		}
		if err := d.exec(ctx, tx, "UPDATE ~sessions SET queued = ? WHERE key = ?", r.Queued, s.key); err != nil {
			return err
		}
		if err := d.exec(ctx, tx, "INSERT INTO ~inbox (session, n, data) VALUES (?, ?, ?)", s.key, r.Queued, data); err != nil {
			return err
		}
		return d.plan(ctx, tx, s.key)
	}))
}

// Inbox implements [memory.Inbox].
func (ss Sessions) Inbox(ctx context.Context, id string, after int64) iter.Seq2[memory.Record, error] {
	d := ss.db
	return func(yield func(memory.Record, error) bool) {
		var records []memory.Record
		err := d.retry(ctx, func() (err error) {
			var old bool
			if records, old, err = d.inbox(ctx, id, after); err != nil || !old {
				return err
			}
			if err := d.Tx(ctx, func(tx Tx) error { return d.forget(ctx, tx, id, after) }); err != nil {
				return err
			}
			records, _, err = d.inbox(ctx, id, after)
			return err
		})
		if err != nil {
			yield(memory.Record{}, d.Fail(id, err))
			return
		}
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// forget removes the messages with numbers up to after: they are in the log. If
// the inbox never gave such numbers, its log came from where clocks were ahead, and
// was brought here by v0.1: then they are not in the log, and get higher numbers.
func (d *DB) forget(ctx context.Context, tx Tx, id string, after int64) error {
	s, err := d.find(ctx, tx, id)
	if err != nil {
		return err
	}
	if s.queued >= after {
		if err := d.exec(ctx, tx, dropQueued, s.key, after); err != nil {
			return err
		}
		return d.plan(ctx, tx, s.key)
	}
	// In two steps, so that no number is taken meanwhile.
	if err := d.exec(ctx, tx, "UPDATE ~inbox SET n = -n WHERE session = ?", s.key); err != nil {
		return err
	}
	newest := after + int64(time.Hour) // with room for those before it
	if err := d.exec(ctx, tx, "UPDATE ~inbox SET n = ? - n - ? WHERE session = ?", newest, s.queued, s.key); err != nil {
		return err
	}
	if err := d.exec(ctx, tx, "UPDATE ~sessions SET queued = ? WHERE key = ?", newest, s.key); err != nil {
		return err
	}
	return d.plan(ctx, tx, s.key)
}

// inbox reads what is queued behind after, and whether there is older.
func (d *DB) inbox(ctx context.Context, id string, after int64) (records []memory.Record, old bool, err error) {
	rows, err := d.Read.QueryContext(ctx, d.Q("SELECT i.n, i.data FROM ~sessions s LEFT JOIN ~inbox i ON i.session = s.key WHERE s.id = ? ORDER BY i.n"), id)
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
