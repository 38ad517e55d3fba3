package postgres

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
)

// A server that doesn't answer is called less and less often, and at least every ten
// seconds.
func TestPausesBeforeConnectingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, err := pgx.ParseConfig("postgres://ann@db.test/whorl?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		var called []time.Time
		config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil }
		config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
			called = append(called, time.Now())
			return nil, errors.New("connection refused")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := &Store{config: config, channel: "due"}
		if err := s.Notify(ctx, func() { t.Error("due without a connection") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		want := []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000}
		if len(called) != len(want)+1 {
			t.Fatalf("called %d times in a minute, want %d", len(called), len(want)+1)
		}
		for i, pause := range want {
			if got := called[i+1].Sub(called[i]); got != pause*time.Millisecond {
				t.Errorf("pause %d was %v, want %v", i, got, pause*time.Millisecond)
			}
		}
	})
}
