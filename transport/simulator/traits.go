package simulator

import (
	"slices"
	"time"
)

// traits are what only a service has to know of a model, and the transport's table
// has no field for. The zero value is a model without peculiarities.
type traits struct {
	// reads are the models whose thinking it reads besides its own; nil for those up
	// to Opus 5, which read what is no younger (see generation).
	reads []string
	// ownAccount drops thinking that the model wrote in another account.
	ownAccount bool
	// alwaysBinds checks the prefix of thinking on old accounts, too.
	alwaysBinds bool
	// bindsMCP makes listings of MCP servers' tools part of that prefix.
	bindsMCP bool
	// quietEffort forbids messages that change the effort while thinking is disabled.
	quietEffort bool
	// silentWhenForced leaves out thinking in an answer to a forced tool choice.
	silentWhenForced bool
	// fallbacks are the only models that may take over; nil for any.
	fallbacks []string
	// noFallbacks refuses a list of models that take over; "default" has no effect.
	noFallbacks bool
	// advisors are the only models that may advise; nil for any.
	advisors []string
	// fastBeta is what speed "fast" needs in the anthropic-beta header; "" for nothing.
	fastBeta string
	// fastUntil is when speed "fast" ends; zero for no end that is known.
	fastUntil time.Time
}

// traitsOf is the table, as of November 2026 (wire §2, §6.7, §9.4, §9.6, §13). Who reads whose
// thinking is that of the Claude API; a writer that a row doesn't name is dropped
// there. Whether a model of 5.2 also drops what another model wrote in another
// account isn't known; it is kept here.
var traitsOf = map[string]traits{
	"claude-fable-5-2":  {reads: slices.Concat(classics, upTo("claude-opus-5"), fives), ownAccount: true, alwaysBinds: true, bindsMCP: true, fallbacks: fallbacks52, advisors: advisors52},
	"claude-mythos-5-2": {reads: slices.Concat(classics, upTo("claude-opus-5"), fives), ownAccount: true, alwaysBinds: true, bindsMCP: true, fallbacks: fallbacks52, advisors: advisors52},
	"claude-fable-5-1":  {reads: slices.Concat(classics, upTo("claude-opus-5"), []string{"claude-mythos-5-1", "claude-opus-5-5"})},
	"claude-mythos-5-1": {reads: slices.Concat(classics, upTo("claude-opus-5"), []string{"claude-fable-5-1", "claude-opus-5-5"}), alwaysBinds: true},
	"claude-opus-5-5":   {reads: append(upTo("claude-opus-5"), "claude-sonnet-5-5", "claude-haiku-5-5")},
	"claude-sonnet-5-5": {reads: append(upTo("claude-sonnet-5"), "claude-haiku-5-5"), ownAccount: true},
	"claude-haiku-5-5":  {reads: upTo("claude-sonnet-5"), ownAccount: true, quietEffort: true, silentWhenForced: true, noFallbacks: true},
	"claude-opus-5":     {fastBeta: betaFast},
	"claude-opus-4-8":   {fastBeta: betaFast, fastUntil: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
	"claude-opus-4-6":   {fastBeta: betaFast},
}

const betaFast = "fast-mode-2026-02-01"

var (
	// classics are the Fable and Mythos models before 5.1.
	classics = []string{"claude-mythos-preview", "claude-fable-5", "claude-mythos-5"}
	// fives are the models of 5.1 and 5.5, with those of 5.2 themselves.
	fives = []string{"claude-fable-5-1", "claude-mythos-5-1", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-2", "claude-mythos-5-2"}

	fallbacks52 = []string{"claude-opus-4-8", "claude-opus-5"}
	advisors52  = []string{"claude-fable-5-2", "claude-mythos-5-2"}
)

// upTo lists the Opus, Sonnet and Haiku models from the oldest to the given one.
func upTo(model string) []string {
	all := []string{"claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5", "claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-4-7", "claude-opus-4-8",
		"claude-sonnet-5", "claude-opus-5"}
	return all[: slices.Index(all, model)+1 : slices.Index(all, model)+1]
}
