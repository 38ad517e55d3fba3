// Durable ships some parcels, and survives being killed while it does:
//
//	go run ./examples/durable          # kill it, with Ctrl-C, kill -9 or the power switch …
//	go run ./examples/durable          # … and run it again: it goes on where it was
//
// Each shipment takes a second and can't be undone, so none may be made twice.
// The session is in a SQLite file; what was shipped is noted in a file of its
// own, as it would be in the world outside. A call that the kill has caught in
// the middle has an unknown outcome: the model is told so, looks, and only then
// ships again.
//
// The last parcel is insured, and waits for somebody to decide:
//
//	go run ./examples/durable -approve
//	go run ./examples/durable -deny "the customer has cancelled"
//
// While it runs, another terminal can have a word:
//
//	go run ./examples/durable -say "Tell me the number of parcels at the end."
//
// Without a key in the environment the model is simulated, and nothing leaves
// this machine. With ANTHROPIC_API_KEY or the like it is a real one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/examples/internal/own"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

const (
	sessionID   = "parcels"
	shippedFile = "shipped.txt"
	system      = `You ship parcels with your tools, two at a time. Ship each parcel once. If the outcome of a call is unknown, ` +
		`look at the list of shipped parcels before you ship that one again.`
	task = `Ship the parcels A1, A2, B1, B2, C1, C2, D1 and D2. D2 is insured.`
)

type options struct {
	dir, model, say, deny string
	approve, again        bool
	pace, lease           time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", own.Folder("durable"), "the `folder` for the session and the list of what was shipped")
	flag.StringVar(&o.model, "model", "claude-opus-5-5", "the model")
	flag.StringVar(&o.say, "say", "", "say something to the session, from another terminal or before it goes on")
	flag.BoolVar(&o.approve, "approve", false, "approve what waits for a decision, and go on")
	flag.StringVar(&o.deny, "deny", "", "deny what waits for a decision, for this reason, and go on")
	flag.BoolVar(&o.again, "new", false, "start over")
	flag.DurationVar(&o.pace, "pace", time.Second, "how long a shipment takes")
	o.lease = 3 * time.Second
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := durable(ctx, o, visible.NewWriter(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "durable:", visible.Text(err.Error()))
		os.Exit(1)
	}
}

func durable(ctx context.Context, o options, out io.Writer) error {
	if o.again {
		// Only what this program has made: -dir may name a folder with other things.
		for _, name := range []string{"sessions.db", "sessions.db-wal", "sessions.db-shm", shippedFile} {
			if err := os.Remove(filepath.Join(o.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	store, err := sqlite.Open(filepath.Join(o.dir, "sessions.db"), nil)
	if err != nil {
		return err
	}
	defer store.Close()
	if o.say != "" {
		return memory.Enqueue(ctx, store, sessionID, transport.UserText(o.say))
	}
	if err := decide(ctx, store, o); err != nil {
		return err
	}
	client, closeClient, err := connect(out)
	if err != nil {
		return err
	}
	defer closeClient()
	w := warehouse{list: filepath.Join(o.dir, shippedFile), pace: o.pace}
	a, err := agent.New(agent.Options{
		Name: "durable", Client: client, Model: o.model, System: system, Limits: agent.Limits{Lease: o.lease}, Gate: insured,
		Tools: []tools.Tool{
			tools.Func("ship", "Ships a parcel. It can't be undone.", w.ship),
			tools.FuncWith("shipped", "Lists the parcels that were shipped.", w.shipped, tools.Options{Traits: tools.Traits{ReadOnly: true}}),
		},
	})
	if err != nil {
		return err
	}
	for {
		err := drive(ctx, a, store, out)
		var taken *memory.LeaseError
		if !errors.As(err, &taken) {
			return err
		}
		fmt.Fprintf(out, "%s has the session until %s; waiting\n", taken.Owner, taken.Until.Format(time.TimeOnly))
		select {
		case <-time.After(time.Until(taken.Until)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drive begins the session, or goes on with it.
func drive(ctx context.Context, a *agent.Agent, store memory.Store, out io.Writer) error {
	in := agent.Input{Store: store, Session: sessionID}
	switch session, err := memory.Open(ctx, store, sessionID); {
	case errors.Is(err, memory.ErrNoSession):
		fmt.Fprintln(out, "a new session")
		in.Prompt = task
	case err != nil:
		return err
	default:
		fmt.Fprintf(out, "going on behind %d records; %d calls are open\n", session.Len(), len(session.State().Open))
	}
	run := a.NewRun(in)
	for ev, err := range run.Events(ctx) {
		switch {
		case err != nil: // run.Result has it too
		case ev.Type == agent.EventToolStart:
			fmt.Fprintf(out, "  %s %s …\n", ev.Call.Name, ev.Call.Input)
		case ev.Type == agent.EventToolEnd:
			fmt.Fprintf(out, "  %s %s: %s\n", ev.Call.Name, ev.Call.Input, resultText(ev.Result))
		}
	}
	res, err := run.Result()
	for _, p := range agent.Pending(res.Log) {
		fmt.Fprintf(out, "  %s %s waits for a decision: %s\n  run it again with -approve, or with -deny and a reason\n", p.Name, p.Input, p.Reason)
	}
	if errors.Is(err, agent.ErrAwaitingApproval) {
		return nil
	}
	if err == nil {
		fmt.Fprintln(out, res.Text)
	}
	return err
}

// decide settles what waits for a decision, if the user has decided.
func decide(ctx context.Context, store memory.Store, o options) error {
	if !o.approve && o.deny == "" {
		return nil
	}
	log, err := memory.Open(ctx, store, sessionID)
	if err != nil {
		return err
	}
	for _, p := range agent.Pending(log) {
		if o.approve {
			err = p.Approve(ctx, log)
		} else {
			err = p.Deny(ctx, log, o.deny)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
