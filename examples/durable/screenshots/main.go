// Screenshots measures what pictures cost in a store, with and without package
// memory/blob: bytes in the database, and the time of appending and loading.
//
//	go run ./examples/durable/screenshots -store sqlite
//	go run ./examples/durable/screenshots -store postgres
//
// Each session is a run of steps that each take a screenshot; five forks of it
// take one more each. Both kinds of store do the same by turns, so that whatever
// else the machine does slows down both. It prints its findings as JSON, and fails
// if a session doesn't come back byte for byte.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

func main() {
	var c config
	flag.StringVar(&c.Store, "store", "sqlite", "sqlite or postgres; the latter starts a server of its own, if one is installed")
	flag.IntVar(&c.Sessions, "sessions", 1000, "sessions")
	flag.IntVar(&c.Shots, "shots", 10, "screenshots of a session")
	flag.IntVar(&c.Forks, "forks", 5, "forks of a session")
	flag.IntVar(&c.Common, "common", 0, "screenshots of a session that all others have too, such as those of a start page")
	flag.IntVar(&c.KB, "kb", 64, "size of a screenshot")
	flag.Parse()
	found, err := measure(context.Background(), c)
	out, _ := json.MarshalIndent(found, "", "  ")
	fmt.Println(string(out))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
