package simulator

import (
	"slices"
	"strconv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A fingerprint is what the service remembers of a request that asked for cache
// diagnostics, to compare a later one with (wire §8.8).
type fingerprint struct {
	account, model, tools, system, others uint64
	messages                              *prints
}

// Prints are hashes of the blocks of messages. They go on from those that other
// requests of the thread share.
type prints struct {
	prev  *prints
	start int // how many are before
	list  []uint64
}

func (p *prints) len() int {
	if p == nil {
		return 0
	}
	return p.start + len(p.list)
}

// differ finds the first place in before that is another one in now, or -1. It looks
// only at what they don't share.
func (before *prints) differ(now *prints) int {
	var a, b []uint64 // from the end
	for before != nil && !now.has(before) {
		for _, h := range slices.Backward(before.list) {
			a = append(a, h)
		}
		before = before.prev
	}
	for now != before {
		for _, h := range slices.Backward(now.list) {
			b = append(b, h)
		}
		now = now.prev
	}
	for i := range a {
		if i >= len(b) || a[len(a)-1-i] != b[len(b)-1-i] {
			return before.len() + i
		}
	}
	return -1
}

// has reports whether p goes on from q, or is q.
func (p *prints) has(q *prints) bool {
	for p != nil && p != q && p.len() >= q.len() {
		p = p.prev
	}
	return p == q
}

// prints hashes the blocks of the request's messages.
func (r *request) prints() *prints {
	p := &prints{}
	from := 0
	if known := r.known().prints; known != nil {
		from, p.prev, p.start = r.from(), known, known.len()
	}
	for i, m := range r.messagesFrom(from) {
		if r.ends(i) && p.len() > 0 {
			r.next.prints = p
			p = &prints{prev: p, start: p.len()}
		}
		for j := range m.blocks {
			p.list = append(p.list, mix(hashString(seedKey, string(m.role)), m.blocks[j].digest.ordered))
		}
	}
	return p
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
	f.messages = r.prints()
	f.others = hashBytes(seedKey, r.thinking.raw)
	for _, name := range []string{"tool_choice", "context_management", "output_config"} {
		f.others = mix(f.others, hashBytes(seedKey, r.fields[name]))
	}
	return f
}

// diagnose makes the response's "diagnostics": nil if the request didn't ask,
// else null, or the reason why the cache could not be read as far as before.
func (s *Server) diagnose(r *request, id string, positions prompt) []byte {
	asked := r.fields["diagnostics"]
	if rawjson.IsNull(asked) {
		return nil
	}
	now := r.fingerprint()
	key := func(id string) uint64 { return s.fingerprints.key([]byte(id), r.account) }
	defer s.fingerprints.put(key(id), now, 8*(now.messages.len()-r.known().prints.len())+200)
	previous := rawjson.GetString(asked, "previous_message_id")
	if previous == "" {
		return []byte("null")
	}
	before, ok := s.fingerprints.get(key(previous))
	if !ok {
		return []byte(`{"cache_miss_reason":{"type":"previous_message_not_found"}}`)
	}
	total, first := positions.tokens(), positions.len()-now.messages.len()
	missed := func(kind string, valid int) []byte {
		if valid > 0 && valid <= positions.len() {
			valid = positions.tokensAt(valid - 1)
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
	if i := before.messages.differ(now.messages); i >= 0 {
		return missed("messages_changed", max(0, first+i))
	}
	if before.others != now.others {
		return []byte(`{"cache_miss_reason":{"type":"unavailable"}}`)
	}
	return []byte("null")
}
