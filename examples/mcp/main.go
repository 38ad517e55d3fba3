// Mcp is an agent whose tools come from a server of the Model Context Protocol,
// and such a server itself.
//
//	cd examples/mcp   (or begin with: go -C examples/mcp run . …)
//	go run . -dir ../.. "How is a run resumed after a kill?"
//	go run . -server "npx -y @modelcontextprotocol/server-filesystem /srv/docs" "What is in there?"
//	go run . -http https://example.com/mcp "What can you do?"
//	go run . -serve ../..
//
// Without -server or -http the program starts itself with -serve, and the two
// talk over standard input and output. The user is asked before a tool of any
// other server is called. With -serve it is a server that any MCP
// client can use, a desktop assistant for instance: it searches and reads a
// folder.
//
// Without a key in the environment the model is a simulated one, which answers
// in the words of what it finds. With ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN,
// ANTHROPIC_BASE_URL or COMETAPI_KEY set, the same program runs on the real
// service. It is a module of its own, because of the MCP SDK.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/examples/internal/flags"
	"github.com/whorl-go/whorl/examples/internal/line"
	"github.com/whorl-go/whorl/examples/internal/reader"
	"github.com/whorl-go/whorl/examples/internal/service"
	"github.com/whorl-go/whorl/examples/internal/terminal"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/tools/calc"
	"github.com/whorl-go/whorl/tools/corpus"
	"github.com/whorl-go/whorl/tools/files"
	"github.com/whorl-go/whorl/tools/mcp"
)

const system = `Answer with what your tools tell. Support each statement with the place it rests on, as path:line.`

type options struct {
	serve    string
	dir      string
	server   string
	endpoint string
	model    string
	question string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	opts, err := parseFlags(os.Args[1:], os.Stderr)
	switch {
	case err != nil:
	case opts.serve != "":
		err = serve(ctx, opts.serve, &sdk.StdioTransport{})
	default:
		show := terminal.New()
		show.Wrap(line.Width())
		err = ask(ctx, opts, line.NewInput(os.Stdin, show.Progress, nil), show)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "mcp:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("mcp", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&o.serve, "serve", "", "be the server: offer this folder on standard input and output")
	f.StringVar(&o.dir, "dir", ".", "folder that the program's own server offers")
	f.StringVar(&o.server, "server", "", "command of another server, its words apart by spaces")
	f.StringVar(&o.endpoint, "http", "", "URL of another server, which speaks streamable HTTP")
	f.StringVar(&o.model, "model", "claude-opus-5-5", "the model's id")
	words, err := flags.Parse(f, args)
	if err != nil {
		return o, err
	}
	if o.question = strings.Join(words, " "); o.question == "" && o.serve == "" {
		return o, errors.New("there is no question; put it in quotes")
	}
	return o, nil
}

// serve offers tools over a folder to the client at the other end, until it goes.
func serve(ctx context.Context, dir string, transport sdk.Transport) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	set := append([]tools.Tool{calc.New(calc.Options{}), corpus.Tool("search_words", dir)}, files.Tools(root, files.Options{ReadOnly: true})...)
	server, err := mcp.Serve("whorl-folder", "1", set...)
	if err != nil {
		return err
	}
	return server.Run(ctx, transport)
}

// connect reaches the server that the flags name. Calls of a server that isn't
// the program's own wait for approval, whatever it says of its tools.
func connect(ctx context.Context, opts options) (*mcp.Client, error) {
	o := mcp.Options{Prefix: "server_", Traits: func(*sdk.Tool) tools.Traits { return tools.Traits{NeedsApproval: true} }}
	if opts.endpoint != "" {
		return mcp.HTTP(ctx, opts.endpoint, nil, o)
	}
	words := strings.Fields(opts.server)
	if len(words) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		words = []string{self, "-serve", opts.dir}
		// Its own server can be believed what it says of its tools. Calls of tools that
		// only read start while the model still writes.
		o.Traits = func(t *sdk.Tool) tools.Traits {
			return tools.Traits{ReadOnly: t.Annotations.ReadOnlyHint, Repeatable: t.Annotations.IdempotentHint}
		}
	}
	return mcp.Command(ctx, func() *exec.Cmd {
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")} // the keys stay here
		cmd.Stderr = os.Stderr
		return cmd
	}, o)
}

// ask shows the server's tools, and asks an agent that has them.
func ask(ctx context.Context, opts options, in *line.Input, show *terminal.Printer) error {
	server, err := connect(ctx, opts)
	if err != nil {
		return err
	}
	defer server.Close()
	set, err := server.Tools(ctx)
	if err != nil {
		return err
	}
	show.Heading("the server's tools")
	for _, t := range set {
		if def, err := t.Definition(); err == nil { // agent.New reports an error
			show.Line("  %s", def.Name())
		}
	}
	client, err := service.Connect(reader.Reader{})
	if err != nil {
		return err
	}
	defer client.Close()
	if show.Offline = client.Offline; show.Offline {
		show.Note("No API key is set: running offline. A simulated model reads and quotes; set ANTHROPIC_API_KEY for a real one.")
	}
	a, err := agent.New(agent.Options{
		Name: "mcp", Client: client.Client, Model: opts.model, System: system, Tools: set,
		Approver: func(_ context.Context, c agent.PendingCall) (agent.Decision, error) {
			show.Heading("%s(%s)", c.Name, terminal.Brief([]byte(c.Input), 1000))
			answer, err := in.Answer("  run it, yes or no? ", "")
			if strings.HasPrefix(answer, "y") {
				return agent.Decision{Permission: agent.Allow}, err
			}
			return agent.Decision{Permission: agent.Deny, Reason: "the user said no"}, err
		},
	})
	if err != nil {
		return err
	}
	run := a.NewRun(agent.Input{Prompt: opts.question})
	for ev, err := range run.Events(ctx) {
		if err == nil { // run.Result has the error too
			show.Event(ev)
		}
	}
	result, err := run.Result()
	show.Summary(result)
	return err
}
