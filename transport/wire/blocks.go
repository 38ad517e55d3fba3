package wire

import (
	"slices"

	"github.com/whorl-go/whorl/transport"
	"github.com/whorl-go/whorl/transport/internal/blocktype"
	"github.com/whorl-go/whorl/transport/rawjson"
)

// Markable reports whether the service surely takes a cache_control on the
// block: not on thinking, blank text, fallback and mcp_tool_listing blocks
// (wire §8.1), and perhaps not on types that nobody knows yet.
func Markable(b transport.Block) bool {
	return blocktype.Of(b.Type()).Markable && !IsBlank(b)
}

// IsBlank reports whether the block is text that is empty or only white space,
// which the service refuses, or the zero Block.
func IsBlank(b transport.Block) bool {
	return b.IsZero() || b.Type() == transport.TypeText && blocktype.IsBlank(b.Raw())
}

// FitsInResult reports whether the service may take the block in the result of a
// tool. A type that nobody knows yet passes.
func FitsInResult(b transport.Block) bool { return !blocktype.Of(b.Type()).OutOfResult }

// IsModels reports whether only responses have blocks of the type.
func IsModels(t transport.BlockType) bool { return blocktype.Of(t).Model }

// IsServerCall reports whether blocks of the type are calls that the service answers
// itself.
func IsServerCall(t transport.BlockType) bool { return blocktype.Of(t).ServerCall }

// IsServerResult reports whether blocks of the type are such answers.
func IsServerResult(t transport.BlockType) bool { return blocktype.IsResult(t) }

// PendingServerCalls lists the ids of server tool calls that have no result yet:
// the service goes on with them in its next response.
func PendingServerCalls(r *transport.Response) []string {
	var pending []string
	for _, b := range r.Content {
		switch t := blocktype.Of(b.Type()); {
		case t.Name == blocktype.Fallback:
			pending = nil // what stands in front belongs to the model that refused
		case t.ServerCall:
			pending = append(pending, rawjson.GetString(b.Raw(), "id"))
		case blocktype.IsResult(b.Type()):
			if i := slices.Index(pending, b.ToolUseID()); i >= 0 {
				pending = slices.Delete(pending, i, i+1)
			}
		}
	}
	return pending
}

// LastSampling is what the service sampled last for the response: the prompt
// that the next request begins with. It is false where the response has calls of
// server tools and the usage tells nothing but the sum over all samplings
// (wire §5.5); the Iteration is that sum then.
func LastSampling(r *transport.Response) (transport.Iteration, bool) {
	u := &r.Usage
	for i := len(u.Iterations) - 1; i >= 0; i-- {
		if u.Iterations[i].Type == "message" {
			return u.Iterations[i], true
		}
	}
	sum := transport.Iteration{
		Type: "message", Model: r.Model, InputTokens: u.InputTokens, CacheCreationInputTokens: u.CacheCreationInputTokens,
		CacheReadInputTokens: u.CacheReadInputTokens, OutputTokens: u.OutputTokens, CacheCreation: u.CacheCreation,
	}
	return sum, !slices.ContainsFunc(r.Content, func(b transport.Block) bool { return blocktype.Of(b.Type()).ServerCall })
}

// MarkTTL is the lifetime that the cache_control of a block or a definition asks
// for; empty if it has none, or leaves it at the default.
func MarkTTL(raw []byte) transport.TTL {
	return transport.TTL(rawjson.GetString(rawjson.Get(raw, "cache_control"), "ttl"))
}
