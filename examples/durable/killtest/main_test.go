package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory/postgres/pgserver"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// The short form; the program itself does it 500 times.
func TestKilledAtRandomMoments(t *testing.T) {
	for _, store := range []string{"sqlite", "postgres"} {
		t.Run(store, func(t *testing.T) {
			found, err := run(config{Store: store, Kills: 12, Steps: 6, Calls: 4, Parallel: 2, Within: 300 * time.Millisecond, Seed: uint64(time.Now().UnixNano())})
			if errors.Is(err, pgserver.ErrNotInstalled) {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
			if found.bad() || found.Kills < 12 || found.Sessions == 0 {
				t.Errorf("%+v", found)
			}
		})
	}
}
