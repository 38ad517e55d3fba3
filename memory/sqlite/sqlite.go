package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// Options change how a file is opened. Nil and the zero Options suit most programs.
type Options struct {
	// ReadOnly opens the file for reading only. The file must exist.
	ReadOnly bool
	// Wait is how long a call waits while another process writes, before it fails
	// with [memory.ErrLocked]; 0 means 5 seconds.
	Wait time.Duration
}

// A Store is a [memory.Store] in a file. Many goroutines may use it, and many
// processes of one machine may have the file open. Records that several goroutines
// append at the same time become durable with one write to the disk.
type Store struct {
	sqlstore.Sessions
	db     *sqlstore.DB
	writer *writer

	mu      sync.Mutex
	pending []*change     // waiting for the next transaction
	spare   []*change     // room for those that come while one is written
	turn    chan struct{} // holds one token; who has it writes
}

// Open opens the file at path, and creates it if it doesn't exist. It keeps its journal
// in two more files of that name with -wal and -shm at the end; the file must be on a
// disk of this machine.
func Open(path string, opts *Options) (*Store, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if path == "" || path == ":memory:" {
		return nil, errors.New("sqlite: a path is needed; for sessions in memory only use memory.RAM")
	}
	if o.Wait == 0 {
		o.Wait = 5 * time.Second
	}
	// Connections are made when they are needed, maybe after the working folder has changed.
	full, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sqlite: open %s: %w: there is no folder %s; make it first", path, memory.ErrUnavailable, filepath.Dir(path))
	}
	query := url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", o.Wait.Milliseconds()), "synchronous(FULL)", "secure_delete(ON)"},
	}
	if o.ReadOnly {
		query.Set("mode", "ro")
	} else {
		query.Add("_pragma", "journal_mode(WAL)")
	}
	if err := private(path, o.ReadOnly); err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	name := "file:" + strings.ReplaceAll(url.PathEscape(full), "%2F", "/") + "?" + query.Encode()
	write, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, err)
	}
	read, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, errors.Join(err, write.Close()))
	}
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(8)
	w := newWriter(write)
	db := &sqlstore.DB{Read: read, Transact: w.transact, Translate: translate, Index: index, RowIDs: true, Together: together}
	s := &Store{Sessions: db.Sessions(), db: db, writer: w, turn: make(chan struct{}, 1)}
	ctx := context.Background()
	if o.ReadOnly {
		if err = checkVersion(ctx, db.Read); errors.Is(translate(err), memory.ErrUnavailable) {
			err = fmt.Errorf("%w; to read a file, too, SQLite makes one with -shm at the end beside it: copy it to a folder that can be written to", err)
		}
	} else {
		err = db.Tx(ctx, func(tx sqlstore.Tx) error { return migrate(ctx, tx) })
		if errors.Is(translate(err), memory.ErrLocked) && checkVersion(ctx, db.Read) == nil {
			err = nil // there is nothing to migrate, and it can be read
		}
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: open %s: %w", path, errors.Join(translate(err), s.Close()))
	}
	return s, nil
}

const together = `SELECT group_concat((id & 4294967295) || ' ' || sum || ' ' || length(data), ' '), group_concat(data, '')
	FROM (SELECT id, sum, data FROM ~records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)`

// private makes the file, if it isn't there, for its owner alone. The files of the
// journal get its mode.
func private(path string, readOnly bool) error {
	if readOnly {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", memory.ErrUnavailable, err)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Delete implements [memory.Store]. Deleted data is overwritten with zeros, in the
// journal too unless somebody else is reading it; words in the search index go when
// SQLite next merges the parts of the index that have them.
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := s.Sessions.Delete(ctx, id); err != nil {
		return err
	}
	s.wipe(ctx)
	return nil
}

// DeleteOld implements [github.com/whorl-go/whorl/memory/sweep.Deleter], as Delete does
// it.
func (s *Store) DeleteOld(ctx context.Context, id string, before time.Time, planned bool) (deleted bool, err error) {
	deleted, err = s.Sessions.DeleteOld(ctx, id, before, planned)
	if deleted {
		s.wipe(ctx)
	}
	return deleted, err
}

// wipe takes what was deleted out of the journal. It fails, or does a part, while
// somebody reads. The next one does it then.
func (s *Store) wipe(ctx context.Context) {
	_ = s.writer.exec(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(TRUNCATE)")
}

// Close closes the file. Calls in progress fail or finish first; later ones fail with an
// error that matches [io/fs.ErrClosed] and [memory.ErrUnavailable].
func (s *Store) Close() error {
	s.db.Close()
	return errors.Join(s.db.Read.Close(), s.writer.close())
}

// translate wraps an error of SQLite in the one of package memory that it means
// (https://www.sqlite.org/rescode.html).
func translate(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	var kind error
	switch e.Code() & 0xff { // the rest is detail
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		kind = memory.ErrLocked
	case lib.SQLITE_READONLY:
		kind = memory.ErrReadOnly
	case lib.SQLITE_FULL:
		kind = memory.ErrFull
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		kind = memory.ErrCorrupt
	case lib.SQLITE_IOERR, lib.SQLITE_CANTOPEN:
		kind = memory.ErrUnavailable
	default:
		return err
	}
	return fmt.Errorf("%w (%w)", kind, err)
}
