package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
)

// ahead opens a store on a server whose clock is ahead of this machine's.
func ahead(t *testing.T, by time.Duration) *postgres.Store {
	t.Helper()
	srv, err := server()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	where, err := srv.Ahead(t.Context(), by)
	if err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), where, &postgres.Options{Schema: "clock" + by.String()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Leases end, and sessions are due, by the server's clock, whatever the machine's says.
func TestTheServersClockCounts(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			s := ahead(t, by)
			near := func(what string, at time.Time, from time.Duration) {
				t.Helper()
				if d := time.Until(at) - by - from; d.Abs() > 10*time.Minute {
					t.Errorf("%s: %v, which is %v off the server's time", what, at, d)
				}
			}
			now, err := s.Now(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			near("Now", now, 0)
			if err := s.Append(t.Context(), "s", memory.Position{}, input("x")); err != nil {
				t.Fatal(err)
			}
			if err := s.Lease(t.Context(), "s", "one", 20*time.Minute); err != nil {
				t.Fatal(err)
			}
			var lease *memory.LeaseError
			if err := s.Lease(t.Context(), "s", "two", time.Minute); !errors.As(err, &lease) || lease.Owner != "one" {
				t.Fatalf("a lease of 20 minutes is taken by another owner: %v", err)
			}
			near("the lease", lease.Until, 20*time.Minute)
			if err := s.Delete(t.Context(), "s"); !errors.As(err, &lease) {
				t.Errorf("a leased session is deleted: %v", err)
			}
			if err := s.Lease(t.Context(), "s", "one", 0); err != nil {
				t.Fatal(err)
			}
			for at, due := range map[time.Duration]int{-time.Minute: 1, time.Minute: 0} {
				if err := s.Wake(t.Context(), "s", now.Add(at)); err != nil {
					t.Fatal(err)
				}
				n := 0
				for _, err := range s.Due(t.Context(), memory.Query{}) {
					if err != nil {
						t.Fatal(err)
					}
					n++
				}
				if n != due {
					t.Errorf("to be woken at %v of the server's time: %d sessions are due", at, n)
				}
			}
		})
	}
}
