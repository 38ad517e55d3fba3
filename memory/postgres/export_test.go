package postgres

import (
	"database/sql"
	"time"

	"github.com/whorl-go/whorl/memory"
)

// DB gives tests the connection that writes.
func (s *Store) DB() *sql.DB { return s.db.Write }

// DueQuery is the query by which Due finds sessions.
func (s *Store) DueQuery(q memory.Query, now time.Time) (query string, args []any) {
	return s.db.DueQuery(q, now)
}
