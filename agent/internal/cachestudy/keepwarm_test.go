package cachestudy

import (
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/whorl-go/whorl/agent"
	"github.com/whorl-go/whorl/memory"
	"github.com/whorl-go/whorl/transport/simulator"
)

// A tool of 12 minutes, with the cache kept warm for 5, 10 and 20, and not.
func TestKeepWarm(t *testing.T) {
	tests := []struct {
		keep  time.Duration
		pings int
		warm  bool // when the tool is done
	}{{0, 0, false}, {10 * time.Minute, 2, true}, {5 * time.Minute, 1, false}, {20 * time.Minute, 2, true}}
	for _, tt := range tests {
		t.Run(tt.keep.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts, w := simulated(t, simulator.Loop{Turns: 1}, simulator.LookbackBlocks, 4000, 12*time.Minute)
				opts.Cache.KeepWarm = tt.keep
				spans := tracetest.NewInMemoryExporter()
				opts.Telemetry.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
				log := memory.NewLog()
				res, err := newAgent(t, opts).Run(t.Context(), agent.Input{Log: log, Prompt: "go"})
				if err != nil || res.Steps != 2 {
					t.Fatalf("%+v, %v", res, err)
				}
				if got := len(w.exchanges) - 2; got != tt.pings {
					t.Errorf("%d requests to keep warm, want %d", got, tt.pings)
				}
				for _, x := range w.exchanges[1 : 1+tt.pings] {
					if u := x.resp.Usage; x.req.MaxTokens != 0 || u.OutputTokens > 1 || u.CacheReadInputTokens == 0 || u.CacheCreationInputTokens > 0 {
						t.Errorf("%+v", u)
					}
				}
				if got := warmSpans(t, spans.GetSpans()); got != tt.pings {
					t.Errorf("%d spans of requests to keep warm, want %d", got, tt.pings)
				}
				last := w.exchanges[len(w.exchanges)-1].resp.Usage
				if whole := last.CacheReadInputTokens > last.CacheCreationInputTokens; whole != tt.warm {
					t.Errorf("kept for %v: %+v", tt.keep, last)
				}
				if b, err := agent.BillOf(t.Context(), log); err != nil || b.Requests != 2+tt.pings || b.Cost != res.Cost || b.Usage.CacheReadInputTokens != res.Usage.CacheReadInputTokens {
					t.Errorf("the log's bill is %+v, the run's %v", b, res.Cost)
				}
			})
		})
	}
}

// warmSpans counts the spans of requests that keep the cache warm. They are
// children of the run's span, and tell what was read.
func warmSpans(t *testing.T, spans tracetest.SpanStubs) (n int) {
	t.Helper()
	root := spans[len(spans)-1]
	for _, s := range spans {
		var purpose string
		var read, written, most int64
		for _, kv := range s.Attributes {
			switch string(kv.Key) {
			case "whorl.request.purpose":
				purpose = kv.Value.AsString()
			case "gen_ai.usage.cache_read.input_tokens":
				read = kv.Value.AsInt64()
			case "gen_ai.usage.cache_creation.input_tokens":
				written = kv.Value.AsInt64()
			case "gen_ai.request.max_tokens":
				most = kv.Value.AsInt64()
			}
		}
		if purpose != "keep_warm" {
			continue
		}
		n++
		if s.Parent.SpanID() != root.SpanContext.SpanID() || read == 0 || written != 0 || most != 0 {
			t.Errorf("%s below %s: %d tokens read, %d written, max_tokens %d", s.Name, s.Parent.SpanID(), read, written, most)
		}
	}
	return n
}
