//go:build unix

package pgserver

import (
	"context"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
)

// Ahead returns a URL by which the server's clock is ahead of that of this machine, as
// all SQL sees it; behind, if by is negative.
func (s *Server) Ahead(ctx context.Context, by time.Duration) (string, error) {
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// It stands before pg_catalog in the path.
	if _, err := conn.Exec(ctx, `
		CREATE SCHEMA IF NOT EXISTS ahead;
		CREATE OR REPLACE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
		$$ SELECT pg_catalog.clock_timestamp() + current_setting('ahead.by')::interval $$`); err != nil {
		return "", err
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", err
	}
	q := u.Query()
	q.Set("search_path", "ahead,pg_catalog")
	q.Set("ahead.by", by.String())
	u.RawQuery = q.Encode()
	return u.String(), nil
}
