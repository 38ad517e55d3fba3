// Retention deletes the sessions of a store in which nothing has happened for some
// days, with their sub-agents' sessions, inboxes and blobs:
//
//	retention -db sessions.db -days 90 -dry-run
//	retention -db postgres://whorl@db.example/whorl -days 90
//
// It is for a line of a crontab, and runs beside workers and beside others of itself.
// It keeps a session that a process works on, and one that is to go on: with a time to
// be woken, a message that waits, or a call without a result, such as one that waits
// for an approval. -waiting deletes those too, if no process works on them. It may be
// stopped at any time: each session is deleted whole or not at all, and the next run
// continues. Forks keep what they share with a deleted session, and budgets what was
// spent.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/memory/sweep"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("retention", flag.ContinueOnError)
	db := flags.String("db", "", "the SQLite `file` or the postgres:// URL of the store")
	days := flags.Int("days", 0, "delete sessions in which nothing has happened for so many days")
	dry := flags.Bool("dry-run", false, "delete nothing, and print what would be deleted")
	waiting := flags.Bool("waiting", false, "also delete sessions that are to go on, or can't be read")
	limit := flags.Int("limit", 0, "delete at most so many sessions with their trees; 0 means all")
	quiet := flags.Bool("quiet", false, "print the sums only")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *days < 1 {
		return errors.New("give -days, a number from 1")
	}
	store, err := open(ctx, *db, *dry)
	if err != nil {
		return err
	}
	defer store.Close()
	fates := make(map[sweep.Fate]int)
	_, err = sweep.Old(ctx, store, sweep.Options{
		Before: time.Now().AddDate(0, 0, -*days), DryRun: *dry, Waiting: *waiting, Limit: *limit,
		Each: func(s memory.Info, fate sweep.Fate, why error) {
			if fates[fate]++; *quiet {
				return
			}
			fmt.Fprintf(out, "%-10s %s  %6d records  %q", fate, s.Changed.Format(time.DateOnly), s.Records, s.ID)
			if why != nil {
				fmt.Fprintf(out, "  %v", why)
			}
			fmt.Fprintln(out)
		},
	})
	verb := "deleted"
	if *dry {
		verb = "would be deleted"
	}
	fmt.Fprintf(out, "%d %s; kept: %d changed in a part, %d at work, %d planned, %d wait, %d can't be read\n",
		fates[sweep.Deleted], verb, fates[sweep.Changed], fates[sweep.Leased], fates[sweep.Planned], fates[sweep.Waits], fates[sweep.Unreadable])
	return err
}

// open opens a store that is there.
func open(ctx context.Context, db string, readOnly bool) (interface {
	memory.Store
	io.Closer
}, error) {
	if strings.HasPrefix(db, "postgres://") || strings.HasPrefix(db, "postgresql://") {
		return postgres.Open(ctx, db, nil)
	}
	if _, err := os.Stat(db); err != nil {
		return nil, fmt.Errorf("-db: %w", err)
	}
	return sqlite.Open(db, &sqlite.Options{ReadOnly: readOnly})
}
