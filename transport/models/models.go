package models

import (
	"slices"
	"time"

	"github.com/whorl-go/whorl/transport"
)

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

	Limits   Limits
	Thinking Thinking
	Effort   Effort
	Supports Supports

	// Prices are in ascending order of UpToTokens within a speed and a time. None
	// means that the price is not known, not that the model is free. Prices that were
	// are kept, so that what they were paid for still costs what it did.
	Prices []Price

	Deprecated time.Time // when the service began to advise against it; zero if it doesn't
	Ends       time.Time // when the service stops to answer for it; zero if no day is set
	Successor  string    // the model that the service advises in its place; may be empty
}

// EndNotice is how long before the end of a model its use is warned of.
const EndNotice = 60 * 24 * time.Hour

// EndsSoon reports whether the model has ended by a time, or ends within
// [EndNotice] of it. The zero time stands for now. A model whose end isn't known
// doesn't end.
func (m Model) EndsSoon(at time.Time) bool {
	return !m.Ends.IsZero() && orNow(at).Add(EndNotice).After(m.Ends)
}

func orNow(at time.Time) time.Time {
	if at.IsZero() {
		return time.Now()
	}
	return at
}

// Limits are in tokens.
type Limits struct {
	ContextTokens   int // the window: prompt and answer together
	MaxOutputTokens int
	MinCacheTokens  int // a shorter prefix is not cached; no error tells so
}

// Thinking describes how a model thinks. Adaptive to BetweenTools are the types of
// [transport.Thinking] that a request may set.
type Thinking struct {
	Adaptive, Enabled, Disabled, BetweenTools Support

	Default string  // without a type in the request: "on", "off", or "always" if it can't be stopped
	Kept    Support // thinking of earlier turns stays in the prompt
	Bound   Support // thinking is bound to all that came before it (wire §9.4)
}

// Effort is what output_config.effort may be.
type Effort struct {
	Support Support
	Levels  []transport.Effort // ascending; empty if the parameter doesn't exist or isn't known
	Default transport.Effort
	// MaxQuiet is the highest together with thinking of the types disabled and
	// between_tools; empty means any.
	MaxQuiet transport.Effort
}

// Supports is what else a request to the model may hold.
type Supports struct {
	ForcedToolChoice Support // tool_choice of type "any" and "tool"
	Sampling         Support // temperature, top_p and top_k other than their defaults
	Prefill          Support // a last message of role assistant that the model goes on with
	SystemMessages   Support // messages of role system inside the conversation
	TaskBudgets      Support // output_config.task_budget
	ComputerTools    Support // computer_20251124 or an older one; computer_toolset_20260801 is apart from them
	Compaction       Support // both forms of compaction on the service's side
}

// A Price is in USD per million tokens.
type Price struct {
	Input, CacheWrite5m, CacheWrite1h, CacheRead, Output float64

	UpToTokens  int64     // holds for prompts of up to so many tokens; 0 for any
	Speed       string    // "fast", or empty for the standard speed
	From, Until time.Time // holds from then, and before then; zero for no bound
}

// PriceAt is the price of a prompt of so many tokens, for a response that came at
// a time; the zero time stands for now. Speed is that of the usage: "fast", or
// else standard. It is false if the price isn't known.
func (m Model) PriceAt(at time.Time, speed string, promptTokens int64) (Price, bool) {
	at = orNow(at)
	if speed != "fast" {
		speed = ""
	}
	for _, p := range m.Prices {
		if p.Speed == speed && (p.UpToTokens == 0 || promptTokens <= p.UpToTokens) &&
			!at.Before(p.From) && (p.Until.IsZero() || at.Before(p.Until)) {
			return p, true
		}
	}
	return Price{}, false
}

// Lookup finds a model by its id or an alias: first among the given
// models, which lets a program correct or extend the table, then in this
// package's table. Unknown models are fine to use; less is known of them.
func Lookup(id string, own ...Model) (Model, bool) {
	for _, list := range [][]Model{own, table} {
		for _, m := range list {
			if m.ID == id || slices.Contains(m.Aliases, id) {
				return m, true
			}
		}
	}
	return Model{}, false
}

// AsOf is the day that this package's table is of. Prices and ends that the
// service told later are not in it.
func AsOf() time.Time { return asOf }

// Known returns a copy of this package's table.
func Known() []Model { return slices.Clone(table) }
