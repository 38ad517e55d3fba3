// Package harness is what the benchmark's drivers have in common: the flags,
// the tool, the measuring and the line of JSON that they print. Each driver is
// a program of its own, so that it measures its own memory.
package harness

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config is the task: Runs conversations, Concurrency at a time, each of Turns
// steps in which the model calls the tool lookup Parallel times, and an answer.
type Config struct {
	Base        string // URL of the server
	Turns       int
	Parallel    int
	ResultBytes int // of the tool's text
	SystemBytes int
	Runs        int
	Concurrency int
	Stream      bool
	Profile     string // file for a CPU profile of the counted runs
	Allocs      string // file for an allocation profile of all
}

// Model is the model that all drivers ask for.
const Model = "claude-sonnet-4-5-20250929"

// MaxTokens is the max_tokens of all drivers.
const MaxTokens = 4096

// Prompt is the user's prompt.
const Prompt = "Look up what is needed, step by step."

// ToolName and ToolDescription belong to the one tool.
const (
	ToolName        = "lookup"
	ToolDescription = "Looks something up."
)

// Input is the input of the tool. The tags are those that each of the
// libraries' reflections understands.
type Input struct {
	Query string `json:"query" jsonschema:"description=What to look for" description:"What to look for"`
	Limit int    `json:"limit" jsonschema:"description=How many results at most" description:"How many results at most"`
}

// System is a system prompt of the given size.
func (c Config) System() string {
	const sentence = "You are a careful research agent; look things up before you answer, and say where they stand. "
	return strings.Repeat(sentence, c.SystemBytes/len(sentence)+1)[:c.SystemBytes]
}

// A Lookup is the tool: it counts its calls and the time between steps.
type Lookup struct {
	text  string
	calls atomic.Int64

	mu    sync.Mutex
	last  map[int]time.Time // when a conversation's newest step came
	steps []time.Duration
}

// Call is the tool's function. It is instant.
func (l *Lookup) Call(in Input) string {
	l.calls.Add(1)
	var conversation, step, call int
	if n, _ := fmt.Sscanf(in.Query, "conversation %d step %d call %d", &conversation, &step, &call); n == 3 && call == 0 {
		now := time.Now()
		l.mu.Lock()
		if before, ok := l.last[conversation]; ok {
			l.steps = append(l.steps, now.Sub(before))
		}
		l.last[conversation] = now
		l.mu.Unlock()
	}
	return l.text
}

func (l *Lookup) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls.Store(0)
	clear(l.last)
	l.steps = l.steps[:0]
}

// A Driver makes what holds one conversation at a time, many of them at once. It
// is made once, and returns an error if a conversation didn't come to its end.
type Driver func(Config, *Lookup) (func(context.Context) error, error)

// Main runs a driver by the program's flags and prints the result.
func Main(name string, driver Driver) {
	var c Config
	flag.StringVar(&c.Base, "base", "", "base URL of the server")
	flag.IntVar(&c.Turns, "turns", 50, "steps with tool calls; the server must have the same number")
	flag.IntVar(&c.Parallel, "parallel", 1, "tool calls in each step; the server must have the same number")
	flag.IntVar(&c.ResultBytes, "result", 4096, "bytes of a tool result")
	flag.IntVar(&c.SystemBytes, "system", 8192, "bytes of the system prompt")
	flag.IntVar(&c.Runs, "runs", 5, "counted conversations")
	flag.IntVar(&c.Concurrency, "c", 1, "conversations at once")
	flag.BoolVar(&c.Stream, "stream", true, "ask for streamed responses")
	flag.StringVar(&c.Profile, "cpuprofile", "", "write a CPU profile of the counted runs to this `file`")
	flag.StringVar(&c.Allocs, "memprofile", "", "write an allocation profile to this `file`")
	flag.Parse()
	res, err := measure(name, c, driver)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(res)
}

func measure(name string, c Config, driver Driver) (*Result, error) {
	lookup := &Lookup{text: strings.Repeat("lorem ipsum dolor sit amet ", c.ResultBytes/27+1)[:c.ResultBytes], last: make(map[int]time.Time)}
	converse, err := driver(c, lookup)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	if err := converse(ctx); err != nil { // uncounted: fills pools and connections
		return nil, err
	}
	if want, got := int64(c.Turns*c.Parallel), lookup.calls.Load(); got != want {
		return nil, fmt.Errorf("the tool was called %d times, not %d", got, want)
	}
	lookup.reset()
	runtime.GC()
	m := begin()
	stop, err := profile(c)
	if err != nil {
		return nil, err
	}
	err = converseAll(ctx, c, converse)
	res := m.end(name, c)
	if err := errors.Join(err, stop()); err != nil {
		return nil, err
	}
	if want, got := int64(c.Runs*c.Turns*c.Parallel), lookup.calls.Load(); got != want {
		return nil, fmt.Errorf("the tool was called %d times, not %d", got, want)
	}
	res.setSteps(lookup.steps)
	return res, nil
}

// converseAll holds the counted conversations and returns the first error.
func converseAll(ctx context.Context, c Config, converse func(context.Context) error) error {
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(c.Runs))
	failed := make(chan error, c.Concurrency)
	for range min(c.Concurrency, c.Runs) {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := converse(ctx); err != nil {
					failed <- err
					left.Store(0)
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
