// Package harness is what the benchmark's drivers have in common: the flags,
// the tool, the measuring and the line of JSON that they print. Each driver is
// a program of its own, so that it measures its own memory.
package harness

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config is the task: conversations, Concurrency at a time, each of Turns steps
// in which the model calls the tool lookup Parallel times, and an answer.
type Config struct {
	Base        string // URL of the server
	Turns       int
	Parallel    int
	ResultBytes int // of the tool's text
	SystemBytes int
	Runs        int           // counted conversations, at least
	For         time.Duration // conversations are begun until this has passed, too
	Concurrency int
	Stream      bool
	Cache       bool   // use the library's best switch for prompt caching, where the default isn't it
	Threads     string // "on" for message threads; otherwise the whole conversation is sent each time
	Telemetry   string // "on" for spans, "step" for one a step, which are thrown away; otherwise there are none
	Profile     string // file for a CPU profile of the counted runs
	Allocs      string // file for an allocation profile of all
	Live        string // file for a profile of what is live halfway
}

// WarmTurns is how many steps the first conversation has at most. It isn't
// counted: it fills pools and opens connections.
const WarmTurns = 10

// TurnsOf is how many steps with calls a conversation has, by its number.
func (c Config) TurnsOf(conversation int) int {
	if conversation == 0 {
		return min(c.Turns, WarmTurns)
	}
	return c.Turns
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

	halfway int64 // the call at which atHalf is called; 0 for never
	atHalf  func()

	mu    sync.Mutex
	last  map[int]time.Time // when a conversation's newest step came
	steps []time.Duration
}

// Call is the tool's function. It is instant.
func (l *Lookup) Call(in Input) string {
	if n := l.calls.Add(1); n == l.halfway {
		l.atHalf()
	}
	if conversation, first := placeOf(in.Query); first {
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

// placeOf reads a query, "conversation 17 step 3 call 0", in which the numbers may
// have leading zeros: which conversation it is of, and whether it is a step's first.
func placeOf(query string) (conversation int, first bool) {
	rest, ok := strings.CutPrefix(query, "conversation ")
	number, _, _ := strings.Cut(rest, " ")
	conversation, err := strconv.Atoi(number)
	return conversation, ok && err == nil && strings.Trim(rest[strings.LastIndexByte(rest, ' ')+1:], "0") == ""
}

func newLookup(bytes int) *Lookup {
	return &Lookup{text: strings.Repeat("lorem ipsum dolor sit amet ", bytes/27+1)[:bytes], last: make(map[int]time.Time)}
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

// Main runs a driver by the program's flags and prints the result as a line of
// JSON.
func Main(name string, driver Driver) {
	var c Config
	flag.StringVar(&c.Base, "base", "", "base URL of the server")
	flag.IntVar(&c.Turns, "turns", 50, "steps with tool calls; the server must have the same number")
	flag.IntVar(&c.Parallel, "parallel", 1, "tool calls in each step; the server must have the same number")
	flag.IntVar(&c.ResultBytes, "result", 4096, "bytes of a tool result")
	flag.IntVar(&c.SystemBytes, "system", 8192, "bytes of the system prompt")
	flag.IntVar(&c.Runs, "runs", 5, "counted conversations, at least")
	flag.DurationVar(&c.For, "for", 0, "begin conversations until this has passed, too")
	flag.IntVar(&c.Concurrency, "c", 1, "conversations at once")
	flag.BoolVar(&c.Stream, "stream", true, "ask for streamed responses")
	flag.BoolVar(&c.Cache, "cache", false, "use the library's best switch for prompt caching")
	flag.StringVar(&c.Threads, "threads", "", "on for message threads")
	flag.StringVar(&c.Telemetry, "telemetry", "", "on for spans that are made and thrown away, step for one span a step; for drivers that have them")
	flag.StringVar(&c.Profile, "cpuprofile", "", "write a CPU profile of the counted runs to this `file`")
	flag.StringVar(&c.Allocs, "memprofile", "", "write an allocation profile to this `file`")
	flag.StringVar(&c.Live, "liveprofile", "", "halfway, write a profile of what is live to this `file`, and what memory is used for to standard error")
	flag.Parse()
	r := &run{name: name, Config: c, lookup: newLookup(c.ResultBytes)}
	res, err := r.measure(driver)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(res)
}
