package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/whorl-go/whorl/memory"
)

// What can't be done twice is tried again only where the server certainly has nothing of it,
// and nothing is tried again that the caller has ended.
func TestWhatIsTriedAgain(t *testing.T) {
	of := func(code string) error { return fmt.Errorf("query: %w", &pgconn.PgError{Code: code}) }
	refused := &pgconn.ConnectError{}
	for name, tt := range map[string]struct {
		err         error
		kind        error
		once, twice bool // whether it is tried again, by whether it can be done twice
	}{
		"the connection is lost":    {io.ErrUnexpectedEOF, memory.ErrUnavailable, false, true},
		"the server shuts down":     {of("57P01"), memory.ErrUnavailable, false, true},
		"there is no connection":    {refused, memory.ErrUnavailable, true, true},
		"a deadlock":                {of("40P01"), memory.ErrLocked, true, true},
		"not serializable":          {of("40001"), memory.ErrLocked, true, true},
		"the disk is full":          {of("53100"), memory.ErrFull, false, false},
		"the caller's time is over": {fmt.Errorf("read: %w", context.DeadlineExceeded), nil, false, false},
		"the caller has cancelled":  {context.Canceled, nil, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			if kind := kindOf(tt.err); !errors.Is(kind, tt.kind) || kind != nil && tt.kind == nil {
				t.Errorf("%s is %v, want %v", name, kind, tt.kind)
			}
			for twice, again := range map[bool]bool{false: tt.once, true: tt.twice} {
				calls := 0
				err := (&Store{wait: time.Second}).retry(t.Context(), twice, func() error {
					if calls++; calls < 3 {
						return tt.err
					}
					return nil
				})
				if again != (calls == 3) || again != (err == nil) || !again && calls != 1 {
					t.Errorf("%s, can be done twice %v: done %d times, %v", name, twice, calls, err)
				}
			}
		})
	}
}
