// Cron continues all sessions of a store that wait for work, at half the price: their
// requests go in batches. It is for a line of a crontab, for work that may take until
// the morning:
//
//	0 1 * * *  cd /srv/reports && cron -db sessions.db
//
// Other programs send work with worker.Submit, or -submit "Sum up yesterday." does.
// A sweep ends when no session is left that can go on. Two sweeps at once share the
// sessions. One that is killed loses nothing but the batch that it waited for, which is
// asked for again. Without ANTHROPIC_API_KEY or the like the model is simulated.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
)

func main() {
	path := flag.String("db", "sessions.db", "the SQLite `file` with the sessions")
	submit := flag.String("submit", "", "begin a session with this `message`, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	store, err := sqlite.Open(*path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if *submit != "" {
		id := fmt.Sprint("report-", time.Now().UnixNano())
		if err := worker.Submit(ctx, store, id, transport.UserText(*submit), nil); err != nil {
			log.Fatal(err)
		}
		return
	}
	conn, err := service.Connect(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if conn.Offline {
		log.Print("no key is set: the model is simulated, says again what it is asked, and costs nothing")
	}
	a, err := agent.New(agent.Options{
		Client: conn.Client.Batcher(anthropic.BatcherOptions{}), Model: "claude-opus-5-5",
		Limits: agent.Limits{Time: 24 * time.Hour}, // a batch may take a day
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := sweep(ctx, store, a); err != nil {
		log.Fatal(err)
	}
}

// region sweep

// sweep runs all sessions that can go on, side by side, until none is left. What fails
// is tried again by the next sweep.
func sweep(ctx context.Context, store memory.Store, a *agent.Agent) error {
	due, err := memory.Need[memory.Waker](store)
	if err != nil {
		return err
	}
	var runs sync.WaitGroup
	for s, err := range due.Due(ctx, memory.Query{}) {
		if err != nil {
			runs.Wait()
			return err
		}
		runs.Go(func() {
			res, err := a.Run(ctx, agent.Input{Store: store, Session: s.ID})
			switch {
			case errors.Is(err, memory.ErrLeased): // another sweep has it
			case errors.Is(err, agent.ErrAwaitingApproval): // worker.Wake, once it is decided
			case err != nil:
				err = errors.Join(err, worker.Wake(context.WithoutCancel(ctx), store, s.ID, time.Now()))
				log.Printf("%s: %v", s.ID, err)
			default:
				log.Printf("%s: %s, %v", s.ID, visible.Text(res.Text), res.Cost)
			}
		})
	}
	runs.Wait()
	return ctx.Err()
}

// endregion
