package sqlite

import (
	"database/sql"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/internal/sqlstore"
)

// DB gives tests the connection that writes, until the store next writes.
func (s *Store) DB() *sql.DB {
	s.writer.turn <- struct{}{}
	_ = s.writer.drop(false)
	<-s.writer.turn
	return s.writer.db
}

// A Change is a record for a session of a test.
type Change struct {
	ID    string
	At    memory.Position
	Input memory.Record
	Spoil bool // so that the database refuses the row
}

// Together writes changes in one transaction, as those of several goroutines are, and
// returns what became of each.
func (s *Store) Together(list []Change) ([]error, error) {
	changes := make([]*change, len(list))
	for i, l := range list {
		rows, err := sqlstore.Encode(l.ID, l.At.Records, []memory.Record{l.Input})
		if err != nil {
			return nil, err
		}
		if l.Spoil {
			rows[0].Data = nil
		}
		changes[i] = &change{id: l.ID, at: l.At, rows: rows, done: make(chan struct{})}
	}
	s.write(changes)
	errs := make([]error, len(list))
	for i, c := range changes {
		<-c.done
		errs[i] = c.err
	}
	return errs, nil
}

// DueQuery is the query by which Due finds sessions.
func (s *Store) DueQuery(q memory.Query, now time.Time) (query string, args []any) {
	return s.db.DueQuery(q, now)
}
