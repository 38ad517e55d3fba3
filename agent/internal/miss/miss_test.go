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
		{"just in time", first, answer(2_112, 36_500, 3, "", ""), 5*time.Minute - 1, "unknown", 36_000, 36_000 * (5 - 0.2) / 1e6},
		{"just too late", first, answer(2_112, 36_500, 3, "", ""), 5 * time.Minute, "expired", 36_000, 36_000 * (5 - 0.2) / 1e6},
		{"edits of which none applied", first, answer(2_112, 36_500, 3, `,"context_management":{"applied_edits":[]}`, ""), time.Minute, "unknown", 36_000, 36_000 * (5 - 0.2) / 1e6},
		{"sums over samplings now", first, answer(0, 38_600, 3, "", search), time.Minute, "", 0, 0},
		{"the service may tell of them too", first, answer(0, 38_600, 3, why, search), time.Minute, "tools_changed", 38_112, 38_112 * (5 - 0.2) / 1e6},
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

// A miss is priced as the response was: by its lifetimes, its region and the program's
// own table.
func TestPriceOfAMiss(t *testing.T) {
	usage := func(id, usage string) *transport.Response {
		r, err := transport.ParseResponse([]byte(fmt.Sprintf(`{"id":"m","type":"message","role":"assistant","model":%q,"content":[],"stop_reason":"end_turn","usage":%s}`, id, usage)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := usage("m", `{"input_tokens":0,"cache_creation_input_tokens":1000000,"output_tokens":1}`)
	own := models.Model{ID: "m", Prices: []models.Price{{Input: 4, CacheWrite5m: 5, CacheWrite1h: 8, CacheRead: 1}}}
	for _, tt := range []struct {
		name, usage string
		usd         float64
	}{
		{"for an hour", `{"input_tokens":0,"cache_creation_input_tokens":2000000,"cache_creation":{"ephemeral_1h_input_tokens":2000000,"ephemeral_5m_input_tokens":0},"output_tokens":1}`, 8 - 1},
		{"a part for an hour", `{"input_tokens":0,"cache_creation_input_tokens":2000000,"cache_creation":{"ephemeral_1h_input_tokens":250000,"ephemeral_5m_input_tokens":1750000},"output_tokens":1}`, 0.25*8 + 0.75*5 - 1},
		{"not cached", `{"input_tokens":1000000,"output_tokens":1}`, 4 - 1},
	} {
		m := Between(first, usage("m", tt.usage), time.Minute, time.Time{}, own)
		if m == nil || !m.Known || math.Abs(m.USD-tt.usd) > 1e-9 || m.Tokens != 1_000_000 {
			t.Errorf("%s: %+v, want $%v", tt.name, m, tt.usd)
		}
	}
	if m := Between(first, usage("n", `{"input_tokens":9,"output_tokens":1}`), time.Minute, time.Time{}, own); m == nil || m.Known || m.USD != 0 || m.Reason != "unknown" {
		t.Errorf("a model without a price: %+v", m)
	}
	opus := func(more string) *Miss {
		return Between(usage("claude-opus-5-5", `{"input_tokens":0,"cache_creation_input_tokens":1000000,"output_tokens":1}`), usage("claude-opus-5-5", `{"input_tokens":1000000,"output_tokens":1`+more+`}`), time.Minute, models.AsOf())
	}
	plain, us := opus(""), opus(`,"inference_geo":"us"`)
	if math.Abs(us.USD-1.1*plain.USD) > 1e-9 {
		t.Errorf("in the US %v, else %v", us.USD, plain.USD)
	}
}
