package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

// newNote is the name of a note that stands for a record of a newer version.
const newNote = "of a newer version"

// A v1 store is a store as the old program sees it: newNote has a version that it
// doesn't know.
type v1 struct{ memory.Store }

func (s v1) Load(ctx context.Context, id string, from memory.Position) iter.Seq2[memory.Record, error] {
	return func(yield func(memory.Record, error) bool) {
		n := from.Records
		for r, err := range s.Store.Load(ctx, id, from) {
			if err == nil && r.Note == newNote {
				raw, encodeErr := r.AppendJSON(nil)
				_, parseErr := memory.ParseRecord(bytes.Replace(raw, []byte(`"v":1`), []byte(`"v":2`), 1))
				err = fmt.Errorf("session %q: %w", id, &memory.RecordError{Record: n, Err: errors.Join(encodeErr, parseErr)})
			}
			if !yield(r, err) || err != nil {
				return
			}
			n++
		}
	}
}

// The programs' tool: its schema grows.
type (
	oldIn struct {
		N int `json:"n"`
	}
	newIn struct {
		N    int    `json:"n"`
		Note string `json:"note,omitempty"`
	}
)

// deployModel makes the calls "t" 0 to 3, and "extra" behind them if there is such a
// tool.
func deployModel() simulator.Model {
	return simulator.ModelFunc(func(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
		n := 0
		for _, m := range turn.Messages {
			for _, b := range m.Content {
				if b.ToolUseID() != "" {
					n++
				}
			}
		}
		r := simulator.Say("done")
		switch {
		case n < 4:
			r = simulator.Do(simulator.Call("t", map[string]any{"n": n}))
		case n == 4 && turn.HasTool("extra"):
			r = simulator.Do(simulator.Call("extra", map[string]any{"n": n}))
		}
		return &r, nil
	})
}

// TestDeployProcess is a process of the old or the new program, if the environment
// says so.
func TestDeployProcess(t *testing.T) {
	version, where := os.Getenv("WHORL_TEST_VERSION"), os.Getenv("WHORL_TEST_WORKER")
	if version == "" {
		t.Skip("only as a process of TestDeploy")
	}
	opened, c, world := surroundings(t, where)
	does := func(ctx context.Context, n int) (string, error) {
		call := tools.CallOf(ctx)
		_, err := fmt.Fprintf(world, "%s %s %d\n", version, call.Meta["n"], n)
		time.Sleep(30 * time.Millisecond) // there is always one that runs
		return "ok", err
	}
	o := agent.Options{Client: c, Model: "claude-haiku-4-5", System: "You are the " + version + " program.", Limits: agent.Limits{Lease: 5 * time.Second}}
	var store memory.Store = opened
	if version == "old" {
		store = v1{opened}
		o.Tools = []tools.Tool{tools.Func("t", "Does it.", func(ctx context.Context, in oldIn) (string, error) { return does(ctx, in.N) })}
	} else {
		o.Tools = []tools.Tool{
			tools.Func("t", "Does it, and notes something.", func(ctx context.Context, in newIn) (string, error) { return does(ctx, in.N) }),
			tools.Func("extra", "Does what is new.", func(ctx context.Context, in newIn) (string, error) { return does(ctx, in.N) }),
		}
	}
	a, err := agent.New(o)
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Options{
		Store: store, Run: always(a), Parallel: 4, Poll: 50 * time.Millisecond, Backoff: 50 * time.Millisecond, Drain: 20 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Done: func(s memory.Info, o worker.Outcome) {
			switch {
			case o.State == worker.Left && errors.Is(o.Err, errors.ErrUnsupported) && errors.Is(o.Err, memory.ErrCorrupt):
				fmt.Fprintf(world, "%s %s refused\n", version, s.ID)
			case o.State == worker.Failed, o.State == worker.SetAside:
				fmt.Fprintf(world, "%s %s failed: %v\n", version, s.ID, o.Err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	fmt.Fprintf(world, "%s - ready\n", version)
	if err := w.Work(ctx); err != nil {
		t.Fatal(err)
	}
}

// A deployment runs processes of both programs over one store.
type deployment struct {
	t                    *testing.T
	where, world, sim    string
	store                closer
	submitted, processes int
}

func newDeployment(t *testing.T) *deployment {
	dir := t.TempDir()
	d := &deployment{t: t, where: testStore(t, dir), world: filepath.Join(dir, "world"), sim: simulator.StartTest(t, simulator.Options{Model: deployModel()}).URL()}
	var err error
	if d.store, err = openStore(t.Context(), d.where); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.store.Close() })
	if err := os.WriteFile(d.world, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *deployment) submit(n int) {
	d.t.Helper()
	for range n {
		id := fmt.Sprint(d.submitted)
		if err := worker.Submit(d.t.Context(), d.store, id, hello, map[string]string{"n": id}); err != nil {
			d.t.Fatal(err)
		}
		d.submitted++
	}
}

// start starts a process of a program, and returns what ends it by SIGTERM: it has to
// end by itself, without an error.
func (d *deployment) start(version string) (stop func()) {
	d.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDeployProcess$")
	cmd.Env = append(os.Environ(), "WHORL_TEST_VERSION="+version, "WHORL_TEST_WORKER="+d.where, "WHORL_TEST_SIMULATOR="+d.sim, "WHORL_TEST_WORLD="+d.world)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	ready := d.count(version, "- ready")
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.processes++
	d.await("the "+version+" program is ready", func() bool { return d.count(version, "- ready") > ready })
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			d.t.Errorf("a process of the %s program: %v\n%s", version, err, said.String())
		}
	}
	d.t.Cleanup(stop)
	return stop
}

func (d *deployment) lines() []string {
	d.t.Helper()
	data, err := os.ReadFile(d.world)
	if err != nil {
		d.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// count returns the number of lines of a version that have a text in them.
func (d *deployment) count(version, text string) (n int) {
	for _, l := range d.lines() {
		if strings.HasPrefix(l, version+" ") && strings.Contains(l, text) {
			n++
		}
	}
	return n
}

func (d *deployment) await(what string, done func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("not within a minute: %s\n%s", what, strings.Join(d.lines(), "\n"))
		}
	}
}

// ended reports whether all sessions have ended.
func (d *deployment) ended() bool {
	d.t.Helper()
	for i := range d.submitted {
		info, err := d.store.Info(d.t.Context(), fmt.Sprint(i))
		if err != nil {
			d.t.Fatal(err)
		}
		if info.Records < 15 || !info.Due.IsZero() || !info.Wake.IsZero() {
			return false
		}
	}
	return true
}

// check checks that each call was made once, that each session is over, and that some
// were begun by the old program and ended by the new one.
func (d *deployment) check() {
	d.t.Helper()
	made, by := make(map[string]int), make(map[string]string)
	for _, l := range d.lines() {
		version, call, _ := strings.Cut(l, " ")
		id, n, _ := strings.Cut(call, " ")
		switch {
		case n == "ready" || n == "refused":
		case strings.HasPrefix(n, "failed"):
			d.t.Error(l)
		default:
			made[call]++
			if by[id] != version && !strings.HasSuffix(by[id], " "+version) {
				by[id] = strings.TrimSpace(by[id] + " " + version)
			}
		}
	}
	for call, n := range made {
		if n != 1 {
			d.t.Errorf("call %s was made %d times", call, n)
		}
	}
	both, extra := 0, 0
	for i := range d.submitted {
		log, err := memory.Open(d.t.Context(), d.store, fmt.Sprint(i))
		if err != nil {
			d.t.Fatal(err)
		}
		if next := agent.Next(log); !next.Done() || next.Err != nil {
			d.t.Errorf("session %d: %#v", i, next)
		}
		for n := range 4 {
			if made[fmt.Sprint(i, " ", n)] != 1 {
				d.t.Errorf("session %d: call %d was not made", i, n)
			}
		}
		if by[fmt.Sprint(i)] == "old new" {
			both++
		}
		extra += made[fmt.Sprint(i, " 4")]
	}
	if both == 0 || extra == 0 {
		d.t.Errorf("%d sessions were begun by the old program and ended by the new one, %d used its new tool", both, extra)
	}
	d.t.Logf("%d sessions, %d calls, %d processes: %d begun by the old program and ended by the new one", d.submitted, len(made), d.processes, both)
}

// A new program takes the place of an old one, over one store: it has another prompt,
// another schema of a tool and one tool more. What a newer version wrote, the old
// program leaves alone.
//
// WHORL_WORKER_DEPLOY=60m has both beside each other as long, with one process less or
// more every few seconds; WHORL_WORKER_STORE=postgres is for both forms.
func TestDeploy(t *testing.T) {
	if long, err := time.ParseDuration(os.Getenv("WHORL_WORKER_DEPLOY")); err == nil {
		testLongDeploy(t, long)
		return
	}
	d := newDeployment(t)
	log, err := memory.Create(d.store, "newer", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Append(t.Context(), memory.Record{Kind: memory.KindNote, Note: newNote, Data: []byte("{}")}, memory.Record{Kind: memory.KindInput, Message: transport.UserText("go")}); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wake(t.Context(), d.store, "newer", time.Now()); err != nil {
		t.Fatal(err)
	}
	d.submit(24)
	stopOld := d.start("old")
	d.await("the old program is at work", func() bool { return d.count("old", "") > 12 })
	d.await("the old program leaves the newer session", func() bool { return d.count("old", "newer refused") == 1 })
	info, err := d.store.Info(t.Context(), "newer")
	if err != nil || info.Records != 2 || len(info.Meta) != 0 || info.Due.IsZero() {
		t.Errorf("behind the old program: %+v, %v", info, err)
	}
	d.start("new")
	d.await("the new program is at work", func() bool { return d.count("new", "") > 3 })
	d.submit(16)
	d.await("the old program has begun one of the newest sessions", func() bool {
		for id := d.submitted - 16; id < d.submitted; id++ {
			if d.count("old", fmt.Sprint(" ", id, " 0")) > 0 {
				return true
			}
		}
		return false
	})
	stopOld()
	old := d.count("old", "")
	d.await("all sessions have ended", d.ended)
	if n := d.count("old", ""); n != old {
		t.Errorf("the old program had ended, and made %d calls", n-old)
	}
	d.await("the newer session has ended", func() bool {
		log, err := memory.Open(t.Context(), d.store, "newer")
		return err == nil && agent.Next(log).Done()
	})
	if d.count("old", "newer refused") != 1 || d.count("new", "refused") != 0 {
		t.Errorf("refusals: %q", d.lines())
	}
	d.check()
}

// testLongDeploy has two processes of each program at first, and then exchanges one
// after the other, back and forth, while sessions come.
func testLongDeploy(t *testing.T, long time.Duration) {
	d := newDeployment(t)
	versions := [4]string{"old", "old", "new", "new"}
	var stops [4]func()
	for i, v := range versions {
		stops[i] = d.start(v)
	}
	next := 0
	exchange := time.NewTicker(5 * time.Second)
	defer exchange.Stop()
	come := time.NewTicker(200 * time.Millisecond)
	defer come.Stop()
	for end := time.After(long); end != nil; {
		select {
		case <-end:
			end = nil
		case <-come.C:
			d.submit(1)
		case <-exchange.C:
			i := next % len(stops)
			next++
			versions[i] = map[string]string{"old": "new", "new": "old"}[versions[i]]
			stops[i]()
			stops[i] = d.start(versions[i])
		}
	}
	d.await("all sessions have ended", d.ended)
	for _, stop := range stops {
		stop()
	}
	d.check()
}
