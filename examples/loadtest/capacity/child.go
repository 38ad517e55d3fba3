package main

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// model asks for the tool in each step but the last.
func model(steps int) simulator.Model {
	return simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		r := simulator.Say("That is all.")
		if len(turn.Messages) < 2*steps-1 {
			r = simulator.Do(simulator.Call("look", map[string]any{"at": "the next one"}))
		}
		return &r, nil
	})
}

// newAgent makes the agent of all processes. Its tool gives a line of 100 bytes.
func newAgent(sim string, ask bool) (*agent.Agent, error) {
	c, err := anthropic.New(anthropic.Options{BaseURL: sim, APIKey: secret.New("any")})
	if err != nil {
		return nil, err
	}
	line := make([]byte, 100)
	for i := range line {
		line[i] = "a line of a result "[i%19]
	}
	type in struct {
		At string `json:"at"`
	}
	look := func(context.Context, in) (string, error) { return string(line), nil }
	return agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", Tools: []tools.Tool{
		tools.FuncWith("look", "Looks at something.", look, tools.Options{Traits: tools.Traits{NeedsApproval: ask}}),
	}})
}

// A heap is what a process has while sessions wait.
type heap struct {
	Live       uint64 `json:"live"` // bytes of objects, behind a collection
	Sys        uint64 `json:"sys"`  // bytes that the runtime has of the system
	Goroutines int    `json:"goroutines"`
}

// child is a process of the measurement: a worker, or one beside which sessions wait.
func child(role string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	count, err := strconv.Atoi(os.Getenv(envCount))
	if err != nil {
		return err
	}
	s, err := open(ctx, os.Getenv(envStore))
	if err != nil {
		return err
	}
	defer s.Close()
	a, err := newAgent(os.Getenv(envSim), role == "waits")
	if err != nil {
		return err
	}
	if role == "waits" && os.Getenv(envStore) == "ram" {
		if err := fill(ctx, s, a, count); err != nil {
			return err
		}
	}
	o := worker.Options{Store: s, Run: func(context.Context, memory.Info) (*agent.Agent, agent.Input, error) { return a, agent.Input{}, nil }}
	if role == "waits" {
		o.Poll = 100 * time.Millisecond
	}
	w, err := worker.New(o)
	if err != nil {
		return err
	}
	if role == "waits" {
		time.AfterFunc(time.Second, func() { // it has asked the store ten times
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			_ = json.NewEncoder(os.Stdout).Encode(heap{m.HeapAlloc, m.Sys, runtime.NumGoroutine()})
			stop()
		})
	}
	return w.Work(ctx)
}
