package view

import (
	"encoding/json"
	"fmt"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// ContextManagement reports what the service changed in the prompt (wire §10.1).
type ContextManagement struct {
	AppliedEdits []AppliedEdit `json:"applied_edits"`
}

// An AppliedEdit is one edit that was applied.
type AppliedEdit struct {
	Type                 string `json:"type"`
	ClearedToolUses      int    `json:"cleared_tool_uses"`
	ClearedThinkingTurns int    `json:"cleared_thinking_turns"`
	ClearedInputTokens   int64  `json:"cleared_input_tokens"`
}

// ContextManagementOf decodes what the service changed in the prompt. It returns the
// zero value if the service changed nothing, or if the request didn't ask for it.
func ContextManagementOf(r *transport.Response) (ContextManagement, error) {
	var c ContextManagement
	err := member(r, "context_management", &c)
	return c, err
}

// An InputTransformation is a block of the request that the service changed
// before the model saw it (wire §9.4).
type InputTransformation struct {
	Type   string `json:"type"`   // "thinking_dropped" or "thinking_mismatch_allowed"
	Path   string `json:"path"`   // for instance "messages.3.content.0"
	Reason string `json:"reason"` // "prefix_binding_mismatch" and so on
}

// InputTransformationsOf decodes what the service changed in blocks of the request. The
// service reports it only if thinking.block_binding was set.
func InputTransformationsOf(r *transport.Response) ([]InputTransformation, error) {
	var t []InputTransformation
	err := member(r, "input_transformations", &t)
	return t, err
}

// A CacheMiss explains why less of the prompt was read from the cache than possible
// (wire §8.8).
type CacheMiss struct {
	Type         string `json:"type"` // "model_changed", "system_changed", "tools_changed", "messages_changed", "previous_message_not_found" or "unavailable"
	MissedTokens int64  `json:"cache_missed_input_tokens"`
}

// CacheMissOf decodes the cache diagnostics of a response. It returns nil if the
// request didn't ask for them, if they found no difference, or if they were not ready.
func CacheMissOf(r *transport.Response) (*CacheMiss, error) {
	raw := rawjson.Get(r.Diagnostics, "cache_miss_reason")
	if rawjson.IsNull(raw) {
		return nil, nil
	}
	m := new(CacheMiss)
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("response %s: diagnostics: %w", r.ID, err)
	}
	return m, nil
}

// member decodes one member of the message object that has no field in Response.
func member(r *transport.Response, name string, v any) error {
	raw := r.Member(name)
	if rawjson.IsNull(raw) {
		return nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("response %s: %s: %w", r.ID, name, err)
	}
	return nil
}
