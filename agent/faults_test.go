package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"sync"
	"testing"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
)

// A world is one conversation with all that may be in the middle of something: tools
// that act, a sub-agent in a session of its own, a summary, a pause, a typed answer,
// and a budget in the store.
//
// Its models go by what they are sent alone, so that any process can go on.
type world struct {
	t     testing.TB
	store memory.Store // without faults
	id    string

	mu  sync.Mutex
	ran map[string]int // effects, by argument

	appends int  // so far
	failAt  int  // the append that fails; 0 for none
	stores  bool // it stores the records all the same
	dies    bool // nothing is stored, charged or released from then on
	dead    bool
}

// a store of a world, with its faults.
type worldStore struct {
	memory.Store
	w *world
}

func (s worldStore) Append(ctx context.Context, id string, at memory.Position, records ...memory.Record) error {
	w := s.w
	w.mu.Lock()
	w.appends++
	fails := w.appends == w.failAt
	dead := w.dead
	w.dead = dead || fails && w.dies
	w.mu.Unlock()
	switch {
	case dead, fails && !w.stores:
		return fmt.Errorf("session %q: %w", id, memory.ErrUnavailable)
	case fails:
		return errors.Join(s.Store.Append(ctx, id, at, records...), memory.ErrUnavailable)
	}
	return s.Store.Append(ctx, id, at, records...)
}

// a ledger of a world, which dies with its process.
type worldLedger struct {
	budget.Ledger
	w *world
}

func (l worldLedger) alive() error {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if l.w.dead {
		return memory.ErrUnavailable
	}
	return nil
}

func (l worldLedger) Charge(ctx context.Context, id string, usd float64) error {
	if err := l.alive(); err != nil {
		return err
	}
	return l.Ledger.Charge(ctx, id, usd)
}

func (l worldLedger) Release(ctx context.Context, id string) error {
	if err := l.alive(); err != nil {
		return err
	}
	return l.Ledger.Release(ctx, id)
}

// worldModel is the model of the caller, or of the sub-agent.
type worldModel struct {
	w   *world
	sub bool
}

func (m worldModel) Stream(_ context.Context, req *transport.Request) iter.Seq2[transport.Event, error] {
	t, stage := m.w.t, 0
	for i, msg := range req.Messages {
		if msg.Role == transport.RoleAssistant || i == 0 && msg.Text() == "SUMMARY" {
			stage++
		}
	}
	var resp *transport.Response
	switch last := req.Messages[len(req.Messages)-1].Text(); {
	case last == "Sum up.":
		resp = priced(t, "end_turn", 200_000, 10, text("SUMMARY"))
	case m.sub && stage == 0:
		resp = priced(t, "tool_use", 100, 10, use("x", "act", `{"what":"sub"}`))
	case m.sub:
		resp = priced(t, "end_turn", 100, 10, text("found"))
	case stage == 0:
		resp = priced(t, "tool_use", 200_000, 10, use("a", "act", `{"what":"first"}`), use("b", "helper", `{"task":"look"}`))
	case stage == 1:
		resp = priced(t, "pause_turn", 100, 10, text("Wait. "), `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`, `{"type":"web_search_tool_result","tool_use_id":"s","content":[]}`)
	case stage == 2:
		resp = priced(t, "tool_use", 100, 10, use("c", "act", `{"what":"second"}`), use("d", "read", `{}`))
	default:
		resp = priced(t, "end_turn", 100, 10, text(`{"n":3}`))
	}
	return func(yield func(transport.Event, error) bool) {
		if yield(transport.Event{Type: transport.EventMessageStart, Response: resp}, nil) {
			yield(transport.Event{Type: transport.EventMessageStop, Response: resp}, nil)
		}
	}
}

type worldAnswer struct {
	N int `json:"n"`
}

func (w *world) agent() *agent.Agent {
	act := fake{name: "act", call: func(_ context.Context, in json.RawMessage) (tools.Result, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ran[string(in)]++
		return tools.Text("done"), nil
	}}
	read := echo("read")
	read.traits.ReadOnly = true
	sub := newWorldAgent(w.t, worldModel{w, true}, agent.Options{}, act)
	return newWorldAgent(w.t, worldModel{w, false}, agent.Options{
		Context: agent.ContextOptions{Compaction: &agent.Compaction{Prompt: "Sum up.", Steps: 100}},
	}, act, read, agent.Sub{Name: "helper", Agent: sub})
}

func newWorldAgent(t testing.TB, c transport.Client, opts agent.Options, list ...tools.Tool) *agent.Agent {
	t.Helper()
	opts.Client, opts.Model, opts.Tools = c, "claude-opus-5-5", list
	a, err := agent.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// input is what a process gives: the prompt only if there is nothing to go on with.
func (w *world) input() agent.Input {
	ledger, err := memory.Need[budget.Ledger](w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := tools.NewOutput[worldAnswer]()
	if err != nil {
		w.t.Fatal(err)
	}
	in := agent.Input{
		Store: worldStore{w.store, w}, Session: w.id, Output: out,
		Budget: &agent.Budget{USD: 1000, Ledger: worldLedger{ledger, w}, Name: w.id, Period: budget.Month},
	}
	if w.dies {
		in.Limits.Lease = -1 // that of a dead process would have to run out
	}
	if _, err := w.store.Info(context.Background(), w.id); errors.Is(err, memory.ErrNoSession) {
		in.Prompt = "go"
	} else if err != nil {
		w.t.Fatal(err)
	}
	return in
}

// finish goes on, with a new process each time, until the answer is there, and checks
// what must hold.
func (w *world) finish(what string) {
	w.t.Helper()
	w.mu.Lock()
	w.dead, w.failAt = false, 0
	w.mu.Unlock()
	res, err := w.agent().Run(context.Background(), w.input())
	if err != nil || res.Text != `{"n":3}` {
		w.t.Errorf("%s: resumed to %q, %v", what, res.Text, err)
		return
	}
	checkValid(w.t, res.Log)
	for effect, n := range w.ran {
		if n > 1 {
			w.t.Errorf("%s: %s was done %d times", what, effect, n)
		}
	}
	bill, err := agent.BillOf(context.Background(), res.Log)
	s := spending(w.t, w.store, w.id, 1000)
	if err != nil || s.Reserved != 0 || !bill.Cost.Incomplete && s.Spent < bill.Cost.USD-1e-6 {
		w.t.Errorf("%s: the account %+v, the bill %+v, %v", what, s, bill, err)
	}
	if err := w.store.Delete(context.Background(), w.id); err != nil {
		w.t.Errorf("%s: %v", what, err)
	}
}

// whole is the conversation without any fault: how many appends and events it takes.
func (w *world) whole() (appends, events int) {
	w.t.Helper()
	run := w.agent().NewRun(w.input())
	for range run.Events(context.Background()) {
		events++
	}
	res, err := run.Result()
	if err != nil || res.Text != `{"n":3}` || kinds(res.Log)[memory.KindSummary] != 1 || len(w.ran) != 3 {
		w.t.Fatalf("%q, %v, %v, effects %v", res.Text, err, kinds(res.Log), w.ran)
	}
	bill := billOf(w.t, res.Log)
	if s := spending(w.t, w.store, w.id, 1000); bill.Requests != 7 || math.Abs(s.Spent-bill.Cost.USD) > 1e-6 || s.Reserved != 0 {
		w.t.Fatalf("the account %+v, the bill %+v", s, bill)
	}
	w.finish("nothing")
	return w.appends, events
}

// Whatever goes wrong at whatever moment: nothing is done twice, the log goes on in
// another process to the same answer, and the account is even. The quick form takes all
// moments in RAM and some in SQLite; WHORL_FAULTS=long takes all on each store.
func TestEveryFaultAtEveryMoment(t *testing.T) {
	long := os.Getenv("WHORL_FAULTS") == "long"
	stores := map[string]func(t *testing.T) memory.Store{"RAM": ledgers["RAM"], "SQLite": ledgers["SQLite"]}
	if long {
		for name, open := range postgresStores(t) {
			stores[name] = open
		}
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			store, n, cases := open(t), 0, 0
			newWorld := func() *world {
				n++
				return &world{t: t, store: store, id: fmt.Sprint("w", n), ran: map[string]int{}}
			}
			every := 1
			if name != "RAM" && !long {
				every = 9
			}
			appends, events := newWorld().whole()
			for at := 1; at <= appends; at += every {
				for _, stored := range []bool{false, true} {
					for _, dies := range []bool{false, true} {
						w := newWorld()
						w.failAt, w.stores, w.dies = at, stored, dies
						what := fmt.Sprintf("append %d fails, stored %v, dies %v", at, stored, dies)
						if _, err := w.agent().Run(t.Context(), w.input()); err == nil && w.appends >= at && !stored {
							t.Errorf("%s: no error", what)
						}
						w.finish(what)
						cases++
					}
				}
			}
			for at := range events + 1 {
				if at%every != 0 {
					continue
				}
				for _, how := range []string{"cancel", "break", "panic"} {
					w := newWorld()
					w.interrupt(at, how)
					w.finish(fmt.Sprintf("%s at event %d", how, at))
					cases++
				}
			}
			t.Logf("%d appends, %d events: %d cases", appends, events, cases)
			if appends < 15 || events < 20 {
				t.Errorf("%d appends, %d events: the conversation is too short to show anything", appends, events)
			}
		})
	}
}

// interrupt ends a run at an event.
func (w *world) interrupt(at int, how string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer func() {
		if v := recover(); v != nil && v != any("the consumer") {
			panic(v)
		}
	}()
	n := 0
	for range w.agent().NewRun(w.input()).Events(ctx) {
		if n++; n <= at {
			continue
		}
		switch how {
		case "cancel":
			cancel()
		case "break":
			return
		default:
			panic("the consumer")
		}
	}
}

// postgresStores are a server's: plain, behind a pooler in transaction mode, and with
// serializable transactions by default.
func postgresStores(t *testing.T) map[string]func(t *testing.T) memory.Store {
	srv, err := pgserver.Start()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Log(err)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Stop() })
	open := func(url, schema string) func(t *testing.T) memory.Store {
		return func(t *testing.T) memory.Store {
			s, err := postgres.Open(t.Context(), url, &postgres.Options{Schema: schema})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		}
	}
	stores := map[string]func(t *testing.T) memory.Store{
		"Postgres":              open(srv.URL, "plain"),
		"Postgres serializable": open(srv.URL+"&default_transaction_isolation=serializable", "serializable"),
	}
	if url, err := srv.Pooler(); err == nil {
		stores["Postgres behind a pooler"] = open(url, "pooled")
	} else if !errors.Is(err, pgserver.ErrNotInstalled) {
		t.Fatal(err)
	}
	return stores
}
