package wire

import (
	"hash/fnv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A CacheKey identifies the parts of a request other than its messages that the prompt
// cache depends on (wire §8.5). Two requests can read each other's cache entries up to
// the end of the tools if Tools is equal, up to the end of the system prompt if System
// is equal, and beyond it if Messages is equal. The zero CacheKey means unknown.
type CacheKey struct{ Tools, System, Messages uint64 }

// CacheKeyOf returns the key of a request's body. It compares members as they are
// written: a different spelling of the same value has a different key.
func CacheKeyOf(body []byte) CacheKey {
	var k CacheKey
	if len(body) == 0 {
		return k
	}
	h := fnv.New64a()
	add := func(members ...string) uint64 {
		for _, m := range members {
			h.Write(rawjson.Get(body, m))
			h.Write([]byte{0})
		}
		return h.Sum64()
	}
	k.Tools = add("model", "tools", "mcp_servers")
	k.System = add("speed", "system")
	thinking := rawjson.Get(body, "thinking") // display changes nothing
	for _, m := range []string{"type", "budget_tokens"} {
		h.Write(rawjson.Get(thinking, m))
		h.Write([]byte{0})
	}
	k.Messages = add("tool_choice", "output_config", "context_management")
	return k
}
