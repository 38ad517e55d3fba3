// Least is a server for many users in one file: sessions in SQLite or PostgreSQL,
// approvals by a web client, and a budget for each user and month. docs/serve.md
// has the requests of a client.
//
//	ANTHROPIC_API_KEY=… go run ./examples/server/least
//
// Without a key, a simulator answers:
//
//	go run ./transport/simulator/serve -model examples/server/least/replies.json
//	ANTHROPIC_BASE_URL=http://127.0.0.1:8090 ANTHROPIC_API_KEY=any go run ./examples/server/least
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
)

type mail struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

func send(_ context.Context, m mail) (string, error) { return "sent to " + m.To, nil }

func open(ctx context.Context, db string) (interface {
	memory.Store
	Close() error
}, error) {
	if strings.HasPrefix(db, "postgres://") {
		return postgres.Open(ctx, db, nil)
	}
	return sqlite.Open(db, nil)
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	db := flag.String("db", "sessions.db", "SQLite file, or a postgres:// URL")
	usd := flag.Float64("usd", 5, "what each user may spend in a month")
	flag.Parse()
	client, err := anthropic.FromEnv()
	if err != nil {
		return err
	}
	store, err := open(context.Background(), *db)
	if err != nil {
		return err
	}
	defer store.Close()
	h, err := handler(store, client, *usd)
	if err != nil {
		return err
	}
	defer h.Close(context.Background())
	mux := http.NewServeMux()
	mux.Handle("/agent/", http.StripPrefix("/agent", h))
	log.Print("serving http://", *addr, "/agent/")
	return http.ListenAndServe(*addr, mux)
}

func handler(store memory.Store, client *anthropic.Client, usd float64) (*serve.Handler, error) {
	ledger, err := memory.Need[budget.Ledger](store)
	if err != nil {
		return nil, err
	}
	of := func(u serve.User) *agent.Budget {
		return &agent.Budget{USD: usd, Ledger: ledger, Name: "user/" + u.ID, Period: budget.Month}
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", Tools: []tools.Tool{
		tools.FuncWith("send", "Sends a mail.", send, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
	}})
	if err != nil {
		return nil, err
	}
	return serve.New(serve.Options{
		Store: store, Logger: slog.Default(), // users are not told what failed
		Run: func(_ context.Context, u serve.User, _ memory.Info) (*agent.Agent, agent.Input, error) {
			return a, agent.Input{Budget: of(u)}, nil
		},
		Left: func(ctx context.Context, u serve.User) (float64, error) { return of(u).Left(ctx) },
		User: func(r *http.Request) (serve.User, error) {
			name := r.Header.Get("X-User") // of the proxy in front, which has checked it
			if name == "" {
				return serve.User{}, errors.New("no user")
			}
			return serve.User{ID: name}, nil
		},
	})
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
