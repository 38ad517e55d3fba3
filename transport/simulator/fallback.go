package simulator

import (
	"slices"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// fallbackModels lists the models that the request goes on with where one
// refuses (wire §6.7). "default" is the simulator's own chain: Opus 4.8.
func (r *request) fallbackModels() ([]*modelInfo, *Refusal) {
	raw := r.fields["fallbacks"]
	if rawjson.IsNull(raw) {
		return nil, nil
	}
	if raw[0] == '"' {
		if r.model.noFallbacks {
			return nil, nil
		}
		m, _ := lookUpModel("claude-opus-4-8", false)
		if m.ID == r.model.ID {
			return nil, nil
		}
		return []*modelInfo{m}, nil
	}
	if r.model.noFallbacks {
		return nil, refuse("fallbacks: not supported on this model") // the words are a guess (wire §6.7; wire G51)
	}
	var list []*modelInfo
	i := 0
	for e := range rawjson.Elements(raw) {
		for key := range rawjson.Members(e) {
			switch key {
			case "model", "max_tokens", "thinking", "output_config", "speed":
			default:
				return nil, refuse("fallbacks.%d.%s: Extra inputs are not permitted", i, key)
			}
		}
		id := rawjson.GetString(e, "model")
		m, ok := lookUpModel(id, false)
		if !ok {
			return nil, notFound("model: %s", id)
		}
		if r.model.fallbacks != nil && !slices.Contains(r.model.fallbacks, m.ID) { // the words are a guess (wire §6.7; wire G51)
			return nil, refuse("fallbacks.%d.model: '%s' is not an allowed fallback for '%s'", i, id, r.modelName)
		}
		list = append(list, m)
		i++
	}
	return list, nil
}

// fallBack goes on with the next model after a refusal. It reports whether
// there is one: then it has sent the block that reports the change.
func (a *answer) fallBack(reply *Reply) bool {
	if reply.StopReason != transport.StopRefusal || len(a.fallbacks) == 0 || a.stopped {
		return false
	}
	next := a.fallbacks[0]
	a.fallbacks = a.fallbacks[1:]
	category := "null"
	if reply.StopDetails != nil && reply.StopDetails.Category != "" {
		category = quote(reply.StopDetails.Category)
	}
	declined := a.iteration("message", a.charge, a.outTokens)
	declined.Model = a.r.model.resolved
	a.iterationList = append(a.iterationList, declined)
	// On replay the client leaves out thinking and client calls from before the
	// block (wire §3.6): they are no part of the prefix any more.
	a.prefix = a.before
	for _, b := range a.content {
		if b.Type() != transport.TypeToolUse {
			kept := a.s.readBlock(b.Raw())
			if !kept.isThinking() {
				a.prefix.add(a.r.model, transport.RoleAssistant, &kept)
			}
		}
	}
	a.fell, a.thoughts, a.number = true, 0, mix(a.number, 1)
	a.sendRaw([]byte(`{"type":"fallback","from":{"model":` + quote(a.r.model.resolved) + `},"to":{"model":` + quote(next.resolved) +
		`},"trigger":{"type":"refusal","category":` + category + `}}`))
	// The tokens of the model that declined are billed by its iteration alone.
	a.outTokens, a.thinkToken, a.input = 0, 0, 0
	a.charge = charge{input: a.charge.input + a.charge.read + a.charge.write5m + a.charge.write1h, start: a.charge.start}
	a.r.model = next
	a.turn.Model = next.resolved
	a.stop, a.details = "", nil
	return true
}
