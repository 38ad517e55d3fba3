package transport

import (
	"math"
	"testing"
)

func TestLookupModel(t *testing.T) {
	if m, ok := LookupModel("claude-haiku-4-5-20251001"); !ok || m.ID != "claude-haiku-4-5" {
		t.Errorf("got %q, %v", m.ID, ok)
	}
	if m, ok := LookupModel("claude-nova-9"); ok || m.ForcedToolChoice != Unknown {
		t.Errorf("an unknown model: %+v", m)
	}
	own := Model{ID: "claude-opus-5-5", MinCacheTokens: 7}
	if m, _ := LookupModel("claude-opus-5-5", own); m.MinCacheTokens != 7 {
		t.Errorf("the program's own entry was not used")
	}
}

func TestModelTable(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range KnownModels() {
		for _, id := range append([]string{m.ID}, m.Aliases...) {
			if seen[id] {
				t.Errorf("%s is there twice", id)
			}
			seen[id] = true
		}
		if m.ContextTokens == 0 || m.MaxOutputTokens == 0 {
			t.Errorf("%s: no limits", m.ID)
		}
		if (m.Effort == Supported) != (len(m.Efforts) > 0) {
			t.Errorf("%s: effort is %v with levels %q", m.ID, m.Effort, m.Efforts)
		}
		for _, prices := range [][]Price{m.Prices, m.FastPrices} {
			for i, p := range prices {
				if p.Input <= 0 || p.CacheWrite5m <= 0 || p.CacheWrite1h <= 0 || p.CacheRead <= 0 || p.Output <= 0 {
					t.Errorf("%s: a price of nothing: %+v", m.ID, p)
				}
				if last := i == len(prices)-1; last != (p.UpToTokens == 0) {
					t.Errorf("%s: tier %d goes up to %d", m.ID, i, p.UpToTokens)
				}
			}
		}
	}
}

func TestCost(t *testing.T) {
	tests := []struct {
		name  string
		model string
		usage Usage
		usd   float64
		known bool
	}{
		{"nothing", "claude-opus-5-5", Usage{}, 0, true},
		{"all kinds", "claude-sonnet-4-6", Usage{InputTokens: 1e6, CacheReadInputTokens: 1e6, CacheCreationInputTokens: 3e6, OutputTokens: 1e6,
			CacheCreation: CacheCreation{Ephemeral5mInputTokens: 2e6, Ephemeral1hInputTokens: 1e6}}, 3 + 0.30 + 2*3.75 + 6 + 15, true},
		{"writes that came after the start of a stream", "claude-sonnet-4-6", Usage{CacheCreationInputTokens: 3e6, CacheCreation: CacheCreation{Ephemeral1hInputTokens: 1e6}}, 6 + 2*3.75, true},
		{"searches", "claude-opus-5-5", Usage{ServerToolUse: ServerToolUsage{WebSearchRequests: 3, WebFetchRequests: 9}}, 0.03, true},
		{"batch", "claude-opus-5-5", Usage{InputTokens: 1e6, ServiceTier: "batch"}, 2, true},
		{"US", "claude-opus-5-5", Usage{InputTokens: 1e6, InferenceGeo: "us"}, 4.4, true},
		{"fast", "claude-opus-5", Usage{InputTokens: 1e6, Speed: "fast"}, 10, true},
		{"fast at an unknown price", "claude-opus-5-5", Usage{InputTokens: 1e6, Speed: "fast"}, 0, false},
		{"lower tier", "claude-haiku-5-5", Usage{InputTokens: 50_000, CacheReadInputTokens: 50_000, OutputTokens: 1e6}, 0.005 + 0.0005 + 0.5, true},
		{"upper tier", "claude-haiku-5-5", Usage{InputTokens: 50_001, CacheReadInputTokens: 50_000, OutputTokens: 1e6}, 0.0250005 + 0.0025 + 2.5, true},
		{"iterations", "claude-opus-5-5", Usage{InputTokens: 1e6, Iterations: []Iteration{
			{Type: "compaction", InputTokens: 1e6}, {Type: "message", InputTokens: 1e6}, {Type: "advisor_message", Model: "claude-fable-5", OutputTokens: 1e6}}}, 4 + 4 + 50, true},
		{"iteration of an unknown model", "claude-opus-5-5", Usage{Iterations: []Iteration{{InputTokens: 1e6}, {Model: "claude-nova-9", OutputTokens: 1}}}, 4, false},
		{"unknown price", "claude-mythos-preview", Usage{InputTokens: 1}, 0, false},
		{"unknown model", "claude-nova-9", Usage{InputTokens: 1}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := LookupModel(tt.model)
			usd, known := m.Cost(tt.usage)
			if math.Abs(usd-tt.usd) > 1e-9 || known != tt.known {
				t.Errorf("got %v, %v; want %v, %v", usd, known, tt.usd, tt.known)
			}
		})
	}
}
