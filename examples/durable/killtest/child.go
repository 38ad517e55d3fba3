package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// childEnv holds the task of a process that is there to be killed.
const childEnv = "KILLTEST_TASK"

// A task is what a child works on.
type task struct {
	Store   string // "sqlite" or "postgres"
	Place   string // file or URL
	Session string
	Service string // base URL of the simulator
	Ledger  string // file
}

// lease is short, so that the next process need not wait long.
const lease = 120 * time.Millisecond

// child works on a session until it is done. It tells the parent on standard
// output how many records are surely in the session.
func child() int {
	var t task
	err := json.Unmarshal([]byte(os.Getenv(childEnv)), &t)
	if err == nil {
		err = t.work(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		return 1
	}
	return 0
}

func openStore(ctx context.Context, kind, place string) (store memory.Store, stop func() error, err error) {
	if kind == "postgres" {
		s, err := postgres.Open(ctx, place, nil)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	s, err := sqlite.Open(place, &sqlite.Options{Wait: 20 * time.Second})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

func (t task) work(ctx context.Context) error {
	store, stop, err := openStore(ctx, t.Store, t.Place)
	if err != nil {
		return err
	}
	defer stop()
	a, err := newAgent(t.Service, t.Ledger)
	if err != nil {
		return err
	}
	for {
		err := t.drive(ctx, a, store)
		var taken *memory.LeaseError
		if !errors.As(err, &taken) {
			return err
		}
		time.Sleep(time.Until(taken.Until)) // the one that was killed still has it
	}
}

func (t task) drive(ctx context.Context, a *agent.Agent, store memory.Store) error {
	in := agent.Input{Store: store, Session: t.Session}
	if _, err := store.Info(ctx, t.Session); errors.Is(err, memory.ErrNoSession) {
		in.Prompt = "Do all the steps."
	}
	run := a.NewRun(in)
	for ev, err := range run.Events(ctx) {
		if err != nil {
			return err
		}
		if ev.Type == agent.EventResponse || ev.Type == agent.EventToolEnd {
			fmt.Println(run.Log().Len())
		}
	}
	return nil
}

type effect struct {
	Step int `json:"step"`
	Call int `json:"call"`
}

func newAgent(service, ledger string) (*agent.Agent, error) {
	client, err := anthropic.New(anthropic.Options{BaseURL: service, APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		return nil, err
	}
	return agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", Limits: agent.Limits{Steps: -1, Lease: lease},
		Tools: []tools.Tool{
			tools.Func("charge", "Has an effect that must not be had twice.", func(ctx context.Context, e effect) (string, error) {
				return write(ctx, ledger, "charge")
			}),
			tools.FuncWith("put", "Has an effect that may be had again.", func(ctx context.Context, e effect) (string, error) {
				return write(ctx, ledger, "put")
			}, tools.Options{Traits: tools.Traits{Repeatable: true}}),
		},
	})
}

// write has an effect: a line in the ledger, somewhere in the time of the call.
func write(ctx context.Context, ledger, tool string) (string, error) {
	time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
	f, err := os.OpenFile(ledger, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintln(f, tool, tools.CallID(ctx))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond)
	return "done", nil
}
