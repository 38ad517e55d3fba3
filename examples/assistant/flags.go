package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/whorl-go/whorl/examples/internal/flags"
)

// options are the program's flags.
type options struct {
	prompt   string // the first one
	dir      string
	home     string
	model    string
	maxSteps int
	resume   string
	last     bool
	mode     string
	allow    []string
	deny     []string
	inspect  string
}

// The values of -policy.
const (
	modeAsk   = "ask"
	modeTrust = "trust"
	modeLook  = "look"
)

var modes = []string{modeAsk, modeTrust, modeLook}

func parseFlags(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("assistant", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&o.dir, "dir", ".", "folder to work on")
	f.StringVar(&o.home, "home", "", "folder for sessions, notes and the history (default whorl-assistant in the user's configuration folder)")
	f.StringVar(&o.model, "model", "claude-opus-5-5", "the model's id")
	f.IntVar(&o.maxSteps, "max-steps", 50, "most model calls in a turn")
	f.StringVar(&o.resume, "resume", "", "go on with the session of this id, or of the only one that begins so")
	f.BoolVar(&o.last, "continue", false, "go on with the newest session")
	f.StringVar(&o.mode, "policy", modeAsk, "ask before changes, trust the assistant with them, or let it look only")
	f.Func("allow", "`rule` for calls that are allowed unasked, such as 'tool == \"bash\" && args.command startsWith \"go \"'; may be repeated", collect(&o.allow))
	f.Func("deny", "`rule` for calls that are denied, whatever else allows them; may be repeated", collect(&o.deny))
	f.StringVar(&o.inspect, "inspect", "", "serve a page that shows the sessions on this address, such as :8100")
	f.Usage = func() {
		fmt.Fprintln(usage, `usage: assistant ["first prompt"] [flags]`)
		f.PrintDefaults()
	}
	words, err := flags.Parse(f, args)
	if err != nil {
		return o, err
	}
	o.prompt = strings.TrimSpace(strings.Join(words, " "))
	if !slices.Contains(modes, o.mode) {
		return o, fmt.Errorf("-policy %s: there are %s", o.mode, strings.Join(modes, ", "))
	}
	if o.last && o.resume != "" {
		return o, errors.New("-continue and -resume exclude each other")
	}
	if o.home == "" {
		config, err := os.UserConfigDir()
		if err != nil {
			return o, fmt.Errorf("%w; name a folder with -home", err)
		}
		o.home = filepath.Join(config, "whorl-assistant")
	}
	return o, nil
}

func collect(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}
