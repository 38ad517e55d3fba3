// Package editing has the service clear old content out of long prompts.
package editing

import (
	"cmp"
	"encoding/json"

	"github.com/whorl-go/whorl/agent/internal/cacheplan"
	"github.com/whorl-go/whorl/transport/models"
)

// ToolUses has the service clear old tool results out of long prompts, where that
// saves more than it costs. Put what [ToolUses.For] makes into
// Template.ContextManagement. The log keeps the results, and thinking stays valid
// (wire §9.4, §10.1).
//
// Clearing changes the prompt from the first cleared result on, so all behind it
// is written to the cache once more; and since the service edits each request
// again, each step clears one result more and writes those that are kept again.
// With a cheap cache that takes long to pay: see docs/context.md.
type ToolUses struct {
	Trigger int      // tokens of prompt from which on results are cleared; 0 means 100,000
	Keep    int      // newest tool uses that are kept; 0 means 3
	Steps   int      // model calls that are expected to follow; 0 means 30
	Result  int      // tokens of a call and its result, about; 0 means 1,000
	Exclude []string // tools whose results are kept
}

// For makes the edit for a model. Its clear_at_least is what has to be cleared for
// the edit to pay at the model's prices.
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
