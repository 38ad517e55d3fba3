package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/cursor"
)

// selectInfo is what scanInfo reads.
const selectInfo = `
	SELECT s.key, s.id, COALESCE(s.incarnation, 'k' || s.key), s.n, s.created, s.changed, COALESCE(s.origin, ''), COALESCE(p.id, ''),
		COALESCE(s.wake, 0), COALESCE(s.due, 0), s.queued
	FROM ~sessions s LEFT JOIN ~sessions p ON p.key = s.caller `

type scanner interface{ Scan(...any) error }

func scanInfo(row scanner) (key int64, info memory.Info, err error) {
	var created, changed, wake, due int64
	err = row.Scan(&key, &info.ID, &info.Incarnation, &info.Records, &created, &changed, &info.Origin, &info.Parent, &wake, &due, &info.Queued)
	info.Created, info.Changed = time.Unix(0, created), time.Unix(0, changed)
	info.Wake, info.Due = timeOf(wake), timeOf(due)
	return key, info, err
}

// Info implements [memory.Store].
func (ss Sessions) Info(ctx context.Context, id string) (memory.Info, error) {
	d := ss.db
	infos, err := d.infos(ctx, "WHERE s.id = ?", id)
	if err == nil && len(infos) == 0 {
		err = memory.ErrNoSession
	}
	if err != nil {
		return memory.Info{}, d.Fail(id, err)
	}
	return infos[0], nil
}

// conditions are a query's as SQL, without its times.
func conditions(q memory.Query) (where string, args []any) {
	where = "WHERE s.id IS NOT NULL"
	if q.Parent != "" {
		where += " AND s.caller = (SELECT key FROM ~sessions WHERE id = ?)"
		args = append(args, q.Parent)
	}
	if q.Roots {
		where += " AND s.caller IS NULL"
	}
	for name, value := range q.Meta {
		where += metaCondition
		args = append(args, name, value, value)
	}
	return where, args
}

// List implements [memory.Store].
func (ss Sessions) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	d := ss.db
	return func(yield func(memory.Info, error) bool) {
		order, err := cursor.Parse(q.Sort, q.After)
		var infos []memory.Info
		if err == nil {
			infos, err = d.list(ctx, q, order)
		}
		if err != nil {
			yield(memory.Info{}, fmt.Errorf("list sessions: %w", d.Meaning(err)))
			return
		}
		for _, info := range infos {
			info.Cursor = order.Behind(info.ID, info.Changed, info.Created)
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (d *DB) list(ctx context.Context, q memory.Query, order cursor.Cursor) ([]memory.Info, error) {
	where, args := conditions(q)
	if q.Tree != "" {
		if infos, err := d.infos(ctx, "WHERE s.id = ?", q.Tree); err != nil {
			return nil, err
		} else if len(infos) == 0 {
			return nil, fmt.Errorf("session %q: %w", q.Tree, memory.ErrNoSession)
		}
		where += ` AND s.key IN (WITH RECURSIVE tree (key) AS (
			SELECT key FROM ~sessions WHERE id = ? UNION ALL SELECT c.key FROM ~sessions c JOIN tree ON c.caller = tree.key
		) SELECT key FROM tree)`
		args = append(args, q.Tree)
	}
	if !q.Since.IsZero() {
		where += " AND s.changed >= ?"
		args = append(args, cursor.Nanos(q.Since))
	}
	if !q.Before.IsZero() {
		where += " AND s.changed < ?"
		args = append(args, cursor.Nanos(q.Before))
	}
	column, id, before, after := "s.changed", "s.id"+d.Bytewise, ">", "<" // ids rise where times fall
	down, up := "DESC", "ASC"
	if order.Sort == cursor.Created {
		column = "s.created"
	}
	if q.Reverse {
		before, after, down, up = after, before, up, down
	}
	by := fmt.Sprintf("%s %s, %s %s", column, down, id, up)
	if order.Sort == cursor.ID {
		by = id + " " + up
	}
	if order.Set && order.Sort == cursor.ID {
		where += " AND " + id + " " + before + " ?"
		args = append(args, order.ID)
	} else if order.Set {
		where += fmt.Sprintf(" AND (%s %s ? OR %s = ? AND %s %s ?)", column, after, column, id, before)
		args = append(args, cursor.Nanos(order.Time), cursor.Nanos(order.Time), order.ID)
	}
	limit := math.MaxInt32
	if q.Limit > 0 {
		limit = q.Limit
	}
	return d.infos(ctx, fmt.Sprintf("%s ORDER BY %s LIMIT %d", where, by, limit), args...)
}

// Due implements [memory.Waker].
func (ss Sessions) Due(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	d := ss.db
	return func(yield func(memory.Info, error) bool) {
		infos, err := d.due(ctx, q)
		if err != nil {
			yield(memory.Info{}, fmt.Errorf("find sessions that are due: %w", d.Meaning(err)))
			return
		}
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (d *DB) due(ctx context.Context, q memory.Query) ([]memory.Info, error) {
	now, err := d.readClock(ctx)
	if err != nil {
		return nil, err
	}
	rest, args := dueBy(q, now)
	return d.infos(ctx, rest, args...)
}

// dueBy is the condition and the order of the sessions that are due at a time.
func dueBy(q memory.Query, now time.Time) (rest string, args []any) {
	where, args := conditions(q)
	limit := math.MaxInt32
	if q.Limit > 0 {
		limit = q.Limit
	}
	return fmt.Sprintf("%s AND s.due <= ? ORDER BY s.due LIMIT %d", where, limit), append(args, now.UnixNano())
}

// DueQuery is the query by which Due finds sessions, so that tests can ask the
// database for its plan.
func (d *DB) DueQuery(q memory.Query, now time.Time) (query string, args []any) {
	rest, args := dueBy(q, now)
	return d.Q(selectInfo + rest), args
}

// readClock is the time by which leases end, without a transaction that writes.
func (d *DB) readClock(ctx context.Context) (now time.Time, err error) {
	if d.Clock == nil {
		return time.Now(), nil
	}
	err = d.retry(ctx, func() error {
		now, err = d.Clock(ctx, d.Read)
		return err
	})
	return now, err
}

// infos reads sessions and their metadata.
func (d *DB) infos(ctx context.Context, rest string, args ...any) (infos []memory.Info, err error) {
	err = d.retry(ctx, func() error {
		infos, err = d.readInfos(ctx, rest, args...)
		return err
	})
	return infos, err
}

func (d *DB) readInfos(ctx context.Context, rest string, args ...any) ([]memory.Info, error) {
	rows, err := d.Read.QueryContext(ctx, d.Q(selectInfo+rest), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var infos []memory.Info
	at := map[int64]int{}
	var keys []int64
	for rows.Next() {
		key, info, err := scanInfo(rows)
		if err != nil {
			return nil, err
		}
		at[key] = len(infos)
		infos, keys = append(infos, info), append(keys, key)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for part := range slices.Chunk(keys, 500) {
		if err := d.meta(ctx, part, func(key int64, name, value string) {
			info := &infos[at[key]]
			if info.Meta == nil {
				info.Meta = make(map[string]string)
			}
			info.Meta[name] = value
		}); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

func (d *DB) meta(ctx context.Context, keys []int64, each func(key int64, name, value string)) error {
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	in := strings.Trim(string(list), "[]") // numbers of ours
	rows, err := d.Read.QueryContext(ctx, d.translateQuery("SELECT session, name, value FROM ~meta WHERE session IN ("+in+")"))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key int64
		var name, value string
		if err := rows.Scan(&key, &name, &value); err != nil {
			return err
		}
		each(key, name, value)
	}
	return rows.Err()
}
