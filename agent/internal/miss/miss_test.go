package miss

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/models"
)

func TestBetween(t *testing.T) {
	answer := func(read, written, plain int, more string, content string) *transport.Response {
		r, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","model":"claude-opus-5-5","content":[%s],"stop_reason":"end_turn",
			"usage":{"input_tokens":%d,"cache_read_input_tokens":%d,"cache_creation_input_tokens":%d,"output_tokens":1}%s}`, content, plain, read, written, more)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const search = `{"type":"server_tool_use","id":"s","name":"web_search","input":{}}`
	const why = `,"diagnostics":{"cache_miss_reason":{"type":"tools_changed","cache_missed_input_tokens":38112}}`
	first := answer(30_000, 8_112, 3, "", "")
	tests := []struct {
		name          string
		first, second *transport.Response
		gap           time.Duration
		reason        string
		tokens        int64
		usd           float64
	}{
		{"all was read", first, answer(38_112, 500, 3, "", ""), time.Minute, "", 0, 0},
		{"nothing was cached", answer(0, 0, 300, "", ""), answer(0, 0, 400, "", ""), time.Minute, "", 0, 0},
		{"the service's own word", first, answer(0, 38_600, 3, why, ""), time.Minute, "tools_changed", 38_112, 38_112 * (5 - 0.2) / 1e6},
		{"a pause", first, answer(2_112, 36_500, 3, "", ""), 6 * time.Minute, "expired", 36_000, 36_000 * (5 - 0.2) / 1e6},
		{"not cached again", first, answer(0, 0, 38_600, "", ""), time.Minute, "unknown", 38_112, 38_112 * (4 - 0.2) / 1e6},
		{"cleared by the service", first, answer(8_112, 1000, 3, `,"context_management":{"applied_edits":[{"type":"clear_tool_uses_20250919","cleared_input_tokens":25000}]}`, ""), time.Minute, "context_edited", 30_000, (1000*5 + 29_000*4 - 30_000*0.2) / 1e6},
		{"sums over samplings tell nothing", answer(90_000, 8_112, 3, "", search), answer(38_112, 500, 3, "", ""), time.Minute, "", 0, 0},
		{"but the service may", answer(90_000, 8_112, 3, "", search), answer(0, 38_600, 3, why, ""), time.Minute, "tools_changed", 38_112, 38_112 * (5 - 0.2) / 1e6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := Between(tt.first, tt.second, tt.gap, models.AsOf())
			if tt.reason == "" {
				if m != nil {
					t.Errorf("%+v", m)
				}
				return
			}
			if m == nil || m.Reason != tt.reason || m.Tokens != tt.tokens || !m.Known || math.Abs(m.USD-tt.usd) > 1e-9 {
				t.Errorf("%+v, want %s, %d tokens, $%.6f", m, tt.reason, tt.tokens, tt.usd)
			}
		})
	}
}
