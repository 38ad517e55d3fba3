// Reviewer reads the Go files of a folder and returns what it finds as typed
// values: a []finding, which the service holds the model to.
//
//	go run ./examples/reviewer -dir ./examples/reviewer/testdata/shop
//	go run ./examples/reviewer -dir ./agent -json "Look at the handling of errors only."
//
// Without a key in the environment it runs offline, on a simulator of the
// Messages API whose model reads the files by the same tools and reports what a
// few static rules find. With ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN,
// ANTHROPIC_BASE_URL or COMETAPI_KEY set, the same program runs on the real
// service.
//
// What to look at: agent.Generate with a type, and that what a model says of places in
// files is checked before it is shown.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/examples/internal/flags"
	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/examples/reviewer/offline"
	"github.com/whorl-go/whorl/tools/files"
)

const system = `You review Go code. List the files with your tools, read them (several at once), and report what a careful reviewer would ask to have changed: ` +
	`bugs first, then what makes the code hard to use or to change. Report nothing that you have not seen in a file, and give the line it is at. No praise.`

// A finding is one thing to change. Its schema is reflected from here.
type finding struct {
	File       string `json:"file" jsonschema_description:"Path of the file, as list_files gives it"`
	Line       int    `json:"line" jsonschema_description:"Line that it is at, counted from 1"`
	Severity   string `json:"severity" jsonschema:"enum=high,enum=medium,enum=low"`
	Message    string `json:"message" jsonschema_description:"What is wrong, in one sentence"`
	Suggestion string `json:"suggestion" jsonschema_description:"What to do about it, in one sentence"`
}

type options struct {
	dir      string
	wish     string
	model    string
	maxSteps int
	json     bool
	verbose  bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	opts, err := parseFlags(os.Args[1:], os.Stderr)
	if err == nil {
		err = review(ctx, opts, visible.NewWriter(os.Stdout), terminal.New())
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "reviewer:", visible.Text(err.Error()))
		os.Exit(1)
	}
}

func parseFlags(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("reviewer", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&o.dir, "dir", ".", "folder to review")
	f.StringVar(&o.model, "model", "claude-opus-5-5", "the model's id")
	f.IntVar(&o.maxSteps, "max-steps", 60, "most model calls")
	f.BoolVar(&o.json, "json", false, "print the findings as JSON")
	f.BoolVar(&o.verbose, "v", false, "log each model call and tool call")
	f.Usage = func() {
		fmt.Fprintln(usage, `usage: reviewer ["what to look at"] [flags]`)
		f.PrintDefaults()
	}
	words, err := flags.Parse(f, args)
	o.wish = strings.Join(words, " ")
	return o, err
}

// review asks for the findings and prints them.
func review(ctx context.Context, opts options, out io.Writer, show *terminal.Printer) error {
	root, err := os.OpenRoot(opts.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	client, err := service.Connect(offline.Model{})
	if err != nil {
		return err
	}
	defer client.Close()
	if show.Offline = client.Offline; show.Offline {
		show.Note("No API key is set: running offline. A simulated model reads the files and applies a few static rules; set ANTHROPIC_API_KEY for a real one.")
	}
	var logger *slog.Logger
	if opts.verbose {
		logger = slog.New(slog.NewTextHandler(show.Progress, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	a, err := agent.New(agent.Options{
		Name: "reviewer", Client: client.Client, Model: opts.model, System: system, Telemetry: agent.Telemetry{Logger: logger},
		Tools:  files.Tools(root, files.Options{ReadOnly: true, MaxResultBytes: 128 << 10}),
		Limits: agent.Limits{Steps: opts.maxSteps},
	})
	if err != nil {
		return err
	}
	findings, result, err := agent.Generate[[]finding](ctx, a, agent.Input{Prompt: strings.TrimSpace("Review the Go files of this folder. " + opts.wish)})
	if err != nil {
		show.Summary(result)
		return err
	}
	findings, dropped := check(root.FS(), findings)
	if opts.json {
		encode := json.NewEncoder(out)
		encode.SetIndent("", "  ")
		encode.SetEscapeHTML(false)
		err = encode.Encode(findings)
	} else {
		err = printTable(out, findings)
	}
	if dropped > 0 {
		show.Note("%d findings are left out: the places that they name are not there", dropped)
	}
	show.Summary(result)
	return err
}
