package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/memory/postgres/pgserver"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/simulator"
)

type config struct {
	Store, URL             string
	Kills, Steps, Calls    int
	Parallel               int
	Within                 time.Duration
	Seed                   uint64
	program, folder, place string
	service                string
}

// findings are what a run of the test comes to. All but the first group should be zero.
type findings struct {
	Kills    int     `json:"kills"`
	Sessions int     `json:"sessions"`
	Records  int     `json:"records"`
	Requests int     `json:"requests"`
	Effects  int     `json:"effects"`
	Unknown  int     `json:"outcomes_told_as_unknown"`
	Again    int     `json:"repeatable_effects_had_again"`
	Seconds  float64 `json:"seconds"`

	Lost    int `json:"records_lost_or_changed"`
	Refused int `json:"requests_refused"`
	Twice   int `json:"effects_had_twice"`
	Wrong   int `json:"results_that_are_not_true"`
	Failed  int `json:"processes_that_failed"`
}

func (f *findings) bad() bool { return f.Lost+f.Refused+f.Twice+f.Wrong+f.Failed > 0 }

// A harness kills children until it has killed enough.
type harness struct {
	config
	store memory.Store
	random

	mu       sync.Mutex
	findings findings
	why      []string
}

type random struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (r *random) within(d time.Duration) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.rng.Int64N(int64(d)))
}

// run does the whole test. Its error says what is wrong.
func run(c config) (found findings, err error) {
	ctx := context.Background()
	began := time.Now()
	h := &harness{config: c, random: random{rng: rand.New(rand.NewPCG(c.Seed, 1))}}
	if h.program, err = os.Executable(); err != nil {
		return found, err
	}
	if h.folder, err = os.MkdirTemp("", "killtest"); err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.folder)) }()
	h.place = filepath.Join(h.folder, "sessions.db")
	if c.Store == "postgres" {
		if h.place = c.URL; h.place == "" {
			server, err := pgserver.Start()
			if err != nil {
				return found, err
			}
			defer server.Stop()
			h.place = server.URL
		}
	}
	store, stop, err := openStore(ctx, c.Store, h.place)
	if err != nil {
		return found, err
	}
	defer stop()
	h.store = store
	sim, err := simulator.Start(simulator.Options{Model: simulator.ModelFunc(h.respond), Observe: h.observe})
	if err != nil {
		return found, err
	}
	defer sim.Close()
	h.service = sim.URL()

	var wg sync.WaitGroup
	for w := range c.Parallel {
		wg.Go(func() {
			for n := 0; h.goesOn(); n++ {
				if err := h.session(ctx, fmt.Sprintf("%d-%d", w, n)); err != nil {
					h.note(&h.findings.Failed, "session %d-%d: %v", w, n, err)
				}
			}
		})
	}
	wg.Wait()
	h.findings.Seconds = time.Since(began).Seconds()
	if h.findings.bad() {
		err = fmt.Errorf("%s", strings.Join(h.why, "\n"))
	}
	return h.findings, err
}

// goesOn reports whether there is more to kill, and nothing was found yet.
func (h *harness) goesOn() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.findings.Kills < h.Kills && !h.findings.bad()
}

// note counts something that is wrong.
func (h *harness) note(n *int, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*n++
	h.why = append(h.why, fmt.Sprintf(format, args...))
}

func (h *harness) observe(ex simulator.Exchange) {
	h.mu.Lock()
	h.findings.Requests++
	h.mu.Unlock()
	// A process that is killed while it sends leaves half a request: no refusal.
	if ex.Refusal != nil && ex.Refusal.Status < 500 && !strings.Contains(ex.Refusal.Message, "could not be read") {
		h.note(&h.findings.Refused, "request refused: %v", ex.Refusal)
	}
}

// respond is the model: it thinks, and asks for tools in parallel, until it has
// had its steps.
func (h *harness) respond(_ context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	step := 0
	for _, m := range turn.Messages {
		if m.Role == transport.RoleAssistant {
			step++
		}
	}
	reply := &simulator.Reply{Content: []simulator.Part{simulator.Thinking(fmt.Sprintf("Step %d.", step))}}
	if !turn.Thinking {
		reply.Content = nil
	}
	if step >= h.Steps {
		reply.Content = append(reply.Content, simulator.Text("All done."))
		return reply, nil
	}
	for i := range h.Calls {
		reply.Content = append(reply.Content, simulator.Call([]string{"charge", "charge", "put"}[i%3], effect{step, i}))
	}
	return reply, nil
}

// session has children work on a session, and kills them, until one is done.
func (h *harness) session(ctx context.Context, id string) error {
	t := task{Store: h.Store, Place: h.place, Session: id, Service: h.service, Ledger: filepath.Join(h.folder, id+".ledger")}
	var seen snapshot
	for within := h.Within; ; {
		sure, killed, err := h.child(t, h.within(within))
		if err != nil {
			return err
		}
		h.mu.Lock()
		if killed {
			h.findings.Kills++
		}
		h.mu.Unlock()
		now, err := take(ctx, h.store, id)
		if err != nil {
			return err
		}
		if why := seen.lost(now, sure); why != "" {
			h.note(&h.findings.Lost, "session %s: %s", id, why)
		}
		if !killed {
			return h.check(ctx, t, now)
		}
		// On a busy machine a process may not get anywhere in its time.
		if within *= 2; len(now) > len(seen) {
			within = h.Within
		}
		seen = now
	}
}

// child runs a child, and kills it if it isn't done in that time. sure is how
// many records it said are in the session.
func (h *harness) child(t task, limit time.Duration) (sure int, killed bool, err error) {
	data, err := json.Marshal(t)
	if err != nil {
		return 0, false, err
	}
	cmd := exec.Command(h.program)
	cmd.Env = append(os.Environ(), childEnv+"="+string(data))
	var failure strings.Builder
	cmd.Stderr = &failure
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, false, err
	}
	if err := cmd.Start(); err != nil {
		return 0, false, err
	}
	kill := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	defer kill.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			sure = n
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 { // a signal
		return sure, true, nil
	}
	if err != nil {
		return sure, false, fmt.Errorf("%w: %s", err, failure.String())
	}
	return sure, false, nil
}

// A snapshot is what was in a session at some time: a hash of each beginning of it.
type snapshot [][sha256.Size]byte

func take(ctx context.Context, store memory.Store, id string) (snapshot, error) {
	var s snapshot
	h := sha256.New()
	for r, err := range store.Load(ctx, id, memory.Position{}) {
		if errors.Is(err, memory.ErrNoSession) {
			return nil, nil // killed before it began
		}
		if err != nil {
			return nil, err
		}
		line, err := r.AppendJSON(nil)
		if err != nil {
			return nil, err
		}
		h.Write(line)
		s = append(s, [sha256.Size]byte(h.Sum(nil)))
	}
	return s, nil
}

// lost compares what there is now with what there was.
func (s snapshot) lost(now snapshot, sure int) string {
	switch {
	case len(now) < sure:
		return fmt.Sprintf("%d records were told to be in the session, %d are", sure, len(now))
	case len(now) < len(s):
		return fmt.Sprintf("there were %d records, now there are %d", len(s), len(now))
	case len(s) > 0 && s[len(s)-1] != now[len(s)-1]:
		return "records have changed"
	}
	return ""
}

// check compares the results of a finished session with the ledger, and has the
// simulator take the whole conversation once more.
func (h *harness) check(ctx context.Context, t task, now snapshot) error {
	log, err := memory.Open(ctx, h.store, t.Session)
	if err != nil {
		return err
	}
	effects, err := readLedger(t.Ledger)
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.findings.Sessions++
	h.findings.Records += len(now)
	h.mu.Unlock()
	answered := 0
	for _, r := range log.Records(0) {
		if r.Kind != memory.KindResult {
			continue
		}
		answered++
		id := r.Block.ToolUseID()
		had := effects[id]
		unknown := strings.Contains(string(r.Block.Raw()), "outcome of this call is unknown")
		h.mu.Lock()
		h.findings.Effects += had.times
		if unknown {
			h.findings.Unknown++
		}
		if had.tool == "put" {
			h.findings.Again += had.times - 1
		}
		h.mu.Unlock()
		if had.times > 1 && had.tool != "put" {
			h.note(&h.findings.Twice, "session %s: call %s had its effect %d times", t.Session, id, had.times)
		}
		if !unknown && had.times == 0 {
			h.note(&h.findings.Wrong, "session %s: call %s has the result %s and had no effect", t.Session, id, r.Block.Raw())
		}
	}
	if want := h.Steps * h.Calls; answered != want || !strings.HasSuffix(log.State().Response.Text(), "All done.") {
		h.note(&h.findings.Wrong, "session %s: %d calls have results, want %d; it ends with %q", t.Session, answered, want, log.State().Response.Text())
	}
	a, err := newAgent(h.service, t.Ledger)
	if err != nil {
		return err
	}
	_, err = a.Run(ctx, agent.Input{Log: log, Prompt: "Is all well?"})
	return err
}

type had struct {
	tool  string
	times int
}

func readLedger(path string) (map[string]had, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	effects := map[string]had{}
	for line := range strings.Lines(string(data)) {
		var tool, id string
		if _, err := fmt.Sscan(line, &tool, &id); err != nil && err != io.EOF {
			return nil, fmt.Errorf("ledger: %q: %w", line, err)
		}
		effects[id] = had{tool, effects[id].times + 1}
	}
	return effects, nil
}
