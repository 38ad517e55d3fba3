package postgres

import "database/sql"

// DB gives tests the connection that writes.
func (s *Store) DB() *sql.DB { return s.db.Write }
