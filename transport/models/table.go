package models

import (
	"time"

	"github.com/whorl-go/whorl/transport"
)

// standard and fast make a price of a model that has one price for prompts of
// any size.
func standard(in, write5m, write1h, read, out float64) Price {
	return Price{Input: in, CacheWrite5m: write5m, CacheWrite1h: write1h, CacheRead: read, Output: out}
}

func fast(in, write5m, write1h, read, out float64) Price {
	p := standard(in, write5m, write1h, read, out)
	p.Speed = "fast"
	return p
}

var (
	allEfforts   = []transport.Effort{"low", "medium", "high", "xhigh", "max"}
	noXHigh      = []transport.Effort{"low", "medium", "high", "max"}
	threeEfforts = []transport.Effort{"low", "medium", "high"}
)

// asOf is the day of the table.
var asOf = day(2026, time.November, 28)

// The days from which prices and models hold or end are days of UTC: the service
// tells no hour.
func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// from and until bound the time that prices hold.
func (p Price) from(t time.Time) Price  { p.From = t; return p }
func (p Price) until(t time.Time) Price { p.Until = t; return p }

// sonnetReads is the day on which cache reads of Sonnet 5.5 became cheaper. The
// price is in the service's own table; the day was reported by two others.
var sonnetReads = day(2026, time.October, 7)

// table is as of [AsOf]. Sources: the service's documentation of August to
// November 2026 (models, pricing, prompt caching, adaptive thinking, preserved
// thinking, task budgets, deprecations, the release notes and what's-new pages of
// the 5.1, 5.2 and 5.5 models), the price table of its command-line program of 24
// November, and the OpenAPI documents and deprecations of its Go SDK v1.84 and
// v2.15, as gathered in wire §13.
//
// Less sure are the cache writes of Haiku 5.5, the cache reads of the 5.1 models
// (other people's notes) and the cache writes of Opus 5.5 (derived from the input
// price). What the sources leave open is unknown here: whether Fable 5 and Mythos
// 5 take a forced tool choice (the documentation says so, clients were refused in
// June), the prices of Mythos Preview and whether it has ended (the SDK says on 30
// June, the guide leaves it open), the ends of the 5.1, 5.2 and 5.5 models, and
// whether Fable 5 and older take computer tools. That a model doesn't end before
// some day is no end.
var table = []Model{
	{
		ID:       "claude-fable-5-2",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(8, 10, 16, 0.20, 40), fast(16, 20, 32, 0.40, 80)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, Default: "always", Kept: Supported, Bound: Supported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Unsupported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-mythos-5-2",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(8, 10, 16, 0.20, 40), fast(16, 20, 32, 0.40, 80)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, Default: "always", Kept: Supported, Bound: Supported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Unsupported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-fable-5-1",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(10, 12.5, 20, 0.25, 50)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, Default: "always", Kept: Supported, Bound: Supported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Supported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-mythos-5-1",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(10, 12.5, 20, 0.25, 50)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, Default: "always", Kept: Supported, Bound: Supported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Supported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-fable-5",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(10, 12.5, 20, 1, 50)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, Default: "always", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
			Compaction: Supported,
		},
	},
	{
		ID:       "claude-mythos-5",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(10, 12.5, 20, 1, 50)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, Default: "always", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
			Compaction: Supported,
		},
	},
	{
		ID:       "claude-opus-5-5",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(4, 5, 8, 0.20, 20), fast(8, 10, 16, 0.40, 40)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, Default: "always", Kept: Supported, Bound: Supported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "medium"},
		Supports: Supports{
			ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Unsupported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-opus-5",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(5, 6.25, 10, 0.5, 25), fast(10, 12.5, 20, 1, 50)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, Default: "on", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high", MaxQuiet: "high"},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Supported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-opus-4-8",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 1024},
		Prices:   []Price{standard(5, 6.25, 10, 0.5, 25), fast(10, 12.5, 20, 1, 50).until(day(2026, time.December, 1))}, // fast mode was removed on 30 November
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, Default: "off", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Supported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-opus-4-7",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 2048},
		Prices:   []Price{standard(5, 6.25, 10, 0.5, 25)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, Default: "off", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Unsupported,
			TaskBudgets: Supported, ComputerTools: Supported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-opus-4-6",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 4096},
		Prices:   []Price{standard(5, 6.25, 10, 0.5, 25)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, Default: "off", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: noXHigh, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Supported, Prefill: Unsupported, SystemMessages: Unsupported,
			TaskBudgets: Unsupported, ComputerTools: Supported, Compaction: Supported,
		},
	},
	{
		ID: "claude-opus-4-5", Aliases: []string{"claude-opus-4-5-20251101"},
		Deprecated: day(2026, time.November, 23), Ends: day(2027, time.January, 22), Successor: "claude-opus-5-5",
		Limits:   Limits{ContextTokens: 200_000, MaxOutputTokens: 64_000, MinCacheTokens: 4096},
		Prices:   []Price{standard(5, 6.25, 10, 0.5, 25)},
		Thinking: Thinking{Adaptive: Unsupported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, Default: "off", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: threeEfforts, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Supported, Prefill: Supported, SystemMessages: Unsupported,
			TaskBudgets: Unsupported, ComputerTools: Supported, Compaction: Unsupported,
		},
	},
	{
		ID:       "claude-sonnet-5-5",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices:   []Price{standard(2, 2.5, 4, 0.20, 10).until(sonnetReads), standard(2, 2.5, 4, 0.10, 10).from(sonnetReads)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Supported, Default: "on", Kept: Supported, Bound: Supported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high", MaxQuiet: "high"},
		Supports: Supports{
			ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Unsupported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-sonnet-5",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 1024},
		Prices:   []Price{standard(2, 2.5, 4, 0.20, 10)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, Default: "on", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Unsupported,
			TaskBudgets: Unsupported, ComputerTools: Supported, Compaction: Supported,
		},
	},
	{
		ID:       "claude-sonnet-4-6",
		Limits:   Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 1024},
		Prices:   []Price{standard(3, 3.75, 6, 0.30, 15)},
		Thinking: Thinking{Adaptive: Supported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, Default: "off", Kept: Supported, Bound: Unsupported},
		Effort:   Effort{Support: Supported, Levels: noXHigh, Default: "high"},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Supported, Prefill: Unsupported, SystemMessages: Unsupported,
			TaskBudgets: Unsupported, ComputerTools: Supported, Compaction: Supported,
		},
	},
	{
		ID: "claude-sonnet-4-5", Aliases: []string{"claude-sonnet-4-5-20250929"},
		Deprecated: day(2026, time.September, 30), Ends: day(2026, time.November, 30), Successor: "claude-sonnet-5-5",
		Limits:   Limits{ContextTokens: 200_000, MaxOutputTokens: 64_000, MinCacheTokens: 1024},
		Prices:   []Price{standard(3, 3.75, 6, 0.30, 15)},
		Thinking: Thinking{Adaptive: Unsupported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, Default: "off", Kept: Unsupported, Bound: Unsupported},
		Effort:   Effort{Support: Unsupported},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Supported, Prefill: Supported, SystemMessages: Unsupported,
			TaskBudgets: Unsupported, ComputerTools: Supported, Compaction: Unsupported,
		},
	},
	{
		ID:     "claude-haiku-5-5",
		Limits: Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512},
		Prices: []Price{
			{UpToTokens: 100_000, Input: 0.10, CacheWrite5m: 0.125, CacheWrite1h: 0.20, CacheRead: 0.01, Output: 0.50},
			{Input: 0.50, CacheWrite5m: 0.625, CacheWrite1h: 1, CacheRead: 0.05, Output: 2.50},
		},
		Thinking: Thinking{Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, Default: "on", Kept: Supported, Bound: Supported},
		Effort:   Effort{Support: Supported, Levels: allEfforts, Default: "medium", MaxQuiet: "high"},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported,
			TaskBudgets: Supported, ComputerTools: Unsupported, Compaction: Supported,
		},
	},
	{
		ID: "claude-haiku-4-5", Aliases: []string{"claude-haiku-4-5-20251001"},
		Limits:   Limits{ContextTokens: 200_000, MaxOutputTokens: 64_000, MinCacheTokens: 4096},
		Prices:   []Price{standard(1, 1.25, 2, 0.10, 5)},
		Thinking: Thinking{Adaptive: Unsupported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, Default: "off", Kept: Unsupported, Bound: Unsupported},
		Effort:   Effort{Support: Unsupported},
		Supports: Supports{
			ForcedToolChoice: Supported, Sampling: Supported, Prefill: Supported, SystemMessages: Unsupported,
			TaskBudgets: Unsupported, ComputerTools: Supported, Compaction: Unsupported,
		},
	},
	{
		ID:        "claude-mythos-preview",
		Successor: "claude-mythos-5",
		Limits:    Limits{ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 2048},
		Thinking:  Thinking{Adaptive: Supported, Enabled: Supported, Disabled: Unsupported, BetweenTools: Unsupported, Default: "always", Kept: Supported, Bound: Unsupported},
		Supports: Supports{
			ForcedToolChoice: Unsupported, Prefill: Unsupported, Compaction: Supported,
		},
	},
}
