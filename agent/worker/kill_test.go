package worker_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/worker"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

type closer interface {
	memory.Store
	Close() error
}

func openStore(ctx context.Context, where string) (closer, error) {
	if strings.HasPrefix(where, "postgres") {
		return postgres.Open(ctx, where, nil)
	}
	return sqlite.Open(where, nil)
}

// testStore is where the processes of a test have their store: a file in dir, or a
// database, if the environment says so.
func testStore(t *testing.T, dir string) string {
	t.Helper()
	if os.Getenv("WHORL_WORKER_STORE") != "postgres" {
		return filepath.Join(dir, "s.db")
	}
	_, url := database(t)
	return url
}

// surroundings are what the process of a worker finds: the store, the service, and the
// file to which its tools write what they do. The environment says where they are.
func surroundings(t *testing.T, where string) (closer, *anthropic.Client, *os.File) {
	store, err := openStore(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	c, err := anthropic.New(anthropic.Options{BaseURL: os.Getenv("WHORL_TEST_SIMULATOR"), APIKey: secret.New("any")})
	if err != nil {
		t.Fatal(err)
	}
	world, err := os.OpenFile(os.Getenv("WHORL_TEST_WORLD"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return store, c, world
}

// TestProcess is a worker's process, if the environment says so.
func TestProcess(t *testing.T) {
	where := os.Getenv("WHORL_TEST_WORKER")
	if where == "" {
		t.Skip("only as a process of TestKilled")
	}
	store, c, world := surroundings(t, where)
	a, err := agent.New(agent.Options{Client: c, Model: "claude-haiku-4-5", Limits: agent.Limits{Lease: 2 * time.Second}, Tools: []tools.Tool{
		tools.Func("t", "Does it once.", func(ctx context.Context, in in) (string, error) {
			_, err := fmt.Fprintf(world, "%s %s\n", tools.CallOf(ctx).Meta["n"], tools.CallOf(ctx).Key)
			return "ok", err
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Options{Store: store, Run: always(a), Parallel: 8, Poll: 50 * time.Millisecond, Backoff: 50 * time.Millisecond, Failures: 1000, Drain: time.Second, Recover: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	if err := w.Work(ctx); err != nil {
		t.Fatal(err)
	}
}

// Three processes run sessions, and are killed at random. Every session ends, every
// call is made once, or the model is told that this isn't known.
//
// WHORL_WORKER_SESSIONS, WHORL_WORKER_KILLS and WHORL_WORKER_STORE=postgres make it
// longer.
func TestKilled(t *testing.T) {
	number := func(name string, def int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return def
	}
	sessions, kills := number("WHORL_WORKER_SESSIONS", 60), number("WHORL_WORKER_KILLS", 6)
	dir := t.TempDir()
	where := testStore(t, dir)
	store, err := openStore(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	world := filepath.Join(dir, "world")
	if err := os.WriteFile(world, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	sim := simulator.StartTest(t, simulator.Options{Model: twoCalls()})
	for i := range sessions {
		if err := worker.Submit(t.Context(), store, fmt.Sprint(i), hello, map[string]string{"n": fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestProcess$")
		cmd.Env = append(os.Environ(), "WHORL_TEST_WORKER="+where, "WHORL_TEST_SIMULATOR="+sim.URL(), "WHORL_TEST_WORLD="+world)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	var processes [3]*exec.Cmd
	for i := range processes {
		processes[i] = start()
	}
	began := time.Now()
	defer func() {
		for _, p := range processes {
			_ = p.Process.Signal(syscall.SIGTERM)
			_ = p.Wait()
		}
	}()
	for killed := 0; ; {
		left := 0
		for i := range sessions {
			info, err := store.Info(t.Context(), fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			if info.Records < 9 || !info.Due.IsZero() || !info.Wake.IsZero() {
				left++
				break
			}
		}
		if left == 0 && killed >= kills {
			break
		}
		if time.Since(began) > time.Duration(30+sessions/20+kills*3)*time.Second {
			for i := range sessions {
				info, _ := store.Info(t.Context(), fmt.Sprint(i))
				log, _ := memory.Open(t.Context(), store, fmt.Sprint(i))
				if info.Records >= 9 && info.Due.IsZero() && info.Wake.IsZero() {
					continue
				}
				t.Logf("session %d: %d records, due %v, wake %v, %v, next %T", i, info.Records, info.Due, info.Wake, info.Meta, agent.Next(log))
			}
			t.Fatalf("sessions are left after %v and %d kills", time.Since(began), killed)
		}
		time.Sleep(time.Duration(20+rand.IntN(180)) * time.Millisecond)
		if killed < kills {
			i := rand.IntN(len(processes))
			_ = processes[i].Process.Kill()
			_ = processes[i].Wait()
			processes[i] = start()
			killed++
		}
	}
	t.Logf("%d sessions, %d kills: %v", sessions, kills, time.Since(began).Round(time.Millisecond))

	runs := make(map[string]int)
	f, err := os.Open(world)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		runs[lines.Text()]++
	}
	unknown := 0
	for call, n := range runs {
		if n != 1 {
			t.Errorf("call %s was made %d times", call, n)
		}
	}
	for i := range sessions {
		log, err := memory.Open(t.Context(), store, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		if done := agent.Next(log); !done.Done() || done.Err != nil {
			t.Errorf("session %d: %#v", i, agent.Next(log))
		}
		made := 0
		for call := range runs {
			if strings.HasPrefix(call, fmt.Sprint(i)+" ") {
				made++
			}
		}
		told, notRun := 0, 0
		for _, r := range log.Records(0) {
			if r.Kind != memory.KindResult {
				continue
			}
			text := string(r.Block.Raw())
			switch {
			case strings.Contains(text, "unknown"):
				told++
			case strings.Contains(text, "was not run: the run was cancelled"): // its lease was lost, on a slow machine
				notRun++
			}
		}
		unknown += told
		if made+notRun > 2 || made+told+notRun < 2 {
			var results []string
			for _, r := range log.Records(0) {
				if r.Kind == memory.KindResult {
					results = append(results, string(r.Block.Raw()))
				}
			}
			t.Errorf("session %d: %d calls were made, %d were not, and %d are unknown: %q", i, made, notRun, told, results)
		}
	}
	t.Logf("%d calls are unknown and told", unknown)
}
