package transport

import "slices"

// A Support says whether a model has a feature. The zero value is Unknown, and
// what is unknown is allowed: the service decides.
type Support int8

// The values of Support.
const (
	Unknown Support = iota
	Supported
	Unsupported
)

// A Model is what is known of a model: limits, prices, and what a request to it
// may hold. The zero value of a field means that it isn't known.
type Model struct {
	ID      string
	Aliases []string // other ids of the same model, such as one with a date

	ContextTokens   int // the window: prompt and answer together
	MaxOutputTokens int
	MinCacheTokens  int // a shorter prefix is not cached; no error tells so

	// Prices are by the size of the prompt, ascending. None means that the price is
	// not known, not that the model is free.
	Prices []Price
	// FastPrices are those of speed "fast".
	FastPrices []Price

	// Thinking types that a request may set, and whether the model thinks if it sets
	// none: "on", "off", or "always" if it can't be stopped.
	Adaptive, Enabled, Disabled, BetweenTools Support
	ThinkingDefault                           string
	// QuietEffort is the highest effort together with thinking of the types disabled
	// and between_tools; empty means any.
	QuietEffort string

	Efforts       []string // levels of output_config.effort; empty if the parameter doesn't exist or isn't known
	Effort        Support
	DefaultEffort string

	ForcedToolChoice Support // tool_choice of type "any" and "tool"
	Sampling         Support // temperature, top_p and top_k other than their defaults
	Prefill          Support // a last message of role assistant that the model goes on with
	SystemMessages   Support // messages of role system inside the conversation
	TaskBudgets      Support // output_config.task_budget
	ComputerTools    Support // computer_20251124 or an older one; computer_toolset_20260801 is apart from them
	Compaction       Support // both forms of compaction on the service's side

	KeepsThinking Support // thinking of earlier turns stays in the prompt
	BindsThinking Support // thinking is bound to all that came before it (reference §9.4)
}

// A Price is in USD per million tokens. It holds for prompts of up to
// UpToTokens, or of any size if that is 0.
type Price struct {
	UpToTokens int64

	Input, CacheWrite5m, CacheWrite1h, CacheRead, Output float64
}

// LookupModel finds a model by its id or an alias: first among the given
// models, which lets a program correct or extend the table, then in this
// package's table. Unknown models are fine to use; less is known of them.
func LookupModel(id string, own ...Model) (Model, bool) {
	for _, table := range [][]Model{own, models} {
		for _, m := range table {
			if m.ID == id || slices.Contains(m.Aliases, id) {
				return m, true
			}
		}
	}
	return Model{}, false
}

// KnownModels returns a copy of this package's table.
func KnownModels() []Model { return slices.Clone(models) }

func price(in, write5m, write1h, read, out float64) []Price {
	return []Price{{Input: in, CacheWrite5m: write5m, CacheWrite1h: write1h, CacheRead: read, Output: out}}
}

var (
	allEfforts   = []string{"low", "medium", "high", "xhigh", "max"}
	noXHigh      = []string{"low", "medium", "high", "max"}
	threeEfforts = []string{"low", "medium", "high"}
)

// models is the table, as of 28 November 2026. Sources: the service's
// documentation of August to November 2026 (models, pricing, prompt caching,
// adaptive thinking, preserved thinking, task budgets, the what's-new pages of
// the 5.1, 5.2 and 5.5 models) as gathered in reference §13, late 2026 §1 to §6
// and November 2026 §4. Less sure are the cache writes of Haiku 5.5, the cache
// reads of the 5.1 models (other people's notes) and the cache writes of Opus 5.5
// (derived from the input price). Whether Fable 5 and Mythos 5 take a forced tool
// choice isn't known: the documentation says so, clients were refused in June.
// Computer tools of the 5.1 models are computer_20251124; of older ones nothing is
// known there.
var models = []Model{
	{
		ID: "claude-fable-5-2", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices: price(8, 10, 16, 0.20, 40), FastPrices: price(16, 20, 32, 0.40, 80),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, ThinkingDefault: "always",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Unsupported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Supported,
	},
	{
		ID: "claude-mythos-5-2", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices: price(8, 10, 16, 0.20, 40), FastPrices: price(16, 20, 32, 0.40, 80),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, ThinkingDefault: "always",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Unsupported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Supported,
	},
	{
		ID: "claude-fable-5-1", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices:   price(10, 12.5, 20, 0.25, 50),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, ThinkingDefault: "always",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Supported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Supported,
	},
	{
		ID: "claude-mythos-5-1", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices:   price(10, 12.5, 20, 0.25, 50),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, ThinkingDefault: "always",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Supported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Supported,
	},
	{
		ID: "claude-fable-5", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices:   price(10, 12.5, 20, 1, 50),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, ThinkingDefault: "always",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-mythos-5", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices:   price(10, 12.5, 20, 1, 50),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, ThinkingDefault: "always",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-opus-5-5", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices: price(4, 5, 8, 0.20, 20), FastPrices: price(8, 10, 16, 0.40, 40),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Unsupported, ThinkingDefault: "always",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "medium",
		ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Unsupported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Supported,
	},
	{
		ID: "claude-opus-5", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices: price(5, 6.25, 10, 0.5, 25), FastPrices: price(10, 12.5, 20, 1, 50),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "on", QuietEffort: "high",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Supported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-opus-4-8", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 1024,
		Prices: price(5, 6.25, 10, 0.5, 25), FastPrices: price(10, 12.5, 20, 1, 50), // fast until 30 November 2026
		Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "off",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Supported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-opus-4-7", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 2048,
		Prices:   price(5, 6.25, 10, 0.5, 25),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "off",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Unsupported, TaskBudgets: Supported,
		ComputerTools: Supported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-opus-4-6", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 4096,
		Prices:   price(5, 6.25, 10, 0.5, 25),
		Adaptive: Supported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "off",
		Effort: Supported, Efforts: noXHigh, DefaultEffort: "high",
		ForcedToolChoice: Supported, Sampling: Supported, Prefill: Unsupported, SystemMessages: Unsupported, TaskBudgets: Unsupported,
		ComputerTools: Supported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-opus-4-5", Aliases: []string{"claude-opus-4-5-20251101"}, ContextTokens: 200_000, MaxOutputTokens: 64_000, MinCacheTokens: 4096,
		Prices:   price(5, 6.25, 10, 0.5, 25),
		Adaptive: Unsupported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "off",
		Effort: Supported, Efforts: threeEfforts, DefaultEffort: "high",
		ForcedToolChoice: Supported, Sampling: Supported, Prefill: Supported, SystemMessages: Unsupported, TaskBudgets: Unsupported,
		ComputerTools: Supported, Compaction: Unsupported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-sonnet-5-5", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices:   price(2, 2.5, 4, 0.10, 10),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Unsupported, BetweenTools: Supported, ThinkingDefault: "on", QuietEffort: "high",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Unsupported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Unsupported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Supported,
	},
	{
		ID: "claude-sonnet-5", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 1024,
		Prices:   price(2, 2.5, 4, 0.20, 10),
		Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "on",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "high",
		ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Unsupported, TaskBudgets: Unsupported,
		ComputerTools: Supported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-sonnet-4-6", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 1024,
		Prices:   price(3, 3.75, 6, 0.30, 15),
		Adaptive: Supported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "off",
		Effort: Supported, Efforts: noXHigh, DefaultEffort: "high",
		ForcedToolChoice: Supported, Sampling: Supported, Prefill: Unsupported, SystemMessages: Unsupported, TaskBudgets: Unsupported,
		ComputerTools: Supported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-sonnet-4-5", Aliases: []string{"claude-sonnet-4-5-20250929"}, ContextTokens: 200_000, MaxOutputTokens: 64_000, MinCacheTokens: 1024,
		Prices:   price(3, 3.75, 6, 0.30, 15),
		Adaptive: Unsupported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "off",
		Effort:           Unsupported,
		ForcedToolChoice: Supported, Sampling: Supported, Prefill: Supported, SystemMessages: Unsupported, TaskBudgets: Unsupported,
		ComputerTools: Supported, Compaction: Unsupported, KeepsThinking: Unsupported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-haiku-5-5", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 512,
		Prices: []Price{
			{UpToTokens: 100_000, Input: 0.10, CacheWrite5m: 0.125, CacheWrite1h: 0.20, CacheRead: 0.01, Output: 0.50},
			{Input: 0.50, CacheWrite5m: 0.625, CacheWrite1h: 1, CacheRead: 0.05, Output: 2.50},
		},
		Adaptive: Supported, Enabled: Unsupported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "on", QuietEffort: "high",
		Effort: Supported, Efforts: allEfforts, DefaultEffort: "medium",
		ForcedToolChoice: Supported, Sampling: Unsupported, Prefill: Unsupported, SystemMessages: Supported, TaskBudgets: Supported,
		ComputerTools: Unsupported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Supported,
	},
	{
		ID: "claude-haiku-4-5", Aliases: []string{"claude-haiku-4-5-20251001"}, ContextTokens: 200_000, MaxOutputTokens: 64_000, MinCacheTokens: 4096,
		Prices:   price(1, 1.25, 2, 0.10, 5),
		Adaptive: Unsupported, Enabled: Supported, Disabled: Supported, BetweenTools: Unsupported, ThinkingDefault: "off",
		Effort:           Unsupported,
		ForcedToolChoice: Supported, Sampling: Supported, Prefill: Supported, SystemMessages: Unsupported, TaskBudgets: Unsupported,
		ComputerTools: Supported, Compaction: Unsupported, KeepsThinking: Unsupported, BindsThinking: Unsupported,
	},
	{
		ID: "claude-mythos-preview", ContextTokens: 1_000_000, MaxOutputTokens: 128_000, MinCacheTokens: 2048,
		Adaptive: Supported, Enabled: Supported, Disabled: Unsupported, BetweenTools: Unsupported, ThinkingDefault: "always",
		ForcedToolChoice: Unsupported, Prefill: Unsupported, Compaction: Supported, KeepsThinking: Supported, BindsThinking: Unsupported,
	},
}
