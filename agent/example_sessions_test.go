package agent_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/protect"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/memory/transfer"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A session is begun, left, and continued by its id.
func ExampleInput_session() {
	ctx := context.Background()
	client, done := offline(simulator.Say("Noted."), simulator.Say("You like tea."))
	defer done()
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// region continue
	store, err := sqlite.Open(filepath.Join(dir, "sessions.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	res, err := a.Run(ctx, agent.Input{Store: store, Session: "ann-1", Prompt: "I like tea."})
	// endregion
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Text)
	res, err = a.Run(ctx, agent.Input{Store: store, Session: "ann-1", Prompt: "What do I like?"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(res.Text, len(res.Log.Messages()), "messages")
	// Output:
	// Noted.
	// You like tea. 4 messages
}

type payment struct {
	USD int `json:"usd"`
}

// A call waits for a decision, which is made in another process.
func ExamplePendingCall() {
	ctx := context.Background()
	client, done := offline(simulator.Do(simulator.Call("pay", payment{500})), simulator.Say("Paid."))
	defer done()
	store := new(memory.RAM)
	pay := tools.FuncWith("pay", "Pays.", func(ctx context.Context, p payment) (string, error) {
		return fmt.Sprintf("paid %d USD", p.USD), nil
	}, tools.Options{Traits: tools.Traits{NeedsApproval: true}})
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{pay}})
	if err != nil {
		log.Fatal(err)
	}

	if _, err = a.Run(ctx, agent.Input{Store: store, Session: "ann-1", Prompt: "Pay the rent."}); !errors.Is(err, agent.ErrAwaitingApproval) {
		log.Fatal(err)
	}

	// region decide
	l, err := memory.Open(ctx, store, "ann-1")
	if err != nil {
		log.Fatal(err)
	}
	for _, call := range agent.Pending(l) { // plain data: send it where the people are
		fmt.Println(call.Name, call.Input)
		if err := call.Approve(ctx, l); err != nil { // or Deny, or Edit
			log.Fatal(err)
		}
	}
	res, err := a.Run(ctx, agent.Input{Store: store, Session: "ann-1"})
	// endregion
	fmt.Println(res.Text, err)
	// Output:
	// pay {"usd":500}
	// Paid. <nil>
}

// A session is encrypted with a key of the caller's.
func Example_encrypted() {
	ctx := context.Background()
	client, done := offline(simulator.Say("I'll keep it."))
	defer done()
	inside := new(memory.RAM)
	key := make([]byte, 32)
	rand.Read(key)

	// region encrypted
	store := protect.Encrypted(inside, protect.Keys{
		Current: "2026-11",
		Keys:    map[string][]byte{"2026-11": key}, // 32 bytes, from where you keep your secrets
	})
	// endregion
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err = a.Run(ctx, agent.Input{Store: store, Session: "ann-1", Prompt: "My code is 4711."}); err != nil {
		log.Fatal(err)
	}
	var stored, clear bytes.Buffer
	if err := errors.Join(transfer.Export(ctx, inside, "ann-1", &stored), transfer.Export(ctx, store, "ann-1", &clear)); err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(stored.String(), "4711"), strings.Contains(clear.String(), "4711"))
	// Output: false true
}
