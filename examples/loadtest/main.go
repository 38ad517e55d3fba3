// Loadtest measures what the library costs: it holds conversations with a
// Messages endpoint that answers at once, and prints one line of JSON with the
// time, the memory and the allocations per model call.
//
//	go run ./transport/simulator/serve -quiet -model loop:50x1 &
//	go run ./examples/loadtest -base http://127.0.0.1:8090
//
// It runs one conversation that isn't counted, and then -runs that are, -c at a
// time, with the agent's default settings and one typed tool. How long a
// conversation is, the endpoint decides: the agent goes on until it stops calling
// tools, and that has to take exactly -turns × -parallel calls.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// load is what is to be run.
type load struct {
	base     string
	model    string
	turns    int
	parallel int
	result   int
	system   int
	runs     int
	workers  int
	stream   bool
	threads  string
}

// figures are what is printed. Per turn means per model call: a run has one more
// of them than turns.
type figures struct {
	Name           string  `json:"name"`
	Runs           int     `json:"runs"`
	Turns          int     `json:"turns"`
	CPUPerTurn     float64 `json:"cpu_us_per_turn"` // of this process, system time included
	WallPerTurn    float64 `json:"wall_us_per_turn"`
	AllocPerTurn   float64 `json:"alloc_kb_per_turn"` // of 1,024 bytes
	MallocsPerTurn float64 `json:"mallocs_per_turn"`
	SentPerTurn    float64 `json:"sent_kb_per_turn"` // request bodies, in units of 1,000 bytes
	PeakRSS        float64 `json:"peak_rss_mb"`      // VmHWM; 0 where there is none
}

func main() {
	var l load
	flag.StringVar(&l.base, "base", "", "base URL of the Messages endpoint (needed)")
	flag.StringVar(&l.model, "model", "claude-opus-5-5", "the model to ask for")
	flag.IntVar(&l.turns, "turns", 50, "steps with tool calls that the endpoint makes in a conversation")
	flag.IntVar(&l.parallel, "parallel", 1, "tool calls in a step")
	flag.IntVar(&l.result, "result", 4096, "bytes of a tool result")
	flag.IntVar(&l.system, "system", 8192, "bytes of the system prompt")
	flag.IntVar(&l.runs, "runs", 10, "conversations that count; 0 runs only the one that doesn't")
	flag.IntVar(&l.workers, "c", 1, "conversations at a time")
	flag.BoolVar(&l.stream, "stream", true, "stream; the library has one path, which streams, so false is the same")
	flag.StringVar(&l.threads, "threads", "auto", "message threads: auto, on or off")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	f, err := l.measure(ctx)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
}

// measure runs the load.
func (l load) measure(ctx context.Context) (figures, error) {
	f := figures{Name: "whorl", Runs: l.runs, Turns: l.turns}
	if l.base == "" {
		return f, errors.New("-base is missing: give the base URL of a Messages endpoint, such as http://127.0.0.1:8080")
	}
	if min(l.turns, l.parallel, l.result, l.system, l.runs) < 0 || l.workers < 1 {
		return f, errors.New("a count is negative, or -c is less than 1")
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: l.base, APIKey: secret.New("loadtest"), Features: anthropic.AllFeatures()})
	if err != nil {
		return f, err
	}
	defer client.CloseIdleConnections()
	if _, err := l.converse(ctx, client); err != nil {
		return f, err
	}
	if l.runs > 0 {
		runtime.GC()
		before := takeMeter()
		sent, err := l.converseMany(ctx, client)
		if err != nil {
			return f, err
		}
		spent := takeMeter().since(before)
		calls := float64(l.runs) * float64(l.turns+1)
		f.CPUPerTurn = float64(spent.cpu.Microseconds()) / calls
		f.WallPerTurn = float64(spent.wall.Microseconds()) / calls
		f.AllocPerTurn = float64(spent.bytes) / 1024 / calls
		f.MallocsPerTurn = float64(spent.mallocs) / calls
		f.SentPerTurn = float64(sent) / 1000 / calls
	}
	f.PeakRSS = peakRSS()
	return f, nil
}

// converseMany holds the counted conversations, so many at a time. It returns how many
// bytes were sent in request bodies.
func (l load) converseMany(ctx context.Context, client transport.Client) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var begun, sent atomic.Int64
	var workers sync.WaitGroup
	for range min(l.workers, l.runs) {
		workers.Go(func() {
			for begun.Add(1) <= int64(l.runs) && ctx.Err() == nil {
				n, err := l.converse(ctx, client)
				if err != nil {
					cancel(err)
				}
				sent.Add(n)
			}
		})
	}
	workers.Wait()
	return sent.Load(), context.Cause(ctx)
}

type lookupInput struct {
	Query string `json:"query"`
	Limit int    `json:"limit"`
}

// converse holds one conversation and checks that its tool was called as often
// as it had to be. It returns how many bytes were sent in request bodies.
func (l load) converse(ctx context.Context, client transport.Client) (sent int64, err error) {
	var calls atomic.Int64
	text := filler(l.result)
	lookup := tools.Func("lookup", "Looks something up.", func(context.Context, lookupInput) (string, error) {
		calls.Add(1)
		return text, nil
	})
	a, err := agent.New(agent.Options{
		Client: client, Model: l.model, System: filler(l.system), Tools: []tools.Tool{lookup},
		Limits: agent.Limits{Steps: l.turns + 2}, Threads: l.threads,
	})
	if err != nil {
		return 0, err
	}
	run := a.NewRun(agent.Input{Prompt: "Look things up until you are done."})
	for ev, err := range run.Events(ctx) {
		if err != nil {
			return sent, fmt.Errorf("after %d tool calls: %w", calls.Load(), err)
		}
		if ev.Type == agent.EventResponse {
			sent += ev.Response.Meta.Sent
		}
	}
	if want := int64(l.turns) * int64(l.parallel); calls.Load() != want {
		return sent, fmt.Errorf("the endpoint made %d tool calls, not %d × %d = %d", calls.Load(), l.turns, l.parallel, want)
	}
	return sent, nil
}

// filler is text of so many bytes.
func filler(bytes int) string {
	const line = "All work and no play makes for a system prompt of a given size.\n"
	return strings.Repeat(line, bytes/len(line)+1)[:bytes]
}

// meter is what has been spent since the start of the process.
type meter struct {
	wall           time.Time
	cpu            time.Duration
	bytes, mallocs uint64
}

type spending struct {
	wall, cpu      time.Duration
	bytes, mallocs uint64
}

func takeMeter() meter {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return meter{wall: time.Now(), cpu: cpuTime(), bytes: m.TotalAlloc, mallocs: m.Mallocs}
}

func (m meter) since(before meter) spending {
	return spending{
		wall: m.wall.Sub(before.wall), cpu: m.cpu - before.cpu,
		bytes: m.bytes - before.bytes, mallocs: m.mallocs - before.mallocs,
	}
}
