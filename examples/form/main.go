// Form lets an agent ask people through a web page. The agent need not run meanwhile:
//
//	go run ./examples/form -ask "Book me a seat."   # the agent asks something, and the program ends
//	go run ./examples/form                          # serves the form, another day
//
// What waits is in the SQLite file and nowhere else. An answer that is sent twice, late
// or not as it was asked for is refused, and the page says why.
//
// Without a key in the environment the model is simulated, and nothing leaves this
// machine. With ANTHROPIC_API_KEY or the like it is a real one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
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

const sessionID = "seat"

func main() {
	ask := flag.String("ask", "", "begin with this, and end when the agent waits")
	db := flag.String("db", filepath.Join(own.Folder("form"), "form.db"), "the `file` of the session")
	addr := flag.String("addr", "127.0.0.1:8090", "where the form is served")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := form(ctx, *db, *ask, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "form:", visible.Text(err.Error()))
		os.Exit(1)
	}
}

func form(ctx context.Context, db, ask, addr string) error {
	if err := os.MkdirAll(filepath.Dir(db), 0o700); err != nil {
		return err
	}
	store, err := sqlite.Open(db, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	client, closeClient, err := connect()
	if err != nil {
		return err
	}
	defer closeClient()
	a, err := newAgent(client)
	if err != nil {
		return err
	}
	if ask != "" {
		return begin(ctx, a, store, ask)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("the form is at http://" + listener.Addr().String())
	server := &http.Server{Handler: handler(a, store), ReadHeaderTimeout: 10 * time.Second}
	end := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer end()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newAgent makes the agent. It is the same in every process.
func newAgent(client transport.Client) (*agent.Agent, error) {
	return agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", System: "You book seats. Ask the user what you need to know.",
		Tools: []tools.Tool{tools.AskUser(tools.AskOptions{})},
	})
}

// begin runs the agent up to where it waits, or ends.
func begin(ctx context.Context, a *agent.Agent, store memory.Store, prompt string) error {
	res, err := a.Run(ctx, agent.Input{Store: store, Session: sessionID, Prompt: prompt})
	if errors.Is(err, agent.ErrAwaitingApproval) {
		fmt.Println("the agent asks something; run this again without -ask, and answer in the form")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Println(visible.Text(res.Text))
	return nil
}
