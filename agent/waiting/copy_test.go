package waiting_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory/sqlite"
)

// Nothing that waits is anywhere but in the log: the process is gone, the database is
// copied to another machine, what waits is answered there, and it goes on.
func TestAnsweredOnAnotherMachine(t *testing.T) {
	here, there := filepath.Join(t.TempDir(), "here.db"), filepath.Join(t.TempDir(), "there.db")
	e := new(effects)
	in := agent.Input{Session: "root", Prompt: "go", Limits: agent.Limits{Lease: time.Hour}}

	store, err := sqlite.Open(here, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	in.Store = store
	if _, err := everything(t, e).Run(t.Context(), in); !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
	for i := 0; runtime.NumGoroutine() > before && i < 100; i++ {
		time.Sleep(10 * time.Millisecond) // those of the run are on their way out
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before the run", n, before)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(here)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{here, here + "-wal", here + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(there, raw, 0o600); err != nil {
		t.Fatal(err)
	}

	if store, err = sqlite.Open(there, nil); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	items := waits(t, store, "root")
	if len(items) != 5 {
		t.Fatalf("%d items", len(items))
	}
	for _, it := range items {
		if it.Call != nil && len(it.Agents) == 1 && it.Agents[0] == "helper" {
			if err := it.Edit(t.Context(), store, json.RawMessage(`{"what":"edited"}`)); err != nil {
				t.Error(err)
			}
			continue
		}
		deal(t, store, it)
	}
	// A lease that had been left would hold this run up for an hour.
	in.Store, in.Prompt = store, ""
	res, err := everything(t, e).Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got := content(t, res.Log)
	for _, want := range []string{"14", "the blue one", "edited", "The sub-agent beside (2-b) has ended"} {
		if !strings.Contains(got, want) {
			t.Errorf("the model isn't told %q: %s", want, got)
		}
	}
	if len(e.ran) != 2 || e.ran[`{"what":"edited"}`] != 1 || e.ran[`{"what":"back"}`] != 1 {
		t.Errorf("ran %v", e.ran)
	}
}
