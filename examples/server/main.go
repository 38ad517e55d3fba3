// Server gives an agent to many users, with a chat in the browser: streams, tool
// calls, approvals and questions, stop, edit and fork, and what it costs.
//
//	go run ./examples/server                          # http://127.0.0.1:8080
//	go run ./examples/server -db postgres://…         # several of them behind a balancer
//
// A user is whoever the cookie says, which is fine for a demonstration and nothing
// else: put your own sign-in in front, and have user tell who it found. Without a key
// in the environment it runs offline, on a simulator of the Messages API. The same
// sessions are at /agui for clients of AG-UI, and at /chat/ for those of the AI SDK.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/serve"
	"github.com/whorl-go/whorl/agent/serve/agui"
	"github.com/whorl-go/whorl/agent/serve/uistream"
	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
)

//go:embed assets
var assets embed.FS

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	db := flag.String("db", "chat.db", "a file for SQLite, or the URL of a Postgres database")
	month := flag.Float64("month", 5, "what a user may spend in a month, in USD")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *db, *month); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, db string, month float64) error {
	store, err := open(ctx, db)
	if err != nil {
		return err
	}
	defer store.Close()
	conn, err := service.Connect(offline{})
	if err != nil {
		return err
	}
	defer conn.Close()
	h, err := handler(conn, store, month)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: h.site, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = h.agent.Close(end) // what goes on is in the store
		_ = server.Shutdown(end)
	})
	fmt.Printf("http://%s (offline: %v)\n", listener.Addr(), conn.Offline)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type store interface {
	memory.Store
	budget.Ledger
	Close() error
}

func open(ctx context.Context, db string) (store, error) {
	if strings.HasPrefix(db, "postgres") {
		return postgres.Open(ctx, db, nil)
	}
	return sqlite.Open(db, nil)
}

type site struct {
	site  http.Handler
	agent *serve.Handler
}

func handler(conn *service.Connection, st store, month float64) (*site, error) {
	critic, err := agent.New(agent.Options{
		Client: conn.Client, Model: "claude-haiku-4-5", Tools: []tools.Tool{tools.Func("read_reviews", "Reads what guests say of a restaurant.", reviews)},
		System: "You read the reviews of a restaurant, and say in two sentences what guests agree on.",
	})
	if err != nil {
		return nil, err
	}
	a, err := agent.New(agent.Options{
		Client: conn.Client, Model: "claude-opus-5-5",
		Tools:  append(toolset(), agent.Sub{Agent: critic, Name: "critic", Description: "Sums up the reviews of a restaurant, whose name is in the task."}),
		System: "You help people to book tables in restaurants. Be brief. Ask with the tool ask if something is missing.",
	})
	if err != nil {
		return nil, err
	}
	h, err := serve.New(serve.Options{
		Store: st, User: user, Logger: slog.Default(),
		Run: func(_ context.Context, u serve.User, _ memory.Info) (*agent.Agent, agent.Input, error) {
			return a, agent.Input{Budget: &agent.Budget{USD: month, Ledger: st, Name: "user/" + u.ID, Period: budget.Month}}, nil
		},
		Left: func(ctx context.Context, u serve.User) (float64, error) {
			s, err := st.Spending(ctx, budget.Budget{Name: "user/" + u.ID, USD: month, Period: budget.Month})
			return month - s.Spent - s.Reserved, err
		},
	})
	if err != nil {
		return nil, err
	}
	pages, err := fs.Sub(assets, "assets")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/agent/", http.StripPrefix("/agent", h))
	mux.Handle("POST /agui", agui.New(h, agui.Options{})) // for clients of AG-UI
	mux.Handle("/chat/", http.StripPrefix("/chat", uistream.New(h)))
	mux.Handle("/", http.FileServerFS(pages))
	// A page of another site can't use the cookie.
	return &site{site: signIn(http.NewCrossOriginProtection().Handler(mux)), agent: h}, nil
}

// user is who the cookie says.
func user(r *http.Request) (serve.User, error) {
	c, err := r.Cookie("user")
	if err != nil {
		return serve.User{}, err
	}
	return serve.User{ID: c.Value}, nil
}

// signIn gives whoever comes a user of their own.
func signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("user"); err != nil {
			c := &http.Cookie{Name: "user", Value: strings.ToLower(rand.Text()), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: 365 * 24 * 3600}
			http.SetCookie(w, c)
			r.AddCookie(c)
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

type find struct {
	Kitchen string `json:"kitchen,omitempty" jsonschema_description:"Such as thai; empty for all"`
}

type book struct {
	Place  string `json:"place"`
	People int    `json:"people" jsonschema:"minimum=1,maximum=20"`
}

func reviews(_ context.Context, in struct {
	Place string `json:"place"`
}) ([]string, error) {
	return []string{in.Place + ": the soup is worth the way.", in.Place + ": we waited, and would wait again."}, nil
}

func toolset() []tools.Tool {
	return []tools.Tool{
		tools.FuncWith("find_places", "Lists restaurants with free tables.", func(_ context.Context, in find) ([]string, error) {
			return []string{"Golden Snail", "Chez Escargot", cmp.Or(in.Kitchen, "Blue") + " House"}, nil
		}, tools.Options{Traits: tools.Traits{ReadOnly: true}}),
		tools.FuncWith("book_table", "Books a table.", func(_ context.Context, in book) (string, error) {
			return fmt.Sprintf("booked at %s for %d", in.Place, in.People), nil
		}, tools.Options{Traits: tools.Traits{NeedsApproval: true}}),
		tools.AskUser(tools.AskOptions{Name: "ask"}),
	}
}
