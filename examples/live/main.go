// Live asks an endpoint of the Messages API each thing that this project only assumes,
// or takes from others (docs/wire.md §17), and tells for each whether the simulator,
// which embodies the assumptions, says the same.
//
//	WHORL_LIVE=1 go run ./examples/live -out first-meeting
//
// It takes under five minutes and at most USD 0.50; both are enforced, and -budget and
// -time set them. Two questions about the cache's lifetimes wait, and are asked with
// -time 15m only. It needs the key of an endpoint in the environment: ANTHROPIC_API_KEY,
// ANTHROPIC_AUTH_TOKEN with ANTHROPIC_BASE_URL, or COMETAPI_KEY. Without a key, or
// without WHORL_LIVE=1, it says what it would ask, and what that would cost at most.
//
// The lines "kept" tell what a gateway keeps of the API.
//
// Into the folder -out go report.md, to read or to attach to an issue;
// recording.jsonl, the exchanges; and, of the Claude API, wire.patch, which writes what
// was learned into docs/wire.md. No key and no header that identifies the account is
// written; the requests are this program's own.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.out, "out", "", "the `folder` that the report, the recording and the patch are written to; none are written without it")
	flag.StringVar(&o.only, "only", "", "ask only what has an id that begins so, such as G64 or kept")
	flag.Float64Var(&o.budget, "budget", 0.50, "what may be spent, in `USD`")
	flag.DurationVar(&o.time, "time", 5*time.Minute, "how long it may take")
	flag.StringVar(&o.wire, "wire", "docs/wire.md", "the `file` with the guesses, for the patch")
	flag.Parse()
	env, err := anthropic.EnvOptions()
	o.live = os.Getenv("WHORL_LIVE") == "1" && err == nil
	o.url, o.key, o.bearer = env.BaseURL, env.APIKey, false
	if o.key.IsZero() {
		o.key, o.bearer = env.AuthToken, true
	}
	if o.live && o.key.IsZero() {
		o.live = false
	}
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "live:", err)
		os.Exit(1)
	}
}

type options struct {
	url    string
	key    secret.Value
	bearer bool
	live   bool // ask; false says what would be asked
	out    string
	only   string
	budget float64
	time   time.Duration
	wire   string
	client *http.Client
	pause  time.Duration
	sleep  func(ctx context.Context, d time.Duration) error
	light  bool // ask nothing that sends megabytes
}

// probes are all questions, the free ones first.
func probes(only string) []probe {
	all := slices.Concat(refusals(), kept(), questions())
	return slices.DeleteFunc(all, func(p probe) bool { return !strings.HasPrefix(p.id, only) })
}

func run(ctx context.Context, w io.Writer, o options) error {
	list := slices.DeleteFunc(probes(o.only), func(p probe) bool { return o.light && p.heavy })
	if len(list) == 0 {
		return fmt.Errorf("nothing has an id that begins with %q: there are G1, G2 and so on, and kept", o.only)
	}
	if !o.live {
		return plan(w, list, o)
	}
	if o.client == nil {
		o.client = &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	host := "https://api.anthropic.com"
	if o.url != "" {
		host = o.url
	}
	// What waits on the endpoint doesn't on the simulator: its clock goes forward.
	var ahead atomic.Int64
	opts := standIn()
	opts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	sim, err := simulator.Start(opts)
	if err != nil {
		return err
	}
	defer sim.Close()
	if o.sleep == nil {
		o.sleep = sleep
	}
	r := &report{host: hostOf(host), when: time.Now()}
	nonce := fmt.Sprint(r.when.UnixNano())
	to := &endpoint{url: host, key: o.key, bearer: o.bearer, client: o.client, budget: o.budget, pause: o.pause, sleep: o.sleep, nonce: nonce, record: r.record}
	stand := &endpoint{url: sim.URL(), key: secret.New("any"), client: o.client, nonce: nonce, sleep: func(_ context.Context, d time.Duration) error {
		ahead.Add(int64(d))
		return nil
	}}

	ctx, cancel := context.WithTimeout(ctx, o.time)
	defer cancel()
	fmt.Fprintf(w, "Asking %s %d questions, for at most $%.2f and %v.\n", r.host, len(list), o.budget, o.time)
	stopped := hello(ctx, to)
	for _, p := range list {
		v := verdict{probe: p, outcome: notAsked}
		switch {
		case stopped != nil:
			v.why = "the asking had ended: " + stopped.Error()
		case p.wait > 0 && time.Until(r.when.Add(o.time)) < p.wait+30*time.Second:
			v.why = fmt.Sprintf("it takes %v: set -time 15m", p.wait)
		default:
			v, stopped = question(ctx, p, to, stand)
		}
		r.add(v)
		fmt.Fprintln(w, v.line())
	}
	if o.only == "" {
		for id, why := range unasked() {
			r.add(verdict{probe: probe{id: id}, outcome: notAsked, why: why})
		}
	}
	r.spent = to.paid()
	fmt.Fprintln(w, r.summary())
	if o.out != "" {
		if err := r.write(o.out, o.wire); err != nil {
			return err
		}
		fmt.Fprintf(w, "Written to %s.\n", o.out)
	}
	return stopped
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hello asks for one word, to see that the endpoint is one and takes the key.
func hello(ctx context.Context, to *endpoint) error {
	a, err := to.ask(ctx, "hello", ask(older, ""))
	if err != nil {
		return err
	}
	var m struct {
		Type    string
		Content []json.RawMessage
	}
	valid := json.Unmarshal(a.body, &m) == nil
	switch e := a.failure(); {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return fmt.Errorf("%w (%d: %s)", errKey, a.status, short(e.Message))
	case a.status == http.StatusOK && valid && m.Type == "message":
		return nil
	case a.status != http.StatusOK && e.Message != "":
		return nil // it speaks of errors as the API does; the questions tell the rest
	}
	return fmt.Errorf("%w: POST /v1/messages gave %d and %s", errNoAPI, a.status, short(string(a.body)))
}

// question asks one of both. The error ends all asking.
func question(ctx context.Context, p probe, to, stand *endpoint) (verdict, error) {
	v := verdict{probe: p, outcome: notAsked}
	live, err := p.put(ctx, to)
	var refused *refusedError
	var fault *faultError
	switch {
	case err == nil:
	case errors.As(err, &refused):
		live = refused.fact
	case errors.As(err, &fault), errors.Is(err, errNoMatter), errors.Is(err, errBudget), errors.Is(err, errNoAPI):
		v.why = err.Error()
		return v, nil
	case ctx.Err() != nil:
		v.why = "the time was up"
		return v, ctx.Err()
	default:
		v.why = err.Error()
		return v, err
	}
	sim, err := p.put(ctx, stand)
	if errors.As(err, &refused) {
		sim, err = refused.fact, nil
	}
	if err != nil {
		v.why = "the simulator gave no answer: " + err.Error()
		return v, nil
	}
	return compare(p, live, sim), nil
}

// plan says what would be asked, and what that would cost.
func plan(w io.Writer, list []probe, o options) error {
	usd := 0.0
	for _, p := range list {
		fmt.Fprintf(w, "%-20s at most $%.4f  %s\n", p.id, p.most(), p.ask)
		usd += p.most()
	}
	if o.only == "" {
		for _, id := range sortedIDs(unasked()) {
			fmt.Fprintf(w, "%-20s not asked: %s\n", id, unasked()[id])
		}
	}
	why := "WHORL_LIVE=1 is not set"
	if o.key.IsZero() {
		why = "there is no key: set ANTHROPIC_API_KEY or COMETAPI_KEY"
	}
	_, err := fmt.Fprintf(w, "\nNothing was asked: %s.\n%d questions would cost at most $%.2f if each were answered by a message instead of a refusal, and stop at $%.2f.\n", why, len(list), usd, o.budget)
	return err
}

// hostOf is the host of a URL, without what may be secret in it.
func hostOf(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "the endpoint"
	}
	return u.Host
}

func (r *report) write(dir, wire string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files := map[string][]byte{"report.md": r.markdown(), "recording.jsonl": r.recording()}
	if r.host == "api.anthropic.com" {
		patch, err := r.patch(wire)
		if err != nil {
			return err
		}
		files["wire.patch"] = patch
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}
