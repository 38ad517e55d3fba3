package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/transport"
)

// TestMain can be the example itself, to be killed.
func TestMain(m *testing.M) {
	for _, name := range []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "COMETAPI_KEY"} {
		os.Unsetenv(name)
	}
	if dir := os.Getenv("DURABLE_DIR"); dir != "" {
		if err := durable(context.Background(), testOptions(dir), os.Stdout); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func testOptions(dir string) options {
	return options{dir: dir, model: "claude-opus-5-5", pace: 100 * time.Millisecond, lease: 300 * time.Millisecond}
}

func TestKilledAndRunAgain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "DURABLE_DIR="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(350 * time.Millisecond)
		cmd.Process.Kill()
		cmd.Wait()
	}
	o := testOptions(dir)
	run := func() string {
		t.Helper()
		var out bytes.Buffer
		if err := durable(t.Context(), o, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if out := run(); !strings.Contains(out, "waits for a decision: the parcel is insured") {
		t.Fatalf("it does not wait:\n%s", out)
	}
	o.say = "How many?"
	run()
	o.say, o.approve = "", true
	out := run()
	if !strings.Contains(out, "All parcels are shipped, 8 of them.") || !strings.Contains(out, `You said: "How many?"`) {
		t.Errorf("it ended with:\n%s", out)
	}
	list, err := os.ReadFile(filepath.Join(dir, "shipped.txt"))
	if err != nil {
		t.Fatal(err)
	}
	shipped := strings.Fields(string(list))
	slices.Sort(shipped)
	if got := strings.Join(shipped, " "); got != "A1 A2 B1 B2 C1 C2 D1 D2" {
		t.Errorf("shipped: %s", got)
	}
	if again := run(); !strings.Contains(again, "All parcels are shipped") {
		t.Errorf("run again after the end:\n%s", again)
	}
}

func TestDenied(t *testing.T) {
	o := testOptions(t.TempDir())
	o.pace = time.Millisecond
	var out bytes.Buffer
	if err := durable(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	o.deny = "the customer has cancelled"
	if err := durable(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "7 of them. Left out: D2 (This call was not permitted: the customer has cancelled)") {
		t.Errorf("it ended with:\n%s", out.String())
	}
	store, err := sqlite.Open(filepath.Join(o.dir, "sessions.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log, err := memory.Open(t.Context(), store, sessionID)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range log.Messages() {
		for _, b := range m.Content {
			if b.Type() == transport.TypeToolResult && !json.Valid(b.Raw()) {
				t.Errorf("result %s", b.Raw())
			}
		}
	}
}

// Starting over removes what the program has made, and nothing else of the folder.
func TestStartsOver(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "letters.txt")
	if err := os.WriteFile(foreign, []byte("Dear Ann"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := testOptions(dir)
	o.pace = 0
	for range 2 {
		var out bytes.Buffer
		if err := durable(t.Context(), o, &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "shipped A1") {
			t.Errorf("it did not start over:\n%s", out.String())
		}
		o.again = true
	}
	if text, err := os.ReadFile(foreign); err != nil || string(text) != "Dear Ann" {
		t.Errorf("a file that is not the program's: %q, %v", text, err)
	}
}
