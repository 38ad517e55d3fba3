package main

import (
	"context"
	"database/sql"
	"io"
	"os"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/sqlite"
)

type store interface {
	memory.Store
	memory.Importer
	io.Closer
}

type ram struct{ *memory.RAM }

func (ram) Close() error { return nil }

// open opens the store at a place: "ram", a file, or a URL with the name of a schema.
func open(ctx context.Context, place string) (store, error) {
	url, schema, isPostgres := strings.Cut(place, "&whorl_schema=")
	switch {
	case place == "ram":
		return ram{new(memory.RAM)}, nil
	case isPostgres:
		return postgres.Open(ctx, url, &postgres.Options{Schema: schema})
	}
	return sqlite.Open(place, nil)
}

// size is how many bytes a store has on the disk, with its indexes.
func size(ctx context.Context, place string) (n int64, err error) {
	url, schema, isPostgres := strings.Cut(place, "&whorl_schema=")
	if isPostgres {
		err = query(ctx, url, &n, "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = $1 AND c.relkind = 'r'", schema)
		return n, err
	}
	for _, file := range []string{place, place + "-wal"} {
		if info, err := os.Stat(file); err == nil {
			n += info.Size()
		}
	}
	return n, nil
}

// connections is how many connections the processes have, without that of this
// question; 0 for a file.
func connections(ctx context.Context, place string) (n int64, err error) {
	url, _, isPostgres := strings.Cut(place, "&whorl_schema=")
	if isPostgres {
		err = query(ctx, url, &n, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
	}
	return n, err
}

func query(ctx context.Context, url string, n *int64, q string, args ...any) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.QueryRowContext(ctx, q, args...).Scan(n)
}
