package models

import (
	"slices"
	"strings"
	"time"

	"github.com/whorl-go/whorl/internal/nearest"
	"github.com/whorl-go/whorl/transport"
)

// A Support specifies whether a model supports a feature. The zero value is Unknown.
// What is unknown is allowed: the service decides.
type Support int8

// The values of Support.
const (
	Unknown Support = iota
	Supported
	Unsupported
)

// A Model describes a model: its limits, its prices, and what a request to it may
// contain. A zero field means that the property isn't known.
type Model struct {
	ID      string
	Aliases []string // other ids of the same model, such as one with a date

	Limits   Limits
	Thinking Thinking
	Effort   Effort
	Supports Supports

	// Prices are in ascending order of UpToTokens within a speed and a time. If there
	// are none, the price isn't known; the model is not free. Past prices are kept, so
	// that past responses keep their cost.
	Prices []Price

	Deprecated time.Time // when the service deprecated the model; zero if it is not deprecated
	Ends       time.Time // when the service stops serving the model; zero if no date is set
	Successor  string    // the model that the service recommends instead; may be empty
}

// EndNotice is the time before the end of a model from which on its use causes a
// warning.
const EndNotice = 60 * 24 * time.Hour

// EndsSoon reports whether the model ends before at, or within [EndNotice] after it.
// The zero time means now. It is false if the model's end isn't known.
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
	ContextTokens   int // the context window: prompt and answer together
	MaxOutputTokens int
	MinCacheTokens  int // a shorter prefix is not cached, without an error
}

// Thinking describes how a model thinks. Adaptive to BetweenTools are the types of
// [transport.Thinking] that a request may set.
type Thinking struct {
	Adaptive, Enabled, Disabled, BetweenTools Support

	Default string  // if the request has no type: "on", "off", or "always" if it can't be turned off
	Kept    Support // whether thinking of earlier turns stays in the prompt
	Bound   Support // whether thinking is bound to everything before it (wire §9.4)
}

// Effort describes the values of output_config.effort.
type Effort struct {
	Support Support
	Levels  []transport.Effort // ascending; empty if the parameter doesn't exist or isn't known
	Default transport.Effort
	// MaxQuiet is the highest level that is allowed with thinking of type disabled or
	// between_tools; empty means any.
	MaxQuiet transport.Effort
}

// Supports lists other features that a request to the model may use.
type Supports struct {
	ForcedToolChoice Support // tool_choice of type "any" and "tool"
	Sampling         Support // temperature, top_p and top_k other than their defaults
	Prefill          Support // a last message of role assistant that the model continues
	SystemMessages   Support // messages of role system inside the conversation
	TaskBudgets      Support // output_config.task_budget
	ComputerTools    Support // computer_20251124 or an older version; not computer_toolset_20260801
	Compaction       Support // both forms of compaction by the service
}

// A Price has prices in USD per million tokens.
type Price struct {
	Input, CacheWrite5m, CacheWrite1h, CacheRead, Output float64

	UpToTokens  int64     // longest prompt that the price holds for, in tokens; 0 means any
	Speed       string    // "fast", or empty for standard speed
	From, Until time.Time // the price holds from From and before Until; zero means no bound
}

// PriceAt returns the price for a prompt of promptTokens tokens and a response that
// came at the given time. The zero time means now. speed is the speed in the usage:
// "fast", or anything else for standard. PriceAt returns false if the price isn't
// known.
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

// Lookup finds a model by its id or an alias. It looks in own first, which lets a
// program correct or extend the table, then in this package's table. It returns false
// for an unknown model, which may be used all the same.
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

// Nearest returns the id that was most likely meant by one that neither own nor this
// package's table has, such as "claude-opus-5-5" for "claude-opus-5.5" or "opus-5.5". It
// returns "" if none is like it.
func Nearest(id string, own ...Model) string {
	const maker = "claude-"
	var ids, short []string
	for _, list := range [][]Model{own, table} {
		for _, m := range list {
			ids = append(append(ids, m.ID), m.Aliases...)
			short = append(short, strings.TrimPrefix(m.ID, maker))
		}
	}
	if n := nearest.Name(id, ids); n != "" {
		return n
	}
	if n := nearest.Name(id, short); n != "" && !slices.Contains(ids, n) {
		return maker + n
	}
	return ""
}

// AsOf returns the date of this package's table. Later changes of prices and ends are
// not in it.
func AsOf() time.Time { return asOf }

// Known returns a copy of this package's table.
func Known() []Model { return slices.Clone(table) }
