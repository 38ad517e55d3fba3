package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/whorl-go/whorl/examples/internal/flags"
)

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

func parseFlags(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("research", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&o.dir, "dir", "", "`folder` to search (default the Go source tree)")
	f.BoolVar(&o.web, "web", false, "use web search and web fetch; offline, over the pages of -pages. The folder is searched too only if -dir is given")
	f.StringVar(&o.pages, "pages", "", "`folder` of pages for -web offline (default the doc folder of the Go source tree)")
	f.StringVar(&o.model, "model", "claude-opus-5-5", "the model's id")
	f.StringVar(&o.effort, "effort", "", "low, medium, high, xhigh or max (default the model's own)")
	f.IntVar(&o.maxSteps, "max-steps", 30, "most model calls")
	f.DurationVar(&o.timeout, "timeout", 10*time.Minute, "most time")
	f.BoolVar(&o.json, "json", false, "print the events as JSON Lines; the last line is the result")
	f.Usage = func() {
		fmt.Fprintln(usage, `usage: research "question" [flags]`)
		f.PrintDefaults()
	}
	words, err := flags.Parse(f, args)
	if err != nil {
		return o, err
	}
	o.question = strings.TrimSpace(strings.Join(words, " "))
	if o.question == "" {
		f.Usage()
		return o, errors.New("there is no question; put it in quotes")
	}
	return o, nil
}
