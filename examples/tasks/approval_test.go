package tasks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/waiting"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

type mail struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

func send(_ context.Context, m mail) (string, error) { return "sent to " + m.To, nil }

// region ask

// ask begins or continues a session. With "" for prompt it goes on where the session
// waits; a prompt would drop what waits.
func ask(ctx context.Context, a *agent.Agent, store memory.Store, prompt string) (string, error) {
	res, err := a.Run(ctx, agent.Input{Store: store, Session: "mail-1", Prompt: prompt})
	if errors.Is(err, agent.ErrAwaitingApproval) { // the agent has no Approver: the program may end
		return "waits", nil
	}
	return res.Text, err
}

// decide runs in any process that has the store.
func decide(ctx context.Context, store memory.Store) error {
	items, err := waiting.List(ctx, store, "mail-1")
	for _, it := range items {
		fmt.Println(it.Tool, string(it.Call.Input)) // show it to somebody, and then
		err = errors.Join(err, it.Approve(ctx, store))
	}
	return err
}

// endregion

func TestMain(m *testing.M) {
	if db := os.Getenv("TASKS_DECIDE"); db != "" {
		store, err := sqlite.Open(db, nil)
		if err == nil {
			err = errors.Join(decide(context.Background(), store), store.Close())
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestApprovalFromAnotherProcess(t *testing.T) {
	a := newAgent(t, simulator.Options{Model: simulator.Script(
		simulator.Do(simulator.Call("send", mail{"ann@example.com", "Lunch is at one."})),
		simulator.Say("Ann knows."),
	)}, tools.FuncWith("send", "Sends a mail.", send, tools.Options{Traits: tools.Traits{NeedsApproval: true}}))
	db := filepath.Join(t.TempDir(), "sessions.db")
	run := func(prompt, want string) {
		store, err := sqlite.Open(db, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if text, err := ask(t.Context(), a, store, prompt); err != nil || text != want {
			t.Fatalf("%q, not %q: %v", text, want, err)
		}
	}
	run("Tell Ann.", "waits")
	run("", "waits")
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), "TASKS_DECIDE="+db)
	if out, err := other.CombinedOutput(); err != nil || !strings.Contains(string(out), "ann@example.com") {
		t.Fatalf("%s %v", out, err)
	}
	run("", "Ann knows.")
}
