package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/whorl-go/whorl/agent/policy"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/calc"
	"github.com/whorl-go/whorl/tools/corpus"
	"github.com/whorl-go/whorl/tools/fetch"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/tools/notes"
	"github.com/whorl-go/whorl/tools/shell"
	"github.com/whorl-go/whorl/tools/todo"
)

// A toolbox is the assistant's tools and what has to be closed after them.
type toolbox struct {
	tools     []tools.Tool
	sandboxed bool // commands run in a sandbox
	closers   []func() error
}

func (b *toolbox) close() {
	for _, c := range b.closers {
		_ = c() // nothing is left to be written
	}
}

func openToolbox(opts options, show *terminal.Printer) (_ *toolbox, err error) {
	b := &toolbox{}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	folder, err := os.OpenRoot(opts.dir)
	if err != nil {
		return nil, fmt.Errorf("folder to work on: %w", err)
	}
	b.closers = append(b.closers, folder.Close)

	memories := filepath.Join(opts.home, "notes")
	if err := os.MkdirAll(memories, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(memories)
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, root.Close)

	b.tools = append(b.tools, tools.AskUser(tools.AskOptions{}), todo.New(), calc.New(calc.Options{}), corpus.Tool("search_words", opts.dir))
	b.tools = append(b.tools, files.Tools(folder, files.Options{})...)
	b.tools = append(b.tools, notes.New(root, notes.Options{}).Tool(), fetch.New(fetch.Options{}).Tool())

	bash, err := shell.New(shell.Options{Dir: opts.dir})
	if b.sandboxed = err == nil; !b.sandboxed {
		bash, err = shell.New(shell.Options{Dir: opts.dir, Confinement: shell.AskFirst})
	}
	if err != nil {
		show.Note("no commands can be run here: %v", err)
		return b, nil
	}
	b.tools = append(b.tools, bash.Tool())
	return b, nil
}

// policy makes the rules that tool calls are judged by. The first that decides counts.
func (b *toolbox) policy(opts options, always []policy.Rule) policy.Options {
	var o policy.Options
	for _, expr := range opts.deny {
		o.Rules = append(o.Rules, policy.Rule{Name: "-deny " + expr, Expr: expr, Then: policy.Deny, Reason: "the user's rules forbid this call"})
	}
	for _, expr := range opts.allow {
		o.Rules = append(o.Rules, policy.Rule{Name: "-allow " + expr, Expr: expr, Then: policy.Allow})
	}
	o.Rules = append(o.Rules, policy.Rule{Name: "looking", Expr: `read_only || tool == "ask_user" || tool == "todo" || tool == "memory" && args.command == "view"`, Then: policy.Allow})
	switch opts.mode {
	case modeLook:
		o.Rules = append(o.Rules, policy.Rule{Name: "-policy look", Expr: "true", Then: policy.Deny, Reason: "you may only look here, not change or run anything"})
	case modeAsk:
		o.Rules = append(o.Rules, always...)
		o.Rules = append(o.Rules, policy.Rule{Name: "own notes", Expr: `tool == "memory"`, Then: policy.Allow})
		o.Default = policy.Ask
	case modeTrust:
		if !b.sandboxed {
			o.Rules = append(o.Rules, always...)
			o.Rules = append(o.Rules, policy.Rule{Name: "no sandbox", Expr: `tool == "bash"`, Then: policy.Ask, Reason: "commands run without a sandbox here"})
		}
		o.Default = policy.Allow
	}
	return o
}
