//go:build unix

// Overhead measures what traces and metrics cost, as a share of the processor
// time of a step in the load test: conversations with an endpoint that answers at
// once, in a process of its own, once without telemetry and once with each kind
// of it, by turns, so that what else the machine does weighs on all alike.
//
//	cd examples/traced && go run ./overhead
//
// It prints the least and the median of each kind over the rounds, and how much
// more than off each is: of the least, and the median of that in each round.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
)

// load is the load test's: see examples/loadtest.
type load struct {
	turns, result, system int
	conversations, rounds int // conversations of a round, for each kind
}

func main() {
	var l load
	sink := flag.Bool("sink", false, "be the process that takes what is sent by OTLP")
	flag.IntVar(&l.turns, "turns", 50, "steps with tool calls in a conversation")
	flag.IntVar(&l.result, "result", 4096, "bytes of a tool result")
	flag.IntVar(&l.system, "system", 8192, "bytes of the system prompt")
	flag.IntVar(&l.conversations, "conversations", 20, "conversations of each kind in a round")
	flag.IntVar(&l.rounds, "rounds", 15, "rounds")
	flag.Parse()
	err := errors.New("a count is less than 1")
	switch {
	case *sink:
		err = serveSink()
	case min(l.turns, l.result, l.system, l.conversations, l.rounds) >= 1:
		err = l.measure(context.Background(), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "overhead:", err)
		os.Exit(1)
	}
}

// measure runs all kinds, round by round, and prints a table.
func (l load) measure(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "overhead")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server := filepath.Join(dir, "server")
	if text, err := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join("..", "benchmark"), "-o", server, "./server").CombinedOutput(); err != nil {
		return fmt.Errorf("the benchmark's server can't be built; run this in examples/traced: %w\n%s", err, text)
	}
	base, stop, err := start(exec.CommandContext(ctx, server, "-turns", fmt.Sprint(l.turns)))
	if err != nil {
		return err
	}
	defer stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	sink, stopSink, err := start(exec.CommandContext(ctx, self, "-sink"))
	if err != nil {
		return err
	}
	defer stopSink()

	kinds, err := newKinds(ctx, sink)
	if err != nil {
		return err
	}
	for round := range l.rounds + 1 {
		for i := range kinds {
			k := &kinds[(i+round)%len(kinds)]
			spent, err := l.run(ctx, base, k)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			if round > 0 { // the first one warms up
				k.spent = append(k.spent, spent)
			}
		}
	}
	fmt.Fprintf(out, "%d conversations of %d steps for each kind, in %d rounds; results of %d bytes; %s %s/%s, %d processors\n",
		l.conversations*l.rounds, l.turns+1, l.rounds, l.result, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	fmt.Fprintf(out, "%-42s %14s %8s %14s %8s\n", "", "least µs/step", "more", "median µs/step", "more")
	for _, k := range kinds {
		least := slices.Min(k.spent)
		fmt.Fprintf(out, "%-42s %14.1f %7.1f%% %14.1f %7.1f%%\n", k.name, least, 100*(least/slices.Min(kinds[0].spent)-1), median(k.spent), 100*k.more(kinds[0]))
	}
	for _, k := range kinds {
		if err := k.close(ctx); err != nil {
			return err
		}
	}
	return nil
}

// more is by how much a kind costs more than another, the median over the rounds.
func (k *kind) more(than kind) float64 {
	ratios := make([]float64, len(k.spent))
	for i := range ratios {
		ratios[i] = k.spent[i]/than.spent[i] - 1
	}
	return median(ratios)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// run holds a round's conversations, and returns the processor time of a step in
// µs, with what it takes to send what was gathered.
func (l load) run(ctx context.Context, base string, k *kind) (float64, error) {
	client, err := anthropic.New(anthropic.Options{BaseURL: base, APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		return 0, err
	}
	defer client.CloseIdleConnections()
	text := strings.Repeat("x", l.result)
	opts := agent.Options{
		Name: "load", Client: client, Model: "claude-opus-5-5", System: strings.Repeat("y ", l.system/2), Limits: agent.Limits{Steps: l.turns + 2},
		Tools: []tools.Tool{tools.Func("lookup", "Looks something up.", func(context.Context, query) (string, error) { return text, nil })},
	}
	k.set(&opts)
	a, err := agent.New(opts)
	if err != nil {
		return 0, err
	}
	runtime.GC()
	before, steps := cpuTime(), 0
	for range l.conversations {
		res, err := a.Run(ctx, agent.Input{Prompt: "Look things up until you are done."})
		if err != nil {
			return 0, err
		}
		steps += res.Steps // the very first conversation is shorter
	}
	if err := k.flush(ctx); err != nil {
		return 0, err
	}
	return float64((cpuTime() - before).Nanoseconds()) / 1000 / float64(steps), nil
}

type query struct {
	Query string `json:"query"`
	Limit int    `json:"limit"`
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// start runs a server that prints its URL and ends with its standard input.
func start(cmd *exec.Cmd) (url string, stop func(), err error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		in.Close()
		_ = cmd.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("%s did not tell its address: %w", cmd.Path, err)
	}
	return strings.TrimSpace(line), stop, nil
}

// serveSink takes what is posted and throws it away.
func serveSink() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
