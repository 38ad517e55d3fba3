package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/simulator"
)

// atOnce is how many conversations the soak test holds at the same time.
const atOnce = 500

// TestSoak holds 500 conversations at once with the simulator's chatty model,
// with a fault in 5 of 100 requests, for as long as WHORL_SOAK_FOR says (for
// instance 30m; by default 20 s). Each conversation has two turns and is then
// forgotten. What the process holds must not grow: memory, goroutines and file
// descriptors of the last quarter are compared with those of the second.
func TestSoak(t *testing.T) {
	limit, err := time.ParseDuration(os.Getenv("WHORL_SOAK_FOR"))
	if err != nil {
		limit = 20 * time.Second
	}
	start := sample()
	url, stop := startSimulator(t)
	client, err := anthropic.New(anthropic.Options{BaseURL: url, APIKey: "any"})
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

	end := time.Now().Add(limit)
	var wg sync.WaitGroup
	var conversations, steps atomic.Int64
	for range atOnce {
		wg.Go(func() {
			for time.Now().Before(end) {
				steps.Add(converseTwice(t, a, conversations.Add(1)))
			}
		})
	}
	var quarters [4][]held
	for i := range quarters {
		for until := end.Add(-limit * time.Duration(3-i) / 4); time.Now().Before(until); {
			time.Sleep(limit / 40)
			quarters[i] = append(quarters[i], sample())
		}
		t.Logf("quarter %d: %v; %d conversations", i+1, median(quarters[i]), conversations.Load())
	}
	wg.Wait()
	client.CloseIdleConnections()
	stop()
	time.Sleep(time.Second) // for connections to end
	left := sample()
	t.Logf("%d conversations, %d steps; before: %v; after: %v", conversations.Load(), steps.Load(), start, left)

	early, late := median(quarters[1]), median(quarters[3])
	if late.heap > early.heap*3/2+16<<20 {
		t.Errorf("the heap grew from %d to %d MB", early.heap>>20, late.heap>>20)
	}
	if late.goroutines > early.goroutines*3/2 || late.files > early.files*3/2 {
		t.Errorf("goroutines or files grew: %v, then %v", early, late)
	}
	if left.goroutines > start.goroutines+2 || left.files > start.files+4 {
		t.Errorf("goroutines or files are left: %v at the start, %v at the end", start, left)
	}
	if steps.Load() < atOnce {
		t.Errorf("only %d steps were made", steps.Load())
	}
}

// The simulator is a process of its own, this test's binary again, as it
// remembers what it has seen. It ends with its standard input.
const asSimulator = "WHORL_SOAK_SIMULATOR"

func TestMain(m *testing.M) {
	if os.Getenv(asSimulator) == "" {
		os.Exit(m.Run())
	}
	sim, err := simulator.Start(simulator.Options{Seed: 5, Model: simulator.Chatty{}, FaultRate: 0.05})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(sim.URL())
	io.Copy(io.Discard, os.Stdin)
}

func startSimulator(t *testing.T) (url string, stop func()) {
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
	return strings.TrimSpace(url), func() {
		stdin.Close()
		cmd.Wait()
	}
}

type query struct {
	Query string `json:"query"`
}

// converseTwice has a conversation of two turns and returns the number of steps.
// Faults may end a turn; a request that is refused as wrong may not.
func converseTwice(t *testing.T, a *agent.Agent, n int64) (steps int64) {
	log := memory.NewLog()
	for turn := range 2 {
		res, err := a.Continue(context.Background(), log, transport.UserText(fmt.Sprintf("Conversation %d, turn %d: what about it?", n, turn))).Result()
		steps += int64(res.Steps)
		var api *transport.Error
		if errors.As(err, &api) && api.Type == "invalid_request_error" {
			t.Errorf("conversation %d: %v", n, err)
			return steps
		}
	}
	return steps
}

// held is what a process holds.
type held struct {
	heap              int64 // bytes reachable, by the newest collection
	goroutines, files int
}

func (h held) String() string {
	return fmt.Sprintf("%.1f MB, %d goroutines, %d files", float64(h.heap)/(1<<20), h.goroutines, h.files)
}

func sample() held {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd") // nothing where there is no such folder
	return held{int64(m.HeapAlloc), runtime.NumGoroutine(), len(files)}
}

func median(samples []held) held {
	middle := func(f func(held) int64) int64 {
		var all []int64
		for _, s := range samples {
			all = append(all, f(s))
		}
		if len(all) == 0 {
			return 0
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return held{
		heap:       middle(func(h held) int64 { return h.heap }),
		goroutines: int(middle(func(h held) int64 { return int64(h.goroutines) })),
		files:      int(middle(func(h held) int64 { return int64(h.files) })),
	}
}
