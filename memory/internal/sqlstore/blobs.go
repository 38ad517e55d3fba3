package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/memory"
)

// PutBlob implements [memory.Blobs].
func (ss Sessions) PutBlob(ctx context.Context, id string, b memory.Blob) (string, error) {
	d := ss.db
	if b.Name == "" {
		b = b.Named()
	}
	err := d.retry(ctx, func() error {
		return d.Tx(ctx, func(tx Tx) error {
			s, err := d.findFor(ctx, tx, id, d.ForShare)
			if err != nil {
				return err
			}
			return d.putBlob(ctx, tx, s.key, byItself, b)
		})
	})
	if err != nil {
		return "", d.Fail(id, err)
	}
	return b.Name, nil
}

// OrderBlobs checks blobs, and returns them in the order of their names, each once,
// so that appends that have some in common don't wait for each other in a circle.
func OrderBlobs(id string, blobs []memory.Blob) ([]memory.Blob, error) {
	if len(blobs) == 0 {
		return nil, nil
	}
	for _, b := range blobs {
		if err := b.Check(); err != nil {
			return nil, fmt.Errorf("session %q: %w", id, err)
		}
	}
	blobs = slices.SortedFunc(slices.Values(blobs), func(a, b memory.Blob) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(blobs, func(a, b memory.Blob) bool { return a.Name == b.Name }), nil
}

// putBlob adds a blob to a session, which its record at since needs, if it is not byItself. Where transactions run side by side the blob's
// row is locked, so that no other session's end takes it away meanwhile; elsewhere
// a row that is there isn't written again.
func (d *DB) putBlob(ctx context.Context, tx Tx, key int64, since int, b memory.Blob) error {
	if err := b.Check(); err != nil {
		return err
	}
	return d.putChecked(ctx, tx, key, since, b)
}

const (
	putBlob        = "INSERT INTO ~blobs (name, data) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
	putAndLockBlob = "INSERT INTO ~blobs (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET name = excluded.name"
	putRef         = "INSERT INTO ~blob_refs AS r (session, blob, media_type, since) SELECT CAST(? AS BIGINT), key, ?, CAST(? AS BIGINT) FROM ~blobs WHERE name = ?" + orEarlier
	putRefOf       = "INSERT INTO ~blob_refs AS r (session, blob, media_type, since) VALUES (?, ?, ?, ?)" + orEarlier
	orEarlier      = `
		ON CONFLICT (session, blob) DO UPDATE SET media_type = excluded.media_type, since = CASE WHEN excluded.since < r.since THEN excluded.since ELSE r.since END`
	copyRefs = "INSERT INTO ~blob_refs (session, blob, media_type, since) SELECT CAST(? AS BIGINT), blob, media_type, since FROM ~blob_refs WHERE session = ? AND since < ?"

	byItself = -1 // no record's position
)

func (d *DB) putBlobQuery() string {
	if d.ForUpdate != "" {
		return putAndLockBlob
	}
	return putBlob
}

// putChecked is putBlob for a blob that has its name for certain, and that a record
// from the position since on needs.
func (d *DB) putChecked(ctx context.Context, tx Tx, key int64, since int, b memory.Blob) error {
	if b.Data == nil {
		b.Data = []byte{}
	}
	res, err := tx.ExecContext(ctx, d.Q(d.putBlobQuery()), b.Name, b.Data)
	if err != nil {
		return err
	}
	if d.RowIDs {
		if changed, err := res.RowsAffected(); err != nil {
			return err
		} else if changed > 0 { // it is new, and its key is known
			blob, err := res.LastInsertId()
			if err != nil {
				return err
			}
			return d.exec(ctx, tx, putRefOf, key, blob, b.MediaType, since)
		}
	}
	return d.exec(ctx, tx, putRef, key, b.MediaType, since, b.Name)
}

// dropBlobs takes a session's blobs from it, and removes those that no other
// session has.
func (d *DB) dropBlobs(ctx context.Context, tx Tx, key int64) error {
	rows, err := tx.QueryContext(ctx, d.Q("SELECT key FROM ~blobs WHERE key IN (SELECT blob FROM ~blob_refs WHERE session = ?) ORDER BY name"+d.Bytewise+d.ForUpdate), key)
	if err != nil {
		return err
	}
	var blobs []int64
	for rows.Next() {
		var blob int64
		if err := rows.Scan(&blob); err != nil {
			rows.Close()
			return err
		}
		blobs = append(blobs, blob)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := d.exec(ctx, tx, "DELETE FROM ~blob_refs WHERE session = ?", key); err != nil {
		return err
	}
	for _, blob := range blobs {
		if err := d.exec(ctx, tx, "DELETE FROM ~blobs WHERE key = ? AND NOT EXISTS (SELECT 1 FROM ~blob_refs r WHERE r.blob = ?)", blob, blob); err != nil {
			return err
		}
	}
	return nil
}

// Blob implements [memory.Blobs].
func (ss Sessions) Blob(ctx context.Context, id, name string) (memory.Blob, error) {
	d := ss.db
	b := memory.Blob{Name: name}
	err := d.retry(ctx, func() error {
		err := d.Read.QueryRowContext(ctx, d.Q(`
			WITH RECURSIVE up (key, caller, depth) AS (
				SELECT key, caller, 0 FROM ~sessions WHERE id = ?
				UNION ALL
				SELECT s.key, s.caller, up.depth + 1 FROM ~sessions s JOIN up ON s.key = up.caller
			) SELECT r.media_type, b.data FROM up JOIN ~blob_refs r ON r.session = up.key JOIN ~blobs b ON b.key = r.blob
			WHERE b.name = ? ORDER BY up.depth LIMIT 1`), id, name).Scan(&b.MediaType, &b.Data)
		if errors.Is(err, sql.ErrNoRows) {
			if infos, err := d.readInfos(ctx, "WHERE s.id = ?", id); err != nil {
				return err
			} else if len(infos) == 0 {
				return memory.ErrNoSession
			}
			return fmt.Errorf("blob %q: %w", name, fs.ErrNotExist)
		}
		return err
	})
	if err == nil {
		err = b.Check()
	}
	if err != nil {
		return memory.Blob{}, d.Fail(id, err)
	}
	return b, nil
}

// FetchBlobs implements [github.com/whorl-go/whorl/memory/blob.Fetcher].
func (ss Sessions) FetchBlobs(ctx context.Context, id string, names []string) iter.Seq2[memory.Blob, error] {
	d := ss.db
	return func(yield func(memory.Blob, error) bool) {
		args := []any{id}
		for _, name := range names {
			args = append(args, name)
		}
		for len(args)&(len(args)-1) != 0 { // few numbers of arguments are few queries
			args = append(args, args[len(args)-1])
		}
		if len(args) == 1 {
			return
		}
		query := "SELECT b.name, r.media_type, b.data FROM ~blobs b JOIN ~blob_refs r ON r.blob = b.key AND r.session = (SELECT key FROM ~sessions WHERE id = ?) WHERE b.name IN (?" +
			strings.Repeat(", ?", len(args)-2) + ")"
		rows, err := d.Read.QueryContext(ctx, d.Q(query), args...)
		if err != nil {
			yield(memory.Blob{}, d.Fail(id, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var b memory.Blob
			if err := rows.Scan(&b.Name, &b.MediaType, &b.Data); err != nil {
				yield(memory.Blob{}, d.Fail(id, err))
				return
			}
			if !yield(b, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(memory.Blob{}, d.Fail(id, err))
		}
	}
}

// Blobs implements [memory.Blobs].
func (ss Sessions) Blobs(ctx context.Context, id string) iter.Seq2[memory.Blob, error] {
	d := ss.db
	return func(yield func(memory.Blob, error) bool) {
		names, err := d.blobNames(ctx, id)
		if err != nil {
			yield(memory.Blob{}, d.Fail(id, err))
			return
		}
		for _, name := range names { // one at a time: they are big
			b, err := ss.Blob(ctx, id, name)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

func (d *DB) blobNames(ctx context.Context, id string) (names []string, err error) {
	err = d.retry(ctx, func() error {
		rows, err := d.Read.QueryContext(ctx, d.Q("SELECT r.blob, b.name FROM ~sessions s LEFT JOIN ~blob_refs r ON r.session = s.key LEFT JOIN ~blobs b ON b.key = r.blob WHERE s.id = ? ORDER BY b.name"+d.Bytewise), id)
		if err != nil {
			return err
		}
		defer rows.Close()
		found := false
		for names = nil; rows.Next(); found = true {
			var blob sql.NullInt64
			var name sql.NullString
			if err := rows.Scan(&blob, &name); err != nil {
				return err
			}
			if blob.Valid && !name.Valid {
				return fmt.Errorf("one of its blobs is gone: %w", memory.ErrCorrupt)
			}
			if blob.Valid {
				names = append(names, name.String)
			}
		}
		if err := rows.Err(); err != nil || found {
			return err
		}
		return memory.ErrNoSession
	})
	return names, err
}
