package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/benchmark/harness"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// atOnce is how many conversations the soak test holds at the same time.
const atOnce = 500

// faultRate is the share of requests that get a fault: refused connections,
// errors, overloads, streams that are cut or stall.
const faultRate = 0.05

// TestSoak holds 500 conversations at once with the simulator's chatty model,
// with a fault in 5 of 100 requests, for as long as WHORL_SOAK_FOR says (for
// instance 30m; by default 20 s). Each conversation has two turns and is then
// forgotten. What the process holds after a collection must not grow: the medians
// of the last tenth of the time are compared with those of the second, by when
// connections and pools are filled; and at the end, with the agent and the client
// still there, with what there was before. WHORL_SOAK_REPORT names a file for the
// report, which docs/benchmarks.md is made from.
func TestSoak(t *testing.T) {
	limit, err := time.ParseDuration(os.Getenv("WHORL_SOAK_FOR"))
	if err != nil {
		limit = 20 * time.Second
	}
	url, pid, stop := startSimulator(t)
	client, err := anthropic.New(anthropic.Options{BaseURL: url, APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", MaxTokens: 4000, System: "Be thorough.", Tools: []tools.Tool{
		tools.Func("lookup", "Looks something up.", func(_ context.Context, in query) (string, error) {
			return "found " + strings.Repeat("text ", len(in.Query)%50), nil
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}

	s := &soak{agent: a, kinds: make(map[string]int)}
	report := harness.Soak{Date: time.Now().UTC().Truncate(time.Minute), Minutes: limit.Minutes(), AtOnce: atOnce, FaultRate: faultRate, Before: hold()}
	t.Logf("before: %v", shown(report.Before))
	begin := time.Now()
	end := begin.Add(limit)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for time.Now().Before(end) {
				s.converse(t)
			}
		})
	}
	counts := make([]int64, periods) // conversations at the end of each
	for i := range periods {
		until := begin.Add(limit * time.Duration(i+1) / periods)
		held := median(sampleUntil(until, limit/(periods*20)))
		counts[i] = s.conversations.Load()
		report.Periods = append(report.Periods, harness.HeldOver{Minute: until.Sub(begin).Minutes(), Held: held})
		t.Logf("%v: %v; %d conversations, %d steps; the simulator's RSS %d MB", until.Sub(begin).Round(time.Second), shown(held), counts[i], s.steps.Load(), resident(pid)>>20)
	}
	wg.Wait()
	stop()
	client.CloseIdleConnections()
	time.Sleep(time.Second) // for connections to end
	report.After = hold()
	runtime.KeepAlive(a)
	report.Conversations, report.Steps, report.Failed = s.conversations.Load(), s.steps.Load(), s.failed()
	t.Logf("after: %v; %d conversations, %d steps; turns that ended with an error: %v", shown(report.After), report.Conversations, report.Steps, s.kinds)
	if name := os.Getenv("WHORL_SOAK_REPORT"); name != "" {
		raw, err := json.MarshalIndent(report, "", "  ")
		if err := errors.Join(err, os.WriteFile(name, append(raw, '\n'), 0o644)); err != nil {
			t.Error(err)
		}
	}

	before, early, late, after := report.Before, report.Periods[1].Held, report.Periods[periods-1].Held, report.After
	grown, since := late.Heap-early.Heap, counts[periods-1]-counts[1]
	t.Logf("the heap grew by %d bytes for each of %d conversations", grown/max(1, since), since)
	if grown > early.Heap/4+4<<20 || since > 20_000 && grown/since > 256 {
		t.Errorf("the heap grew from %d to %d KB", early.Heap>>10, late.Heap>>10)
	}
	if late.Goroutines > early.Goroutines*5/4+20 || late.Files > early.Files*5/4+20 {
		t.Errorf("goroutines or files grew: %v, then %v", shown(early), shown(late))
	}
	if after.Heap > before.Heap+4<<20 || after.Goroutines > before.Goroutines+2 || after.Files > before.Files {
		t.Errorf("something is left: %v before, %v after", shown(before), shown(after))
	}
	if report.Steps < atOnce {
		t.Errorf("only %d steps were made", report.Steps)
	}
}

// periods are how many parts the time is reported in.
const periods = 10

// The simulator is a process of its own, this test's binary again, as it
// remembers what it has seen. It ends with its standard input.
const asSimulator = "WHORL_SOAK_SIMULATOR"

func TestMain(m *testing.M) {
	if os.Getenv(asSimulator) == "" {
		os.Exit(m.Run())
	}
	sim, err := simulator.Start(simulator.Options{Seed: 5, Model: simulator.Chatty{}, FaultRate: faultRate})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(sim.URL())
	io.Copy(io.Discard, os.Stdin)
}

func startSimulator(t *testing.T) (url string, pid int, stop func()) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asSimulator+"=1")
	cmd.Stderr = os.Stderr
	stdin, inErr := cmd.StdinPipe()
	stdout, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(url), cmd.Process.Pid, func() {
		stdin.Close()
		cmd.Wait()
	}
}

type query struct {
	Query string `json:"query"`
}

// A soak counts what happens.
type soak struct {
	agent                *agent.Agent
	conversations, steps atomic.Int64

	mu    sync.Mutex
	kinds map[string]int // turns that ended with an error, by its kind
}

// converse has a conversation of two turns. Faults and the model may end a turn;
// a request that is refused as wrong is the library's mistake.
func (s *soak) converse(t *testing.T) {
	n := s.conversations.Add(1)
	log := memory.NewLog()
	for turn := range 2 {
		res, err := s.agent.Run(context.Background(), agent.Input{Log: log, Prompt: fmt.Sprintf("Conversation %d, turn %d: what about it?", n, turn)})
		s.steps.Add(int64(res.Steps))
		if err == nil {
			continue
		}
		kind := fmt.Sprintf("%T", err)
		var api *transport.Error
		if errors.As(err, &api) {
			kind = string(api.Type)
		}
		s.mu.Lock()
		s.kinds[kind]++
		s.mu.Unlock()
		if kind == "invalid_request_error" {
			t.Errorf("conversation %d: %v", n, err)
			return
		}
	}
}

func (s *soak) failed() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		n += int64(k)
	}
	return n
}

// shown writes what is held in words.
type shown harness.Held

func (h shown) String() string {
	return fmt.Sprintf("heap %.1f MB, %d goroutines, %d files, RSS %d MB", float64(h.Heap)/(1<<20), h.Goroutines, h.Files, h.RSS>>20)
}

// hold is what this process holds: of the heap, what a collection found alive.
func hold() harness.Held {
	runtime.GC()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	files, _ := os.ReadDir("/proc/self/fd") // nothing where there is no such folder
	h := harness.Held{Heap: int64(live[0].Value.Uint64()), Goroutines: runtime.NumGoroutine(), Files: len(files)}
	h.RSS = resident(os.Getpid())
	return h
}

// resident is the memory that a process holds; 0 where the system doesn't tell.
func resident(pid int) int64 {
	var pages int64
	if statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
		fmt.Sscan(string(statm), new(int64), &pages)
	}
	return pages * int64(os.Getpagesize())
}

// sampleUntil takes samples at an interval, at least one.
func sampleUntil(until time.Time, interval time.Duration) (all []harness.Held) {
	for {
		time.Sleep(min(interval, time.Until(until)))
		all = append(all, hold())
		if !time.Now().Before(until) {
			return all
		}
	}
}

func median(samples []harness.Held) harness.Held {
	middle := func(f func(harness.Held) int64) int64 {
		var all []int64
		for _, s := range samples {
			all = append(all, f(s))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return harness.Held{
		Heap:       middle(func(h harness.Held) int64 { return h.Heap }),
		Goroutines: int(middle(func(h harness.Held) int64 { return int64(h.Goroutines) })),
		Files:      int(middle(func(h harness.Held) int64 { return int64(h.Files) })),
		RSS:        middle(func(h harness.Held) int64 { return h.RSS }),
	}
}
