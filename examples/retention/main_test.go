package main

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/budget"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

type store interface {
	memory.Store
	memory.Importer
	io.Closer
}

func TestSQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	s, err := sqlite.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	test(t, s, file)
}

func TestPostgres(t *testing.T) {
	server, err := pgserver.Start()
	if errors.Is(err, pgserver.ErrNotInstalled) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	s, err := postgres.Open(t.Context(), server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	test(t, s, server.URL)
}

func picture(of string) memory.Blob {
	b := memory.Blob{Data: []byte("picture of " + of), MediaType: "image/png"}
	b.Name = b.Sum()
	return b
}

// test sweeps a store of old sessions while a worker is in a tool call of one of them,
// and another one waits for an approval.
func test(t *testing.T, s store, db string) {
	old := time.Now().AddDate(0, 0, -100)
	begin := func(id, parent string, changed time.Time) {
		t.Helper()
		if err := s.Import(t.Context(), memory.Session{
			Info:    memory.Info{ID: id, Parent: parent, Created: changed, Changed: changed},
			Records: []memory.Record{{Kind: memory.KindInput, Time: changed, Message: transport.UserText("go")}},
			Blobs:   []memory.Blob{picture(id)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	begin("done", "", old)
	begin("done's child", "done", old)
	begin("half", "", old)
	begin("half's child", "half", time.Now())
	begin("young", "", time.Now())
	begin("busy", "", old)
	begin("message", "", old)
	begin("waits", "", old)
	resp, err := transport.ParseResponse([]byte(`{"id":"m","content":[{"type":"tool_use","id":"c","name":"pay","input":{}}],"stop_reason":"tool_use","usage":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "waits"); err != nil {
		t.Fatal(err)
	}
	if err := s.Import(t.Context(), memory.Session{Info: memory.Info{ID: "waits", Created: old, Changed: old}, Records: []memory.Record{
		{Kind: memory.KindInput, Time: old, Message: transport.UserText("go")}, {Kind: memory.KindResponse, Time: old, Response: resp},
	}}); err != nil {
		t.Fatal(err)
	}
	ledger, err := memory.Need[budget.Ledger](s)
	if err != nil {
		t.Fatal(err)
	}
	b := budget.Budget{Name: "user/ann", USD: 1, Period: budget.Month}
	if err := ledger.Reserve(t.Context(), b, "done 1", 0.5); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Charge(t.Context(), "done 1", 0.25); err != nil {
		t.Fatal(err)
	}

	called, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	stop := work(t, s, called, goOn, ended)
	<-called
	if err := memory.Enqueue(t.Context(), s, "message", transport.UserText("go on")); err != nil {
		t.Fatal(err)
	}
	sweep := func(want string, left string, args ...string) {
		t.Helper()
		var out strings.Builder
		err := run(t.Context(), append([]string{"-db", db, "-days", "90"}, args...), &out)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; err != nil || last != want {
			t.Errorf("%v: %v\n%s\nwant: %s", args, err, out.String(), want)
		}
		var ids []string
		for info, err := range s.List(t.Context(), memory.Query{Sort: "id"}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, info.ID)
		}
		if got := strings.Join(ids, ", "); got != left {
			t.Errorf("%v: left %s, want %s", args, got, left)
		}
	}
	// The worker's own input is new in "busy": it isn't old any more, and leased besides.
	sweep("1 would be deleted; kept: 1 changed in a part, 0 at work, 1 planned, 1 wait, 0 can't be read",
		"busy, done, done's child, half, half's child, message, waits, young", "-dry-run")
	sweep("1 deleted; kept: 1 changed in a part, 0 at work, 1 planned, 1 wait, 0 can't be read",
		"busy, half, half's child, message, waits, young")
	sweep("0 deleted; kept: 1 changed in a part, 0 at work, 1 planned, 1 wait, 0 can't be read",
		"busy, half, half's child, message, waits, young", "-quiet")
	sweep("1 deleted; kept: 1 changed in a part, 0 at work, 0 planned, 0 wait, 0 can't be read",
		"busy, half, half's child, waits, young", "-waiting", "-limit", "1")
	sweep("1 deleted; kept: 1 changed in a part, 0 at work, 0 planned, 0 wait, 0 can't be read",
		"busy, half, half's child, young", "-waiting")
	close(goOn)
	<-ended
	stop()
	if sp, err := ledger.Spending(t.Context(), b); err != nil || sp.Spent != 0.25 {
		t.Errorf("the budget: %+v, %v", sp, err)
	}
	blobs, err := memory.Need[memory.Blobs](s)
	if err != nil {
		t.Fatal(err)
	}
	for id, there := range map[string]bool{"half's child": true, "done's child": false, "done": false} {
		if _, err := blobs.Blob(t.Context(), id, picture(id).Name); (err == nil) != there {
			t.Errorf("the blob of %s: %v", id, err)
		}
	}
}

// work runs a worker until stop is called. It makes one call of "busy".
func work(t *testing.T, s memory.Store, called, goOn, ended chan struct{}) (stop func()) {
	sim := simulator.StartTest(t, simulator.Options{Model: simulator.Script(simulator.Do(simulator.Call("t", map[string]any{})), simulator.Say("done"))})
	c, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", Tools: []tools.Tool{
		tools.Func("t", "Hangs.", func(context.Context, struct{}) (string, error) { close(called); <-goOn; return "ok", nil }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Options{
		Store: s, Poll: 5 * time.Millisecond,
		Run: func(_ context.Context, s memory.Info) (*agent.Agent, agent.Input, error) {
			if s.ID != "busy" {
				return nil, agent.Input{}, worker.ErrNotMine
			}
			return a, agent.Input{}, nil
		},
		Done: func(info memory.Info, o worker.Outcome) {
			if info.ID == "busy" && o.State == worker.Ended {
				close(ended)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Wake(t.Context(), s, "busy", time.Now()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Work(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestRefusals(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.db")
	for want, args := range map[string][]string{
		"give -days":   {"-db", missing},
		"no such file": {"-db", missing, "-days", "9"},
		"negative":     {"-db", missing, "-days", "-9"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil || want != "negative" && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", args, err)
		}
	}
}
