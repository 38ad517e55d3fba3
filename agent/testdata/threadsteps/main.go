// Threadsteps runs a tool loop in a message thread, and writes how often each
// statement ran in 30 steps early and in 30 late: the test of that name builds it with
// -cover -covermode=atomic.
package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/coverage"
	"strconv"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A direct is HTTP without a network.
type direct struct{ http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	in := req.Clone(req.Context())
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, in)
	return rec.Result(), nil
}

func main() {
	steps, err := strconv.Atoi(os.Args[1])
	check(err)
	const early, window = 10, 30
	sim := simulator.New(simulator.Options{Model: simulator.Loop{Turns: steps}})
	client, err := anthropic.New(anthropic.Options{BaseURL: "http://localhost", APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: &http.Client{Transport: direct{sim}}})
	check(err)
	type query struct {
		Query string `json:"query"`
		Limit int    `json:"limit,omitempty"`
	}
	result := strings.Repeat("x", 1000)
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5-5", System: strings.Repeat("Be thorough. ", 300), Threads: "on",
		Tools:  []tools.Tool{tools.Func("lookup", "Looks something up.", func(context.Context, query) (string, error) { return result, nil })},
		Limits: agent.Limits{Steps: -1, Time: -1, ToolTime: -1},
	})
	check(err)
	for ev, err := range a.NewRun(agent.Input{Prompt: "go"}).Events(context.Background()) {
		check(err)
		if ev.Type != agent.EventStep {
			continue
		}
		for i, from := range []int{early, steps - window} {
			switch ev.Step {
			case from:
				check(coverage.ClearCounters())
			case from + window:
				check(coverage.WriteMetaDir(os.Args[2+i]))
				check(coverage.WriteCountersDir(os.Args[2+i]))
			}
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
