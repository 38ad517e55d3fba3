package simulator

import (
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A fingerprint is what the service remembers of a request that asked for cache
// diagnostics, to compare a later one with (wire §8.8).
type fingerprint struct {
	account, model, tools, system, others uint64
	messages                              []uint64 // hashes of the blocks
}

// fingerprint takes the request's.
func (r *request) fingerprint() *fingerprint {
	f := &fingerprint{account: r.account, model: mix(hashString(seedKey, r.model.ID), hashBytes(seedKey, r.fields["speed"]))}
	if r.tools != nil {
		for i := range r.tools.tools {
			f.tools = mix(f.tools, r.tools.tools[i].digest.ordered)
		}
	}
	for i := range r.system {
		f.system = mix(f.system, r.system[i].digest.ordered)
	}
	for _, m := range r.messages {
		for j := range m.blocks {
			f.messages = append(f.messages, mix(hashString(seedKey, string(m.role)), m.blocks[j].digest.ordered))
		}
	}
	f.others = hashBytes(seedKey, r.thinking.raw)
	for _, name := range []string{"tool_choice", "context_management", "output_config"} {
		f.others = mix(f.others, hashBytes(seedKey, r.fields[name]))
	}
	return f
}

// diagnose makes the response's "diagnostics": nil if the request didn't ask,
// else null, or the reason why the cache could not be read as far as before.
func (s *Server) diagnose(r *request, id string, positions []position) []byte {
	asked := r.fields["diagnostics"]
	if rawjson.IsNull(asked) {
		return nil
	}
	now := r.fingerprint()
	key := func(id string) uint64 { return s.fingerprints.key([]byte(id), r.account) }
	defer s.fingerprints.put(key(id), now, 8*len(now.messages)+100)
	previous := rawjson.GetString(asked, "previous_message_id")
	if previous == "" {
		return []byte("null")
	}
	before, ok := s.fingerprints.get(key(previous))
	if !ok {
		return []byte(`{"cache_miss_reason":{"type":"previous_message_not_found"}}`)
	}
	total, first := 0, len(positions)-len(now.messages)
	if len(positions) > 0 {
		total = positions[len(positions)-1].tokens
	}
	missed := func(kind string, valid int) []byte {
		if valid > 0 && valid <= len(positions) {
			valid = positions[valid-1].tokens
		} else {
			valid = 0
		}
		return []byte(`{"cache_miss_reason":{"type":"` + kind + `","cache_missed_input_tokens":` + strconv.Itoa(total-valid) + `}}`)
	}
	switch {
	case before.model != now.model:
		return missed("model_changed", 0)
	case before.tools != now.tools:
		return missed("tools_changed", 0)
	case before.system != now.system:
		return missed("system_changed", first-len(r.system))
	}
	for i, h := range before.messages {
		if i >= len(now.messages) || now.messages[i] != h {
			return missed("messages_changed", max(0, first+i))
		}
	}
	if before.others != now.others {
		return []byte(`{"cache_miss_reason":{"type":"unavailable"}}`)
	}
	return []byte("null")
}
