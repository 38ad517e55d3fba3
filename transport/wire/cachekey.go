package wire

import (
	"hash/fnv"

	"github.com/whorl-go/whorl/transport/rawjson"
)

// A CacheKey tells apart what requests say besides their messages, as far as the
// prompt cache hangs on it (wire §8.5). Two requests can read each other's entries
// up to the end of the tools if Tools agree, up to the end of the system prompt if
// System does, and behind it if Messages does. The zero CacheKey is unknown.
type CacheKey struct{ Tools, System, Messages uint64 }

// CacheKeyOf is the key of a request's body. It looks at members of the body as they
// are written, so that another way to write the same value has another key.
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
