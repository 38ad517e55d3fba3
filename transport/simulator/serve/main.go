// Command serve runs the simulator as a server, for clients in any language:
//
//	go run ./transport/simulator/serve -model chatty -seed 7 -faults 0.05
//
// It prints one line per request, with its cost and its use of the cache. It accepts any
// key unless -key names one.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/simulator/platforms"
)

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8090", "address to listen on")
	model := flags.String("model", "chatty", "chatty, echo, loop:TURNSxPARALLEL, or a JSON file of replies, of which each conversation gets the n-th at its n-th step")
	seed := flags.Uint64("seed", 1, "seed of ids and of all that is drawn by lot")
	faults := flags.Float64("faults", 0, "share of requests, 0 to 1, that something goes wrong with")
	key := flags.String("key", "", "the one API key that is taken; empty takes any")
	pages := flags.String("pages", "", "folder of the pages that web_search and web_fetch know")
	record := flags.String("record", "", "folder that cassettes are written to, one per conversation")
	quiet := flags.Bool("quiet", false, "print no line per request")
	oldAccount := flags.Bool("old-account", false, "bind thinking to its prefix only where a request asks for it")
	platform := flags.String("platform", "", "host that is played: empty for the Claude API, cometapi, bedrock, bedrock-messages, aws, vertex, googlecloud or foundry")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("the argument %q is not a flag; all settings are flags, see -help", flags.Arg(0))
	}
	if !(*faults >= 0 && *faults <= 1) {
		return fmt.Errorf("-faults %v: must be between 0 and 1", *faults)
	}
	opts := simulator.Options{Seed: *seed, FaultRate: *faults, APIKey: *key, OldAccount: *oldAccount}
	cloud := slices.Contains(platforms.All(), platforms.Platform(*platform))
	switch p := simulator.Platform(*platform); {
	case cloud:
		opts.APIKey = "" // the front checks it
	case p == "" || p == simulator.PlatformCometAPI:
		opts.Platform = p
	default:
		return fmt.Errorf("-platform %s: unknown host; leave the flag out for the Claude API, or use %s or one of %v", *platform, simulator.PlatformCometAPI, platforms.All())
	}
	var err error
	if opts.Model, err = modelFor(*model); err != nil {
		return err
	}
	if *pages != "" {
		if info, err := os.Stat(*pages); err != nil || !info.IsDir() {
			return fmt.Errorf("-pages %s: not a folder", *pages)
		}
		opts.Pages = os.DirFS(*pages)
	}
	if !*quiet {
		var mu sync.Mutex
		opts.Observe = func(ex simulator.Exchange) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Println(line(ex))
		}
	}
	var handler http.Handler = simulator.New(opts)
	if *record != "" {
		if handler, err = newRecorder(*record, handler); err != nil {
			return err
		}
	}
	if cloud {
		if handler, err = platforms.New(platforms.Options{Platform: platforms.Platform(*platform), Next: handler, Token: *key}); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "serving the Messages API on http://%s (model %s, seed %d)\n", listener.Addr(), *model, *seed)
	if !cloud {
		fmt.Fprintf(os.Stderr, "for most clients: export ANTHROPIC_BASE_URL=http://%s ANTHROPIC_API_KEY=%s\n", listener.Addr(), cmp.Or(*key, "any"))
	}
	server := &http.Server{Handler: withFrontPage(handler), ReadHeaderTimeout: time.Minute}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// withFrontPage tells somebody who looks at the server with a browser, or asks
// whether it is up, what it is.
func withFrontPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost && req.URL.Path == "/" {
			fmt.Fprintln(w, "A simulator of the Messages API. POST to /v1/messages with any x-api-key; /v1/models lists the models.")
			return
		}
		next.ServeHTTP(w, req)
	})
}

// modelFor makes the model that a flag names.
func modelFor(name string) (simulator.Model, error) {
	switch name {
	case "chatty":
		return simulator.Chatty{}, nil
	case "echo":
		return simulator.Echo{}, nil
	}
	if shape, ok := strings.CutPrefix(name, "loop:"); ok {
		var l simulator.Loop
		if _, err := fmt.Sscanf(shape, "%dx%d", &l.Turns, &l.Parallel); err != nil {
			return nil, fmt.Errorf("-model %s: must be like loop:50x1, which is 50 steps of 1 call", name)
		}
		return l, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("-model %s: not chatty, echo, loop:NxP or a file: %w", name, err)
	}
	replies, err := simulator.ParseReplies(data)
	if err != nil {
		return nil, fmt.Errorf("-model %s: %w", name, err)
	}
	return simulator.Dialogue(replies...), nil
}

// line reports a request in one line.
func line(ex simulator.Exchange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %d", ex.Start.Format("15:04:05.000"), ex.Method, ex.Path, ex.Status)
	if ex.Model != "" {
		form := "whole"
		if ex.Stream {
			form = "stream"
		}
		fmt.Fprintf(&b, " %s %s, %d messages", ex.Model, form, ex.Messages)
	}
	if u := ex.Usage; ex.Refusal == nil && ex.StopReason != "" {
		fmt.Fprintf(&b, " -> %s; tokens: %d new, %d read, %d written", ex.StopReason, u.InputTokens, u.CacheReadInputTokens, u.CacheCreationInputTokens)
		if n := u.CacheCreation.Ephemeral1hInputTokens; n > 0 {
			fmt.Fprintf(&b, " (%d for 1h)", n)
		}
		fmt.Fprintf(&b, ", %d out; $%.6f; cache: %s", u.OutputTokens, ex.Cost, cacheWord(ex))
	}
	if ex.Refusal != nil {
		fmt.Fprintf(&b, " -> %s: %s", ex.Refusal.Type, ex.Refusal.Message)
	}
	if ex.Fault != (simulator.Fault{}) {
		fmt.Fprintf(&b, "; fault: %s", ex.Fault)
	}
	fmt.Fprintf(&b, "; %s", ex.Duration.Round(10*time.Microsecond))
	return b.String()
}

// cacheWord says what the cache did.
func cacheWord(ex simulator.Exchange) string {
	read, written := ex.Usage.CacheReadInputTokens > 0, ex.Usage.CacheCreationInputTokens > 0
	switch {
	case read && written:
		return "hit, extended"
	case read:
		return "hit"
	case written:
		return "miss, written"
	case ex.TooShort:
		return "marked, but shorter than the model's minimum"
	}
	return "not used"
}
