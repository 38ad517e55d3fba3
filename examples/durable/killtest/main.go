// Killtest kills a program at random moments, again and again, and checks that
// its sessions lose nothing:
//
//	go run ./examples/durable/killtest -store sqlite -kills 500
//	go run ./examples/durable/killtest -store postgres -kills 500
//
// Each session is a run of some steps with tools in parallel, which write to a
// ledger outside of the session. A process of its own works on it; it is killed
// by SIGKILL, and another one resumes. After each kill all that was told to be
// in the session must be there, unchanged. At the end no request may have been
// refused, and no effect may be in the ledger twice unless its tool is declared
// repeatable. It prints its findings as JSON, and fails if there is anything to find.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	var c config
	flag.StringVar(&c.Store, "store", "sqlite", "sqlite or postgres; the latter starts a server of its own, if one is installed")
	flag.StringVar(&c.URL, "url", "", "a PostgreSQL database to use instead of an own server")
	flag.IntVar(&c.Kills, "kills", 500, "how often to kill")
	flag.IntVar(&c.Steps, "steps", 12, "steps of a session")
	flag.IntVar(&c.Calls, "calls", 4, "tool calls in a step")
	flag.IntVar(&c.Parallel, "parallel", 2, "sessions at a time")
	flag.DurationVar(&c.Within, "within", 200*time.Millisecond, "a process is killed at a random moment of this time")
	flag.Uint64Var(&c.Seed, "seed", 1, "repeats the moments")
	flag.Parse()
	found, err := run(c)
	out, _ := json.MarshalIndent(found, "", "  ")
	fmt.Println(string(out))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
