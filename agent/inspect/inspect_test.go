package inspect_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/agent/inspect"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/secret"
	"github.com/whorl-go/whorl/transport/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type query struct {
	Query string `json:"query"`
	Limit int    `json:"limit,omitempty"`
}

// evil is what a result may hold that must not become a part of the page.
const evil = `<script>document.title="owned"</script><img src=x onerror=alert(1)>`

// newAgent makes an agent that talks to a simulator.
func newAgent(t testing.TB, model simulator.Model, approve bool, system string) *agent.Agent {
	t.Helper()
	sim := simulator.StartTest(t, simulator.Options{Model: model})
	client, err := anthropic.New(anthropic.Options{BaseURL: sim.URL(), APIKey: secret.New("any"), Features: anthropic.AllFeatures()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	a, err := agent.New(agent.Options{
		Client: client, Model: "claude-opus-5", System: system, Thinking: &transport.Thinking{Type: "adaptive", Display: "summarized"}, Limits: agent.Limits{Steps: -1},
		Tools: []tools.Tool{tools.Func("lookup", "Looks something up.", func(_ context.Context, q query) (string, error) {
			return evil + strings.Repeat(" found", 300), nil
		})},
		Gate: func(context.Context, agent.ToolRequest) agent.Decision {
			return agent.Decision{Permission: map[bool]agent.Permission{true: agent.Ask}[approve], Reason: "it costs money"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run drives a session until it ends or waits.
func run(t testing.TB, a *agent.Agent, store memory.Store, id string, inputs ...transport.Message) {
	t.Helper()
	log, err := memory.Open(context.Background(), store, id)
	if err != nil {
		log, err = memory.Create(store, id, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Run(context.Background(), agent.Input{Log: log, Messages: inputs}); err != nil && !errors.Is(err, agent.ErrAwaitingApproval) {
		t.Fatal(err)
	}
}

// token opens the pages that serve makes; do and events send it.
const token = "t0ken"

// serve mounts the page as a program would.
func serve(t testing.TB, store memory.Store, opts inspect.Options) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	opts.Token = token
	mux.Handle("/debug/agents/", inspect.Handler(store, opts))
	server := httptest.NewServer(mux)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

func do(t testing.TB, method, url, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// An event of a stream, as the page gets it.
type event struct {
	name, id, data string
}

// events reads a stream until it has seen a state with so many records.
func events(t testing.TB, url, last string, records int) []event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Fatalf("status %d, type %q", resp.StatusCode, ct)
	}
	var list []event
	var buf []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := resp.Body.Read(chunk)
		buf = append(buf, chunk[:n]...)
		for {
			text, rest, ok := strings.Cut(string(buf), "\n\n")
			if !ok {
				break
			}
			buf = []byte(rest)
			var e event
			for line := range strings.SplitSeq(text, "\n") {
				switch key, v, _ := strings.Cut(line, ": "); key {
				case "event":
					e.name = v
				case "id":
					e.id = v
				case "data":
					e.data = v
				}
			}
			list = append(list, e)
			var state struct{ Records int }
			if e.name == "state" && json.Unmarshal([]byte(e.data), &state) == nil && state.Records >= records {
				return list
			}
		}
		if err != nil {
			t.Fatalf("the stream ended after %d events: %v", len(list), err)
		}
	}
}

// entries are all records of the events.
func entries(t testing.TB, list []event) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, e := range list {
		if e.name != "records" {
			continue
		}
		var part []map[string]any
		if err := json.Unmarshal([]byte(e.data), &part); err != nil {
			t.Fatal(err)
		}
		all = append(all, part...)
	}
	return all
}
