// Assistant is an assistant in the terminal that works on the files of a folder.
// It keeps its sessions in a file, asks before it changes anything, and shows
// what each turn cost.
//
//	go run ./examples/assistant
//	go run ./examples/assistant -inspect :8100 "How is a run resumed?"
//
// Without a key in the environment it runs offline, on a simulator of the
// Messages API. Its model answers questions in the words of what it finds in the
// folder, and takes plain orders such as "calculate 0.1 + 0.2", "remember that
// the demo is on Friday", "write plan.md: buy milk" and "run ls -l", one per
// line. With ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, ANTHROPIC_BASE_URL or
// COMETAPI_KEY set, the same program runs on the real service.
//
// What to look at: a run that ends where a call waits for approval and goes on
// from the log once it is decided, in this process or the next (turn.go);
// sessions (sessions.go); rules on tool calls (toolbox.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/feed"
	"github.com/whorl-go/whorl/agent/policy"
	"github.com/whorl-go/whorl/agent/visible"
	"github.com/whorl-go/whorl/examples/assistant/offline"
	"github.com/whorl-go/whorl/examples/internal/line"
	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/sqlite"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

const system = `You are an assistant in a terminal, and work on the files of the user's folder with your tools. ` +
	`Look before you answer, and say where you found it, as path:line. Do what was asked and no more. ` +
	`The user is asked before a tool changes something; if they deny a call, don't try it another way. Be brief.`

func main() {
	opts, err := parseFlags(os.Args[1:], os.Stderr)
	if err == nil {
		show := terminal.New()
		show.Wrap(line.Width())
		in := line.NewInput(os.Stdin, show.Progress, line.OpenHistory(filepath.Join(opts.home, "history")))
		err = assist(context.Background(), opts, in, show)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "assistant:", visible.Text(err.Error()))
		os.Exit(1)
	}
}

// An assistant is the program while it runs.
type assistant struct {
	opts   options
	in     *line.Input
	show   *terminal.Printer
	store  memory.Store
	client transport.Client
	box    *toolbox

	always []policy.Rule // what the user has allowed for good
	live   feed.Feed     // lets the page show what is being written

	mu    sync.Mutex // held to set what follows, which the page reads
	agent *agent.Agent
	log   *memory.Log // the session
}

// use sets the session.
func (a *assistant) use(log *memory.Log) {
	a.mu.Lock()
	a.log = log
	a.mu.Unlock()
}

// current is what the page has to know.
func (a *assistant) current() (_ *agent.Agent, session string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.agent, a.log.ID()
}

// assist talks to the user until the input ends.
func assist(ctx context.Context, opts options, in *line.Input, show *terminal.Printer) error {
	if err := os.MkdirAll(opts.home, 0o700); err != nil {
		return err
	}
	store, err := sqlite.Open(filepath.Join(opts.home, "sessions.db"), nil)
	if err != nil {
		return err
	}
	defer store.Close()
	box, err := openToolbox(opts, show)
	if err != nil {
		return err
	}
	defer box.close()
	client, err := service.Connect(offline.Model{})
	if err != nil {
		return err
	}
	defer client.Close()
	if show.Offline = client.Offline; show.Offline {
		show.Note("No API key is set: running offline. A simulated model takes plain orders (try: help) and quotes what it finds.")
	}
	a := &assistant{opts: opts, in: in, show: show, store: store, client: client.Client, box: box}
	if err := a.build(); err != nil {
		return err
	}
	if err := a.begin(ctx); err != nil {
		return err
	}
	if opts.inspect != "" {
		page, err := a.openPage(ctx, opts.inspect)
		if err != nil {
			return err
		}
		defer page.close()
	}
	return a.talk(ctx)
}

// build makes the agent that the options, and what was allowed meanwhile, ask for.
func (a *assistant) build() error {
	rules, err := policy.New(a.box.policy(a.opts, a.always))
	if err != nil {
		return err
	}
	built, err := agent.New(agent.Options{
		Name: "assistant", Client: a.client, Model: a.opts.model, System: system, Tools: a.box.tools,
		Thinking: thinking(a.opts.model), Gate: rules.Gate(),
		Limits: agent.Limits{Steps: a.opts.maxSteps},
	})
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.agent = built
	a.mu.Unlock()
	return nil
}

// thinking asks for thinking that can be read, where the model takes that.
func thinking(model string) *transport.Thinking {
	if m, ok := models.Lookup(model); ok && m.Thinking.Adaptive == models.Supported {
		return &transport.Thinking{Type: "adaptive", Display: "summarized"}
	}
	return nil
}
