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
)

// infoColumns are what scanInfo reads.
const infoColumns = "s.key, s.id, s.n, s.created, s.changed, COALESCE(s.origin, '')"

type scanner interface{ Scan(...any) error }

func scanInfo(row scanner) (key int64, info memory.Info, err error) {
	var created, changed int64
	err = row.Scan(&key, &info.ID, &info.Records, &created, &changed, &info.Parent)
	info.Created, info.Changed = time.Unix(0, created), time.Unix(0, changed)
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
		return memory.Info{}, d.fail(id, err)
	}
	return infos[0], nil
}

// List implements [memory.Store].
func (ss Sessions) List(ctx context.Context, q memory.Query) iter.Seq2[memory.Info, error] {
	d := ss.db
	return func(yield func(memory.Info, error) bool) {
		where := "WHERE s.id IS NOT NULL"
		var args []any
		if !q.Since.IsZero() {
			where += " AND s.changed >= ?"
			args = append(args, q.Since.UnixNano())
		}
		for name, value := range q.Meta {
			where += metaCondition
			args = append(args, name, value)
		}
		limit := math.MaxInt32
		if q.Limit > 0 {
			limit = q.Limit
		}
		rest := fmt.Sprintf("%s ORDER BY s.changed DESC, s.id LIMIT %d", where, limit)
		infos, err := d.infos(ctx, rest, args...)
		if err != nil {
			yield(memory.Info{}, fmt.Errorf("list sessions: %w", d.Translate(err)))
			return
		}
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
	}
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
	rows, err := d.Read.QueryContext(ctx, d.Q("SELECT "+infoColumns+" FROM sessions s "+rest), args...)
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
	rows, err := d.Read.QueryContext(ctx, "SELECT session, name, value FROM meta WHERE session IN ("+in+")")
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
