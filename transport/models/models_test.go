package models

import (
	"math"
	"testing"
	"time"

	"github.com/whorl-go/whorl/transport"
)

func TestLookupModel(t *testing.T) {
	if m, ok := Lookup("claude-haiku-4-5-20251001"); !ok || m.ID != "claude-haiku-4-5" {
		t.Errorf("got %q, %v", m.ID, ok)
	}
	if m, ok := Lookup("claude-nova-9"); ok || m.Supports.ForcedToolChoice != Unknown {
		t.Errorf("an unknown model: %+v", m)
	}
	own := Model{ID: "claude-opus-5-5", Limits: Limits{MinCacheTokens: 7}}
	if m, _ := Lookup("claude-opus-5-5", own); m.Limits.MinCacheTokens != 7 {
		t.Errorf("the program's own entry was not used")
	}
}

func TestNearest(t *testing.T) {
	own := Model{ID: "house-large", Aliases: []string{"house-large-20260101"}}
	for id, want := range map[string]string{
		"claude-opus-5.5": "claude-opus-5-5", "opus-5.5": "claude-opus-5-5", "Claude Sonnet 5": "claude-sonnet-5",
		"claude-hiaku-4-5": "claude-haiku-4-5", "house_large": "house-large", "house-large-2026010": "house-large-20260101",
		"gpt-9": "", "": "",
	} {
		if got := Nearest(id, own); got != want {
			t.Errorf("%q is taken for %q, not %q", id, got, want)
		}
	}
}

func TestModelTable(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range Known() {
		for _, id := range append([]string{m.ID}, m.Aliases...) {
			if seen[id] {
				t.Errorf("%s is there twice", id)
			}
			seen[id] = true
		}
		if m.Limits.ContextTokens == 0 || m.Limits.MaxOutputTokens == 0 {
			t.Errorf("%s: no limits", m.ID)
		}
		if (m.Effort.Support == Supported) != (len(m.Effort.Levels) > 0) {
			t.Errorf("%s: effort is %v with levels %q", m.ID, m.Effort.Support, m.Effort.Levels)
		}
		for _, p := range m.Prices {
			if p.Input <= 0 || p.CacheWrite5m <= 0 || p.CacheWrite1h <= 0 || p.CacheRead <= 0 || p.Output <= 0 {
				t.Errorf("%s: a price of nothing: %+v", m.ID, p)
			}
		}
	}
}

// What wire §8.6 says of cache reads, and wire §13.1 of what a request may hold.
func TestModelsOfNovember2026(t *testing.T) {
	get := func(id string) Model {
		t.Helper()
		m, ok := Lookup(id)
		if !ok {
			t.Fatalf("%s is not in the table", id)
		}
		return m
	}
	for id, least := range map[string]int{
		"claude-fable-5-2": 512, "claude-mythos-5-2": 512, "claude-sonnet-5-5": 512, "claude-opus-5-5": 512,
		"claude-opus-4-8": 1024, "claude-haiku-5-5": 512,
	} {
		if got := get(id).Limits.MinCacheTokens; got != least {
			t.Errorf("%s: least to cache is %d, want %d", id, got, least)
		}
	}
	// Cache reads as a part of the input price.
	for id, factor := range map[string]float64{"claude-fable-5-1": 0.025, "claude-mythos-5-1": 0.025, "claude-fable-5-2": 0.025, "claude-mythos-5-2": 0.025,
		"claude-opus-5-5": 0.05, "claude-sonnet-5-5": 0.05} {
		if p, _ := get(id).PriceAt(AsOf(), "", 1); math.Abs(p.CacheRead-factor*p.Input) > 1e-9 {
			t.Errorf("%s: a cache read is %v of %v", id, p.CacheRead, p.Input)
		}
	}
	for _, m := range Known() {
		switch m.ID {
		case "claude-fable-5-1", "claude-mythos-5-1", "claude-fable-5-2", "claude-mythos-5-2", "claude-opus-5-5", "claude-sonnet-5-5":
			continue
		}
		for _, p := range m.Prices {
			if math.Abs(p.CacheRead-0.1*p.Input) > 1e-9 {
				t.Errorf("%s: a cache read is %v of %v", m.ID, p.CacheRead, p.Input)
			}
		}
	}

	definition := func(raw string) transport.ToolDefinition {
		t.Helper()
		d, err := transport.ParseToolDefinition([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	forced := func(r *transport.Request) {
		r.Tools, r.ToolChoice = []transport.ToolDefinition{definition(`{"name":"f","input_schema":{"type":"object"}}`)}, &transport.ToolChoice{Type: "any"}
	}
	thinks := func(typ string, effort transport.Effort) func(*transport.Request) {
		return func(r *transport.Request) {
			r.Thinking, r.OutputConfig = &transport.Thinking{Type: typ}, &transport.OutputConfig{Effort: effort}
		}
	}
	computer := func(r *transport.Request) {
		r.Tools = []transport.ToolDefinition{definition(`{"type":"computer_20251124","name":"computer","display_width_px":1,"display_height_px":1}`)}
	}
	budget := func(r *transport.Request) {
		r.OutputConfig = &transport.OutputConfig{TaskBudget: []byte(`{"type":"tokens","total":20000}`)}
	}
	for _, tt := range []struct {
		name, model string
		change      func(*transport.Request)
		refused     bool
	}{
		{"forced tool choice", "claude-fable-5-2", forced, true},
		{"forced tool choice", "claude-haiku-5-5", forced, false},
		{"forced tool choice, open", "claude-fable-5", forced, false},
		{"forced tool choice, open", "claude-mythos-5", forced, false},
		{"thinking off", "claude-mythos-5-2", thinks("disabled", "high"), true},
		{"thinking between tools", "claude-fable-5-2", thinks("between_tools", "high"), true},
		{"thinking off", "claude-haiku-5-5", thinks("disabled", "high"), false},
		{"thinking off, much effort", "claude-haiku-5-5", thinks("disabled", "xhigh"), true},
		{"thinking between tools", "claude-haiku-5-5", thinks("between_tools", "high"), true},
		{"computer", "claude-fable-5-1", computer, false},
		{"computer", "claude-mythos-5-1", computer, false},
		{"computer", "claude-fable-5-2", computer, true},
		{"task budget", "claude-haiku-5-5", budget, false},
		{"task budget", "claude-sonnet-5-5", budget, false},
		{"task budget", "claude-sonnet-5", budget, true},
	} {
		r := &transport.Request{Model: tt.model, MaxTokens: 100, Messages: []transport.Message{transport.UserText("hi")}}
		tt.change(r)
		if err := get(tt.model).Check(r); (err != nil) != tt.refused {
			t.Errorf("%s, %s: %v, want refused %v", tt.model, tt.name, err, tt.refused)
		}
	}
	for _, id := range []string{"claude-mythos-5-1", "claude-fable-5-2", "claude-mythos-5-2", "claude-haiku-5-5"} {
		if m := get(id); m.Thinking.Bound != Supported || m.Thinking.Kept != Supported || m.Supports.Compaction != Supported {
			t.Errorf("%s: binds %v, keeps %v, compaction %v", id, m.Thinking.Bound, m.Thinking.Kept, m.Supports.Compaction)
		}
	}
}

// TestPricesOfTheirTime: a response is priced by when it came.
func TestPricesOfTheirTime(t *testing.T) {
	change, end := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	again := end.AddDate(0, 1, 0)
	m := Model{ID: "m", Prices: []Price{
		{Input: 1, UpToTokens: 100, Until: change}, {Input: 2, Until: change},
		{Input: 3, From: change},
		{Input: 4, Speed: "fast", Until: end}, {Input: 5, Speed: "fast", From: again},
	}}
	for _, tt := range []struct {
		at     time.Time
		speed  string
		tokens int64
		want   float64 // 0 if it isn't known
	}{
		{change.Add(-1), "standard", 100, 1},
		{change.Add(-1), "", 101, 2},
		{change, "", 100, 3},
		{end, "", 101, 3},
		{change, "fast", 1, 4},
		{end, "fast", 1, 0},
		{again.Add(-1), "fast", 1, 0},
		{again, "fast", 1, 5},
	} {
		p, known := m.PriceAt(tt.at, tt.speed, tt.tokens)
		if p.Input != tt.want || known != (tt.want != 0) {
			t.Errorf("at %v, %q, %d tokens: %v, %v; want %v", tt.at, tt.speed, tt.tokens, p.Input, known, tt.want)
		}
		usd, known := m.Cost(transport.Usage{InputTokens: tt.tokens, Speed: tt.speed, OutputTokens: 1}, tt.at)
		if want := tt.want * float64(tt.tokens) / 1e6; math.Abs(usd-want) > 1e-12 || known != (tt.want != 0) {
			t.Errorf("at %v, %q, %d tokens: cost %v, %v; want %v", tt.at, tt.speed, tt.tokens, usd, known, want)
		}
	}
}

func TestCost(t *testing.T) {
	searched := transport.Usage{InputTokens: 1_000_000}
	searched.ServerToolUse.WebSearchRequests, searched.ServerToolUse.WebFetchRequests = 3, 9
	batched := searched
	batched.ServiceTier = "batch"
	tests := []struct {
		name  string
		model string
		usage transport.Usage
		usd   float64
		known bool
	}{
		{"nothing told", "claude-opus-5-5", transport.Usage{}, 0, false},
		{"an answer without a prompt", "claude-opus-5-5", transport.Usage{OutputTokens: 1_000_000}, 20, false},
		{"all kinds", "claude-sonnet-4-6", transport.Usage{InputTokens: 1e6, CacheReadInputTokens: 1e6, CacheCreationInputTokens: 3e6, OutputTokens: 1e6,
			CacheCreation: transport.CacheCreation{Ephemeral5mInputTokens: 2e6, Ephemeral1hInputTokens: 1e6}}, 3 + 0.30 + 2*3.75 + 6 + 15, true},
		{"writes that came after the start of a stream", "claude-sonnet-4-6", transport.Usage{CacheCreationInputTokens: 3e6, CacheCreation: transport.CacheCreation{Ephemeral1hInputTokens: 1e6}}, 6 + 2*3.75, true},
		{"searches", "claude-opus-5-5", searched, 4.03, true},
		{"batch", "claude-opus-5-5", transport.Usage{InputTokens: 1e6, ServiceTier: "batch"}, 2, true},
		{"US", "claude-opus-5-5", transport.Usage{InputTokens: 1e6, InferenceGeo: "us"}, 4.4, true},
		{"everywhere", "claude-opus-5-5", transport.Usage{InputTokens: 1e6, InferenceGeo: "global"}, 4, true},
		{"more written for an hour than at all", "claude-sonnet-4-6", transport.Usage{CacheCreationInputTokens: 1e6, CacheCreation: transport.CacheCreation{Ephemeral1hInputTokens: 3e6}}, 6, true},
		{"searches of a batch", "claude-opus-5-5", batched, 2.03, true},
		{"fast", "claude-opus-5", transport.Usage{InputTokens: 1e6, Speed: "fast"}, 10, true},
		{"fast at an unknown price", "claude-opus-4-7", transport.Usage{InputTokens: 1e6, Speed: "fast"}, 0, false},
		{"lower tier", "claude-haiku-5-5", transport.Usage{InputTokens: 50_000, CacheReadInputTokens: 50_000, OutputTokens: 1e6}, 0.005 + 0.0005 + 0.5, true},
		{"upper tier", "claude-haiku-5-5", transport.Usage{InputTokens: 50_001, CacheReadInputTokens: 50_000, OutputTokens: 1e6}, 0.0250005 + 0.0025 + 2.5, true},
		{"iterations", "claude-opus-5-5", transport.Usage{InputTokens: 1e6, Iterations: []transport.Iteration{
			{Type: "compaction", InputTokens: 1e6}, {Type: "message", InputTokens: 1e6}, {Type: "advisor_message", Model: "claude-fable-5", OutputTokens: 1e6}}}, 4 + 4 + 50, true},
		{"iteration of an unknown model", "claude-opus-5-5", transport.Usage{Iterations: []transport.Iteration{{InputTokens: 1e6}, {Model: "claude-nova-9", OutputTokens: 1}}}, 4, false},
		{"unknown price", "claude-mythos-preview", transport.Usage{InputTokens: 1}, 0, false},
		{"unknown model", "claude-nova-9", transport.Usage{InputTokens: 1}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := Lookup(tt.model)
			usd, known := m.Cost(tt.usage, AsOf())
			if math.Abs(usd-tt.usd) > 1e-9 || known != tt.known {
				t.Errorf("got %v, %v; want %v, %v", usd, known, tt.usd, tt.known)
			}
		})
	}
	// An iteration may name the model by an alias, also of one that is in no table.
	opus, _ := Lookup("claude-opus-5-5")
	m := Model{ID: "gateway/opus", Aliases: []string{"opus"}, Prices: opus.Prices}
	for name, usage := range map[string]transport.Usage{
		"by the alias": {Iterations: []transport.Iteration{{Model: "opus", InputTokens: 1e6}}},
		"by the id":    {Iterations: []transport.Iteration{{Model: "gateway/opus", InputTokens: 1e6}}},
	} {
		if usd, known := m.Cost(usage, AsOf()); usd != 4 || !known {
			t.Errorf("%s: %v, %v", name, usd, known)
		}
	}
}
