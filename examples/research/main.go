// Research answers a question by searching and reading a folder of source code
// or text: by default the Go standard library's own.
//
//	go run ./examples/research "How does net/http decide whether to retry a request?"
//
// Without a key in the environment it runs offline, on a simulator of the
// Messages API whose model only quotes what it finds. With ANTHROPIC_API_KEY,
// ANTHROPIC_AUTH_TOKEN, ANTHROPIC_BASE_URL or COMETAPI_KEY set, the same program
// runs on the real service.
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
	"strings"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/examples/research/corpus"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/simulator/reader"
)

const system = `You answer questions from the files that your tools search and read, or from the web if you have web tools. ` +
	`Search first, then read around the best places before you answer; do independent searches and reads at once. ` +
	`Support each statement with the place it rests on, as path:line. If the sources don't answer the question, say so.`

// options are the program's flags.
type options struct {
	question string
	dir      string
	web      bool
	pages    string
	model    string
	effort   string
	maxSteps int
	timeout  time.Duration
	json     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	// After the first Ctrl-C the run winds up; a second one ends the program at once.
	context.AfterFunc(ctx, stop)
	opts, err := parseFlags(os.Args[1:], os.Stderr)
	if err == nil {
		err = research(ctx, opts, os.Stdout, terminal.New())
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "research:", explain(err, opts.model))
		os.Exit(1)
	}
}

func parseFlags(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("research", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&o.dir, "dir", "", "folder to search (default the Go source tree that `go env GOROOT` names)")
	f.BoolVar(&o.web, "web", false, "use web search and web fetch; offline, over the pages of -pages. The folder is searched too only if -dir is given")
	f.StringVar(&o.pages, "pages", "", "folder of pages for -web offline (default the doc folder of the Go source tree)")
	f.StringVar(&o.model, "model", "claude-opus-5-5", "the model's id")
	f.StringVar(&o.effort, "effort", "", "low, medium, high, xhigh or max (default the model's own)")
	f.IntVar(&o.maxSteps, "max-steps", 30, "most model calls")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "most time")
	f.BoolVar(&o.json, "json", false, "print the events as JSON Lines; the last line is the result")
	f.Usage = func() {
		fmt.Fprintln(usage, `usage: research [flags] "question"`)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.question = strings.TrimSpace(strings.Join(f.Args(), " "))
	if o.question == "" {
		f.Usage()
		return o, errors.New("there is no question; put it in quotes behind the flags")
	}
	return o, nil
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
	a, err := agent.New(agent.Options{
		Name: "research", Client: client, Model: opts.model, Effort: opts.effort, System: system, Tools: kit,
		Thinking: thinking(opts.model),
		Limits:   agent.Limits{Steps: opts.maxSteps, Time: opts.timeout},
	})
	if err != nil {
		return err
	}
	run := a.Run(ctx, opts.question)
	encode := json.NewEncoder(out)
	encode.SetEscapeHTML(false)
	for ev, err := range run.Events() {
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
		return errors.Join(encode.Encode(newReport(result, err)), err)
	}
	if err != nil && errors.Is(err, context.Canceled) {
		show.Note("stopped; this is what there is")
	}
	show.Summary(result)
	return err
}

// toolbox makes the tools that the flags ask for.
func toolbox(opts options) ([]tools.Tool, func() error, error) {
	var kit []tools.Tool
	if opts.web {
		kit = append(kit, tools.WebSearch{MaxUses: 8}, tools.WebFetch{MaxUses: 8, Citations: true, MaxContentTokens: 60_000})
		if opts.dir == "" {
			return kit, func() error { return nil }, nil
		}
	}
	c, err := openCorpus(opts.dir)
	if err != nil {
		return nil, nil, err
	}
	l := library{c}
	traits := tools.Options{Traits: tools.Traits{ReadOnly: true, Repeatable: true}}
	kit = append(kit,
		tools.Func("search_corpus", "Search the files of the corpus for words, in no order. Returns the best passages as path:line: text.", l.search, traits),
		tools.Func("read_lines", "Read a range of lines of a file of the corpus, with line numbers.", l.read, traits),
		tools.Func("list_files", "List the files of the corpus whose path matches a pattern.", l.list, traits),
		tools.Func("calculate", "Compute an arithmetic expression exactly.", calculate, traits),
	)
	return kit, c.Close, nil
}

func openCorpus(dir string) (*corpus.Corpus, error) {
	if dir != "" {
		return corpus.Open(dir)
	}
	root, err := goRoot()
	if err != nil {
		return nil, err
	}
	return corpus.Open(root, "src", "doc")
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
	client, err := anthropic.New(anthropic.Options{BaseURL: local.URL(), APIKey: "offline"})
	if err != nil {
		return nil, nil, errors.Join(err, local.Close())
	}
	if !opts.json {
		show.Note("No API key is set: running offline. A simulated model reads and quotes; set ANTHROPIC_API_KEY for a real one.")
	}
	return client, func() { client.CloseIdleConnections(); local.Close() }, nil
}

// thinking asks for thinking that can be read, where the model takes that.
func thinking(model string) *transport.Thinking {
	if m, ok := transport.LookupModel(model); ok && m.Adaptive == transport.Supported {
		return &transport.Thinking{Type: "adaptive", Display: "summarized"}
	}
	return nil
}
