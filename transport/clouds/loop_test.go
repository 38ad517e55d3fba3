package clouds_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/tools"
	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/anthropic"
	"github.com/whorl-go/whorl/transport/clouds/internal/fronts"
	"github.com/whorl-go/whorl/transport/simulator"
	"github.com/whorl-go/whorl/transport/simulator/platforms"
)

// hasSearch are the platforms with the web search that the loop uses.
var hasSearch = map[platforms.Platform]bool{platforms.AWS: true, platforms.GoogleCloud: true, platforms.Foundry: true, platforms.BedrockMessages: true, platforms.Vertex: true}

// TestLoop runs an agent through each platform's front: calls of tools, thinking, a
// pause where the platform has server tools, the cache, errors before the first byte
// and inside a stream. Nothing is refused, and no feature is sent that the platform
// lacks.
func TestLoop(t *testing.T) {
	for _, p := range platforms.All() {
		t.Run(string(p), func(t *testing.T) {
			var mu sync.Mutex
			var refused []string
			var read int64
			replies := []simulator.Reply{
				simulator.Do(simulator.Thinking("The notes may know."), simulator.Call("lookup", map[string]string{"query": "maps"})),
				simulator.Do(simulator.Text("Both at once: "), simulator.Call("lookup", map[string]string{"query": "a"}), simulator.Call("lookup", map[string]string{"query": "b <&> \u2028 \U0001F980"})),
			}
			if hasSearch[p] {
				replies = append(replies, simulator.Reply{Content: []simulator.Part{simulator.ServerCall("web_search", map[string]string{"query": "maps"})}, StopReason: transport.StopPauseTurn})
			}
			replies = append(replies, simulator.Say("Maps have no order."))
			base := fronts.Start(t, p, simulator.Options{
				Model: simulator.Dialogue(replies...), Pages: fstest.MapFS{"go/maps.html": {Data: []byte("<title>Maps</title>Maps have no order.")}},
				Faults: []simulator.Fault{{Status: 529}, {}, {Status: 500}, {Status: 429, RetryAfter: time.Millisecond}, {}},
				Observe: func(ex simulator.Exchange) {
					mu.Lock()
					defer mu.Unlock()
					read += ex.Usage.CacheReadInputTokens
					if ex.Refusal != nil && ex.Status == 400 {
						refused = append(refused, ex.Refusal.Error())
					}
				},
			})
			client := fronts.Client(t, p, base, anthropic.Options{})
			var queries []string
			list := []tools.Tool{tools.Func("lookup", "Looks into the notes.", func(ctx context.Context, in struct {
				Query string `json:"query"`
			}) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				queries = append(queries, in.Query)
				return "nothing on " + in.Query, nil
			})}
			if hasSearch[p] {
				list = append(list, tools.WebSearch{})
			}
			spans := tracetest.NewInMemoryExporter()
			a, err := agent.New(agent.Options{
				Telemetry: agent.Telemetry{TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))},
				Client:    client, Model: fronts.Model(p, "claude-opus-5-5"), MaxTokens: 4000, System: strings.Repeat("Be thorough and brief. ", 900),
				Thinking: &transport.Thinking{Type: "adaptive"}, Tools: list, Models: client.Models(fronts.Model(p, "claude-opus-5-5")),
			})
			if err != nil {
				t.Fatal(err)
			}
			res, err := a.Run(t.Context(), agent.Input{Prompt: "Are maps ordered?"})
			if err != nil || res.Text != "Maps have no order." || res.Steps != len(replies) {
				t.Errorf("%d steps: %q, %v", res.Steps, res.Text, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if refused != nil || read == 0 {
				t.Errorf("%d tokens read from the cache, refused: %q", read, refused)
			}
			if len(queries) != 3 || !strings.Contains(strings.Join(queries, "|"), "b <&> \u2028 \U0001F980") {
				t.Errorf("%q", queries)
			}
			if want := map[platforms.Platform]string{platforms.Bedrock: "aws.bedrock", platforms.BedrockMessages: "aws.bedrock", platforms.Vertex: "gcp.vertex_ai"}[p]; !strings.Contains(fmt.Sprint(spans.GetSpans()[0].Attributes), cmp.Or(want, "anthropic")) {
				t.Errorf("the trace has %v", spans.GetSpans()[0].Attributes)
			}
			if res.Cost.Incomplete || res.Cost.USD <= 0 {
				t.Errorf("the cost is %+v", res.Cost)
			}
		})
	}
}

// TestCancel ends a request between two events of its stream. The connection is closed
// and nothing is left running.
func TestCancel(t *testing.T) {
	for _, p := range platforms.All() {
		t.Run(string(p), func(t *testing.T) {
			base := fronts.Start(t, p, simulator.Options{Model: simulator.Script(simulator.Say(strings.Repeat("word ", 2000))), Faults: []simulator.Fault{{AfterEvents: 6, Stall: time.Minute}}})
			client := fronts.Client(t, p, base, anthropic.Options{})
			before := runtime.NumGoroutine()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var last error
			for ev, err := range client.Stream(ctx, ask(p, "hi")) {
				if ev.Type == transport.EventContentBlockStart {
					cancel()
				}
				last = err
			}
			if !errors.Is(last, context.Canceled) {
				t.Errorf("%v", last)
			}
			client.CloseIdleConnections()
			for range 200 { // the server's side takes a moment
				if runtime.NumGoroutine() <= before {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		})
	}
}

func ask(p platforms.Platform, text string) *transport.Request {
	return &transport.Request{Model: fronts.Model(p, "claude-opus-5-5"), MaxTokens: 1000, Messages: []transport.Message{transport.UserText(text)}}
}
