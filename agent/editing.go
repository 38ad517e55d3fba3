package agent

import (
	"cmp"
	"encoding/json"

	"github.com/whorl-go/whorl/transport"
)

// Editing has the service clear old tool results out of long prompts, where that
// saves more than it costs. Put what [Editing.For] makes into
// Template.ContextManagement. The log keeps the results, and thinking stays valid
// (reference §9.4, §10.1).
//
// Clearing changes the prompt from the first cleared result on, so all behind it
// is written to the cache once more. It pays if enough is cleared for the steps
// that are left to read less.
type Editing struct {
	Trigger int      // tokens of prompt from which on results are cleared; 0 means 100,000
	Keep    int      // newest tool uses that are kept; 0 means 3
	Steps   int      // model calls that are expected to follow; 0 means 30
	Exclude []string // tools whose results are kept
}

// For makes the edit for a model. Its clear_at_least is what has to be cleared for
// the edit to pay at the model's prices.
func (e Editing) For(model transport.Model) json.RawMessage {
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
	trigger := cmp.Or(e.Trigger, 100_000)
	raw, err := json.Marshal(struct {
		Edits []edit `json:"edits"`
	}{[]edit{{
		Type:    "clear_tool_uses_20250919",
		Trigger: amount{"input_tokens", trigger}, Keep: amount{"tool_uses", cmp.Or(e.Keep, 3)},
		ClearAtLeast: amount{"input_tokens", e.leastToClear(model, trigger)},
		ExcludeTools: e.Exclude,
	}}})
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	return raw
}

// leastToClear is how much of a prompt of so many tokens has to go for the rest,
// written once more, to cost less than reading it all in each step to come.
func (e Editing) leastToClear(model transport.Model, prompt int) int {
	price := priceOf(model)
	rewrite := price.CacheWrite5m - price.CacheRead
	saved := price.CacheRead * float64(cmp.Or(e.Steps, 30))
	return int(float64(prompt) * rewrite / (rewrite + saved))
}
