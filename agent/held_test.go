package agent_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// heldBy is how many bytes stay reachable through what makeIt returns: the middle of
// five times, each begun once nothing that other tests left running gives memory back.
func heldBy(makeIt func() any) int64 {
	reachable := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	var held []int64
	for range 5 {
		before := reachable()
		for falls := true; falls; {
			time.Sleep(time.Millisecond)
			now := reachable()
			falls, before = before-now > 1<<10, now
		}
		it := makeIt()
		after := reachable()
		runtime.KeepAlive(it)
		held = append(held, after-before)
	}
	slices.Sort(held)
	return held[len(held)/2]
}

// A step is held as its bytes and little more. A fork holds what is its own, and the
// lists of the parent's messages and requests, 104 and 72 bytes for each.
func TestMemoryHeldByLogsAndForks(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const turns, result, forks = 100, 1024, 200
	parent := conversation(t, turns, result) // fills pools and tables
	var perStep int64
	for range 4 { // what an earlier test left may be given back for a while
		perStep = heldBy(func() any { return conversation(t, turns, result) }) / turns
		if perStep >= result && perStep <= result+2650 {
			break
		}
		time.Sleep(300 * time.Millisecond)
	}
	t.Logf("a step with a result of %d bytes is held in %d bytes", result, perStep)
	if perStep < result || perStep > result+2650 {
		t.Errorf("a step with a result of %d bytes is held in %d bytes", result, perStep)
	}
	perFork := heldBy(func() any {
		children := make([]*memory.Log, forks)
		for i := range children {
			children[i] = parent.Fork()
			err := children[i].Append(context.Background(), memory.Record{Kind: memory.KindInput, Message: transport.UserText(fmt.Sprint("child ", i))})
			if err != nil {
				t.Fatal(err)
			}
		}
		return children
	}) / forks
	t.Logf("a fork of %d steps with one message of its own holds %d bytes", turns, perFork)
	if most := int64(turns*2*104 + 6000); perFork > most {
		t.Errorf("a fork holds %d bytes, want at most %d, where its parent holds %d", perFork, most, perStep*turns)
	}
	runtime.KeepAlive(parent)
}

// conversation has a conversation with the canned server and returns its log.
func conversation(tb testing.TB, turns, result int) *memory.Log {
	tb.Helper()
	a := agentOver(tb, &canned{turns: turns}, lookup(result))
	res, err := a.Run(context.Background(), agent.Input{Prompt: "go"})
	if err != nil {
		tb.Fatal(err)
	}
	return res.Log
}

func agentOver(tb testing.TB, server http.RoundTripper, list ...tools.Tool) *agent.Agent {
	tb.Helper()
	client, err := anthropic.New(anthropic.Options{BaseURL: "http://127.0.0.1:1", APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: &http.Client{Transport: server}})
	if err != nil {
		tb.Fatal(err)
	}
	a, err := agent.New(agent.Options{Client: client, Model: "claude-opus-5-5", System: strings.Repeat("system. ", 1024), Tools: list, Limits: agent.Limits{Steps: -1}})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// A stopwatch measures the time between the last byte of a response and the
// next request, as the transport sees them.
type stopwatch struct {
	canned
	ended time.Time
	total time.Duration
	n     int
}

func (s *stopwatch) RoundTrip(req *http.Request) (*http.Response, error) {
	if !s.ended.IsZero() {
		s.total += time.Since(s.ended)
		s.n++
	}
	resp, err := s.canned.RoundTrip(req)
	if err == nil {
		resp.Body = &endWatch{ReadCloser: resp.Body, s: s}
	}
	return resp, err
}

type endWatch struct {
	io.ReadCloser
	s *stopwatch
}

func (w *endWatch) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.s.ended = time.Now()
	return n, err
}

// BenchmarkTurnaround reports the time from the last read of a response to the
// next request, with a tool that is instant.
func BenchmarkTurnaround(b *testing.B) {
	watch := &stopwatch{canned: canned{turns: 50}}
	a := agentOver(b, watch, lookup(4096))
	for b.Loop() {
		watch.ended = time.Time{}
		if _, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(watch.total.Nanoseconds())/float64(watch.n)/1000, "µs/turnaround")
}

type wide struct {
	Query string            `json:"query" jsonschema_description:"What to look for"`
	Limit int               `json:"limit,omitempty" jsonschema:"minimum=1,maximum=100"`
	Tags  []string          `json:"tags,omitempty"`
	Since time.Time         `json:"since,omitempty"`
	Extra map[string]string `json:"extra,omitempty"`
}

// BenchmarkColdStart makes an agent of 50 tools, and its first request: with the
// tools at hand, and with making them, which reflects on their types.
func BenchmarkColdStart(b *testing.B) {
	makeTools := func() []tools.Tool {
		list := make([]tools.Tool, 50)
		for i := range list {
			list[i] = tools.Func(fmt.Sprint("tool_", i), "Looks something up.", func(context.Context, wide) (string, error) { return "", nil })
		}
		return list
	}
	start := func(b *testing.B, list []tools.Tool) {
		a := agentOver(b, &canned{}, list...)
		if _, err := a.Run(context.Background(), agent.Input{Prompt: "go"}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("agent", func(b *testing.B) {
		b.ReportAllocs()
		list := makeTools()
		for b.Loop() {
			start(b, list)
		}
	})
	b.Run("tools and agent", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			start(b, makeTools())
		}
	})
}
