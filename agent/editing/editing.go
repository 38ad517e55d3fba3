// Package editing configures the service to clear old content from long prompts.
package editing

import (
	"cmp"
	"encoding/json"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/transport/models"
)

// ToolUses configures the service to clear old tool results from long prompts, where
// that saves more than it costs. Assign the value of [ToolUses.For] to
// Template.ContextManagement. The log keeps the results, and thinking stays valid (wire
// §9.4, §10.1).
//
// Clearing changes the prompt from the first cleared result on, so everything after it
// is written to the cache again. The service edits every request: each step clears one
// more result and writes the kept ones again. Where the cache is cheap, clearing takes
// many steps to pay off; see docs/context.md.
type ToolUses struct {
	Trigger int      // prompt tokens above which results are cleared; 0 means 100,000
	Keep    int      // number of newest tool uses to keep; 0 means 3
	Steps   int      // expected number of further model calls; 0 means 30
	Result  int      // approximate tokens of a call and its result; 0 means 1,000
	Exclude []string // tools whose results are kept
}

// For returns the edit for a model, as JSON. Its clear_at_least is the number of tokens
// that must be cleared for the edit to pay off at the model's prices.
func (e ToolUses) For(model models.Model) json.RawMessage {
	type amount struct {
		Type  string `json:"type"`
		Value int    `json:"value"`
	}
	type edit struct {
		Type         string   `json:"type"`
		Trigger      amount   `json:"trigger"`
		Keep         amount   `json:"keep"`
		ClearAtLeast amount   `json:"clear_at_least"`
		ExcludeTools []string `json:"exclude_tools,omitempty"`
	}
	trigger, keep := cmp.Or(e.Trigger, 100_000), cmp.Or(e.Keep, 3)
	least := cacheplan.LeastToClear(model, int64(trigger), int64(cmp.Or(e.Steps, 30)), int64(keep*cmp.Or(e.Result, 1000)))
	raw, err := json.Marshal(struct {
		Edits []edit `json:"edits"`
	}{[]edit{{
		Type:    "clear_tool_uses_20250919",
		Trigger: amount{"input_tokens", trigger}, Keep: amount{"tool_uses", keep},
		ClearAtLeast: amount{"input_tokens", int(least)},
		ExcludeTools: e.Exclude,
	}}})
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	return raw
}
