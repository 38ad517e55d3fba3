// River runs sessions as jobs of River, on the PostgreSQL that has the sessions: a job
// is one step, and holds a session's id and how many records it had.
//
//	go run . -db postgres://localhost/whorl                            works
//	go run . -db postgres://localhost/whorl -submit "What is new?"     begins a session
//
// Without ANTHROPIC_API_KEY or the like the model is simulated.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/memory/postgres"
)

func main() {
	url := flag.String("db", "postgres://localhost/whorl", "the database")
	submit := flag.String("submit", "", "begin a session with this `message`, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	conn, err := service.Connect(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if conn.Offline {
		log.Print("no key is set: the model is simulated, says again what it is asked, and costs nothing")
	}
	a, err := agent.New(agent.Options{Client: conn.Client, Model: "claude-opus-5-5"})
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, *url, a, *submit); err != nil {
		log.Fatal(err)
	}
}

// run works until ctx ends, or begins a session.
func run(ctx context.Context, url string, a *agent.Agent, submit string) error {
	store, err := postgres.Open(ctx, url, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	jobs, err := newJobs(ctx, pool, store, a)
	if err != nil {
		return err
	}
	if submit != "" {
		return begin(ctx, jobs, store, fmt.Sprint("session-", time.Now().UnixNano()), submit)
	}
	if err := jobs.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return jobs.Stop(context.WithoutCancel(ctx))
}
