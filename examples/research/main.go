// Research answers a question by searching and reading a folder of source code
// or text: by default the Go standard library's own.
//
//	go run ./examples/research "How does net/http decide whether to retry a request?"
//
// Without a key in the environment it runs offline, on a simulator of the
// Messages API whose model only quotes what it finds. With ANTHROPIC_API_KEY,
// ANTHROPIC_AUTH_TOKEN, ANTHROPIC_BASE_URL or COMETAPI_KEY set, the same program
// runs on the real service.
//
// The index of the Go source tree is kept in the user's cache folder (29 MB).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/examples/internal/reader"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/models"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

const system = `You answer questions from the files that your tools search and read, or from the web if you have web tools. ` +
	`Search first, then read around the best places before you answer; do independent searches and reads at once. ` +
	`Support each statement with the place it rests on, as path:line. If the sources don't answer the question, say so.`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	// After the first Ctrl-C the run winds up; a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	opts, err := parseFlags(os.Args[1:], os.Stderr)
	if err == nil {
		err = research(ctx, opts, visible.NewWriter(os.Stdout), terminal.New())
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "research:", visible.Text(explain(err, opts.model)))
		os.Exit(1)
	}
}

// research asks the question and shows how the answer comes about.
func research(ctx context.Context, opts options, out io.Writer, show *terminal.Printer) error {
	kit, closeKit, err := toolbox(opts)
	if err != nil {
		return err
	}
	defer closeKit()
	client, closeClient, err := connect(opts, show)
	if err != nil {
		return err
	}
	defer closeClient()
	return answer(ctx, opts, client, kit, out, show)
}

// answer runs an agent with the tools of kit on the question.
func answer(ctx context.Context, opts options, client transport.Client, kit []tools.Tool, out io.Writer, show *terminal.Printer) error {
	a, err := agent.New(agent.Options{
		Name: "research", Client: client, Model: opts.model, Effort: transport.Effort(opts.effort), System: system, Tools: kit,
		Thinking: thinking(opts.model),
		Limits:   agent.Limits{Steps: opts.maxSteps, Time: opts.timeout},
	})
	if err != nil {
		return err
	}
	run := a.NewRun(agent.Input{Prompt: opts.question})
	encode := json.NewEncoder(out)
	encode.SetEscapeHTML(false)
	for ev, err := range run.Events(ctx) {
		switch {
		case err != nil: // run.Result has it too
		case opts.json:
			if err := encode.Encode(ev); err != nil {
				return err // nobody reads any more
			}
		default:
			show.Event(ev)
		}
	}
	result, err := run.Result()
	if opts.json {
		return errors.Join(encode.Encode(newReport(result, show.Offline, err)), err)
	}
	if err != nil && errors.Is(err, context.Canceled) {
		show.Note("stopped; this is what there is")
	}
	show.Summary(result)
	return err
}

// connect reaches the service that the environment names, or starts the simulator.
func connect(opts options, show *terminal.Printer) (transport.Client, func(), error) {
	for _, name := range []string{"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "COMETAPI_KEY"} {
		if os.Getenv(name) != "" {
			client, err := anthropic.FromEnv()
			return client, func() {}, err
		}
	}
	sim := simulator.Options{Model: reader.Reader{}}
	if opts.web {
		pages, err := openPages(opts.pages)
		if err != nil {
			return nil, nil, err
		}
		sim.Pages = pages
	}
	local, err := simulator.Start(sim)
	if err != nil {
		return nil, nil, err
	}
	client, err := anthropic.New(anthropic.Options{BaseURL: local.URL(), APIKey: secret.New("offline"), Features: anthropic.AllFeatures()})
	if err != nil {
		return nil, nil, errors.Join(err, local.Close())
	}
	show.Offline = true
	if !opts.json {
		show.Note("No API key is set: running offline. A simulated model reads and quotes; set ANTHROPIC_API_KEY for a real one.")
		show.Note("The requests, tools, prompt cache and prices are as on the service: try out a program, and test it, for nothing.")
	}
	return client, func() { client.CloseIdleConnections(); local.Close() }, nil
}

// thinking asks for thinking that can be read, where the model takes that.
func thinking(model string) *transport.Thinking {
	if m, ok := models.Lookup(model); ok && m.Thinking.Adaptive == models.Supported {
		return &transport.Thinking{Type: "adaptive", Display: "summarized"}
	}
	return nil
}
