package simulator

import (
	"github.com/whorl-go/whorl/transport/rawjson"
)

// fixedNames are the fields that all requests of a thread have alike, in the order
// in which a refusal names them (wire §15.2).
var fixedNames = [...]string{"model", "tool_choice", "thinking", "mcp_servers", "context_management", "output_config", "container.skills", "cache_control", "anthropic-beta"}

// fixedFields are hashes of those fields. They are compared as values here; the
// service may compare bytes (wire G86).
type fixedFields [len(fixedNames)]uint64

func (r *request) fixedFields() (f fixedFields) {
	for i, name := range fixedNames {
		switch name {
		case "mcp_servers":
			f[i] = serversDigest(r.fields[name])
		case "container.skills":
			if c := r.fields["container"]; len(c) > 0 && c[0] == '{' {
				f[i] = valueDigest(rawjson.Get(c, "skills"))
			}
		case "anthropic-beta":
			f[i] = r.betas.hash
		default:
			f[i] = valueDigest(r.fields[name])
		}
	}
	return f
}

// differing names the fields that are not alike, or nil.
func (f fixedFields) differing(other fixedFields) (names []string) {
	for i, name := range fixedNames {
		if f[i] != other[i] {
			names = append(names, name)
		}
	}
	return names
}

// valueDigest is 0 for null, which says what leaving the field out says.
func valueDigest(raw []byte) uint64 {
	if rawjson.IsNull(raw) {
		return 0
	}
	return digestOf(raw, true).value
}

// serversDigest leaves out the tokens of MCP servers: they may change.
func serversDigest(raw []byte) uint64 {
	h := uint64(0)
	for e := range rawjson.Elements(raw) {
		d := digestOf(e, true).value
		if token := rawjson.Get(e, "authorization_token"); token != nil {
			d -= mix(hashString(seedKey, "authorization_token"), digestOf(token, true).value)
		}
		h = mix(h+seedArray, d)
	}
	return h
}
