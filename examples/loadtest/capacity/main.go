// Capacity measures what a worker does on this machine: steps in a second with one
// process and with three, rows and bytes of a step, connections, and the memory of a
// process beside which many sessions wait for an approval.
//
//	go run ./examples/loadtest/capacity
//	go run ./examples/loadtest/capacity -stores sqlite,ram -waiting 100000
//
// A step is a response of the model, and the tool call that it asks for if it does. The
// model is a simulator in a process of its own, which takes its part of the processor.
// PostgreSQL is started for the time, if it is installed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/transport/simulator"
)

type options struct {
	stores, processes        string
	sessions, steps, waiting int
}

func main() {
	if role := os.Getenv(envRole); role != "" {
		if err := child(role); err != nil {
			log.Fatal(err)
		}
		return
	}
	var o options
	flag.StringVar(&o.stores, "stores", "sqlite,postgres,ram", "the stores; ram is measured for waiting sessions only")
	flag.StringVar(&o.processes, "processes", "1,3", "numbers of worker processes")
	flag.IntVar(&o.sessions, "sessions", 200, "sessions that are run")
	flag.IntVar(&o.steps, "steps", 10, "steps of each")
	flag.IntVar(&o.waiting, "waiting", 10_000, "sessions that wait; 0 leaves that out")
	flag.Parse()
	if err := measure(context.Background(), os.Stdout, o); err != nil {
		log.Fatal(err)
	}
}

// measure prints a line for each figure.
func measure(ctx context.Context, out io.Writer, o options) error {
	dir, err := os.MkdirTemp("", "capacity")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sim, err := simulator.Start(simulator.Options{Model: model(o.steps)})
	if err != nil {
		return err
	}
	defer sim.Close()
	fmt.Fprintf(out, "%s, %s/%s, %d processors\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for kind := range strings.SplitSeq(o.stores, ",") {
		if err := measureStore(ctx, out, o, kind, dir, sim.URL()); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

func measureStore(ctx context.Context, out io.Writer, o options, kind, dir, sim string) error {
	next := 0
	place := func() string { next++; return filepath.Join(dir, fmt.Sprint(next, ".db")) }
	switch kind {
	case "sqlite":
	case "ram":
		return measureWaiting(ctx, out, o.waiting, kind, func() string { return "ram" }, sim)
	case "postgres":
		server, err := pgserver.StartDurable()
		if errors.Is(err, pgserver.ErrNotInstalled) {
			fmt.Fprintf(out, "%-9s %v\n", kind, err)
			return nil
		}
		if err != nil {
			return err
		}
		defer server.Stop()
		place = func() string { next++; return fmt.Sprint(server.URL, "&whorl_schema=s", next) }
	default:
		return errors.New("a store is sqlite, postgres or ram")
	}
	for n := range strings.SplitSeq(o.processes, ",") {
		processes, err := strconv.Atoi(n)
		if err != nil || processes < 1 {
			return fmt.Errorf("%q is no number of processes", n)
		}
		if err := measureSteps(ctx, out, o, kind, place(), sim, processes); err != nil {
			return err
		}
	}
	return measureWaiting(ctx, out, o.waiting, kind, place, sim)
}

// The environment of a child.
const (
	envRole  = "WHORL_CAPACITY_ROLE"
	envStore = "WHORL_CAPACITY_STORE"
	envSim   = "WHORL_CAPACITY_SIMULATOR"
	envCount = "WHORL_CAPACITY_COUNT"
)

// start starts this program as a child.
func start(role, store, sim string, count int, out io.Writer) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envRole+"="+role, envStore+"="+store, envSim+"="+sim, envCount+"="+strconv.Itoa(count))
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	return cmd, cmd.Start()
}
