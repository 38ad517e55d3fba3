package simulator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A witness is a Model that looks at what it is sent: the history of a
// conversation has to grow from one request to the next without any change.
// Only a refused turn may be taken back.
type witness struct {
	simulator.Model
	mu       sync.Mutex
	seen     map[uint64][]byte // by the turn's seed: the history so far
	problems []string
}

func (w *witness) Respond(ctx context.Context, turn *simulator.Turn) (*simulator.Reply, error) {
	if turn.Step == 0 {
		w.look(turn)
	}
	reply, err := w.Model.Respond(ctx, turn)
	if reply != nil && reply.StopReason == transport.StopRefusal {
		w.mu.Lock()
		delete(w.seen, turn.Seed)
		w.mu.Unlock()
	}
	return reply, err
}

var mark = regexp.MustCompile(`,"cache_control":\{[^}]*\}`)

func (w *witness) look(turn *simulator.Turn) {
	var history []byte
	for i, m := range turn.Messages {
		if i == len(turn.Messages)-1 && m.Role == transport.RoleAssistant {
			break // a paused turn, which this response goes on with
		}
		history = m.AppendJSON(history)
	}
	history = mark.ReplaceAll(history, nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	if before := w.seen[turn.Seed]; !bytes.HasPrefix(history, before) {
		i := 0
		for i < min(len(before), len(history)) && before[i] == history[i] {
			i++
		}
		w.problems = append(w.problems, fmt.Sprintf("the history changed from byte %d on:\n%.500s\n%.500s", i, before[max(0, i-100):], history[max(0, i-100):]))
	}
	w.seen[turn.Seed] = history
}

// soakRequests is how many requests the soak test makes: WHORL_SOAK, or 2,000,
// or 300 with -short. CI runs it with WHORL_SOAK=10000.
func soakRequests(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("WHORL_SOAK")); err == nil {
		return n
	}
	if testing.Short() {
		return 300
	}
	return 2_000
}

type lookupInput struct {
	Query string            `json:"query"`
	Limit int64             `json:"limit,omitempty"`
	Tags  map[string]string `json:"tags,omitempty"`
	Deep  []struct {
		Path  string  `json:"path"`
		Score float64 `json:"score"`
	} `json:"deep,omitempty"`
}

// TestSoakOfClientAndLoop runs Whorl's own client and loop against the chatty
// model with faults in 5 of 100 requests, as often as soakRequests says.
// Nothing that Whorl sends may be refused, no block may be
// lost or changed, and no goroutine may be left.
func TestSoakOfClientAndLoop(t *testing.T) {
	want := soakRequests(t)
	t.Run("every block is kept", func(t *testing.T) { soak(t, want*8/10, true) })
	t.Run("refusals and reasons that nobody knows", func(t *testing.T) { soak(t, want*2/10, false) })
}

// A ledger counts what the simulator sent and what the logs hold.
type ledger struct {
	requests, faults, refusals, conversations atomic.Int64

	mu   sync.Mutex
	sent map[string]bool // blocks of whole responses
	kept map[string]bool // blocks of the model in the logs
}

func (l *ledger) observe(t *testing.T, ex simulator.Exchange) {
	l.requests.Add(1)
	if ex.Fault != (simulator.Fault{}) {
		l.faults.Add(1)
		return
	}
	if ex.Refusal != nil {
		l.refusals.Add(1)
		t.Errorf("refused: %v", ex.Refusal)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range ex.Content {
		if text := (transport.Message{Content: []transport.Block{b}}).Text(); b.Type() != "text" || strings.TrimSpace(text) != "" {
			l.sent[string(b.Raw())] = true
		}
	}
}

func soak(t *testing.T, want int, tame bool) {
	defer goleak.VerifyNone(t)
	l := &ledger{sent: map[string]bool{}, kept: map[string]bool{}}
	w := &witness{Model: simulator.Chatty{Tame: tame}, seen: map[uint64][]byte{}}
	sim := simulator.StartTest(t, simulator.Options{
		Seed: 11, Model: w, FaultRate: 0.05,
		Pages:   fstest.MapFS{"index.html": {Data: []byte("<title>Index</title><p>Straßenbahn, naïve café and more.</p>")}},
		Observe: func(ex simulator.Exchange) { l.observe(t, ex) },
	})
	httpClient := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	defer httpClient.CloseIdleConnections()
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures(), HTTPClient: httpClient})
	if err != nil {
		t.Fatal(err)
	}
	lookup := tools.Func("lookup", "Looks something up.", func(ctx context.Context, in lookupInput) (string, error) {
		if len(in.Query)%7 == 0 {
			return "", errors.New("nothing found; try another query")
		}
		return "found " + strings.Repeat("text ", len(in.Query)%50), nil
	})
	var wg sync.WaitGroup
	for range 48 {
		wg.Go(func() {
			for l.requests.Load() < int64(want) {
				log := converse(t, client, lookup, l.conversations.Add(1))
				l.mu.Lock()
				for _, m := range log.Messages() {
					for _, b := range m.Content {
						l.kept[string(b.Raw())] = true
					}
				}
				l.mu.Unlock()
			}
		})
	}
	wg.Wait()
	sim.Close()
	for _, problem := range w.problems[:min(3, len(w.problems))] {
		t.Error(problem)
	}
	if tame {
		for b := range l.sent {
			if !l.kept[b] {
				t.Errorf("lost: %.300s", b)
			}
		}
	}
	t.Logf("%d requests in %d conversations, %d faults, %d refusals, %d different blocks sent whole",
		l.requests.Load(), l.conversations.Load(), l.faults.Load(), l.refusals.Load(), len(l.sent))
	if l.faults.Load() == 0 || len(l.sent) == 0 {
		t.Error("nothing was tested")
	}
}

// converse has a conversation of three turns and returns its log.
func converse(t *testing.T, client transport.Client, lookup tools.Tool, n int64) *memory.Log {
	models := []string{"claude-opus-5-5", "claude-sonnet-5", "claude-haiku-4-5"}
	log := memory.NewLog()
	opts := agent.Options{Client: client, Model: models[n%3], MaxTokens: 4000, System: "Be thorough.", Tools: []tools.Tool{lookup}}
	if n%2 == 0 {
		opts.Tools = append(opts.Tools, tools.WebSearch{}, tools.WebFetch{})
	}
	a, err := agent.New(opts)
	if err != nil {
		t.Error(err)
		return log
	}
	for turn := range 3 {
		text := fmt.Sprintf("Conversation %d, turn %d: what about https://pages.example/index.html?", n, turn)
		result, err := a.Run(context.Background(), agent.Input{Log: log, Prompt: text})
		for try := 0; try < 5 && errors.As(err, new(*transport.StreamError)); try++ {
			// A turn that a fault has cut off is gone on with before the user speaks again.
			result, err = a.Run(context.Background(), agent.Input{Log: result.Log})
		}
		var api *transport.Error
		switch {
		case err == nil, errors.As(err, new(*agent.StopError)), errors.As(err, new(*agent.LimitError)), errors.As(err, new(*transport.StreamError)):
		case errors.As(err, &api) && (api.Status == 429 || api.Status >= 500):
		default:
			t.Errorf("conversation %d: %v", n, err)
		}
	}
	return log
}
